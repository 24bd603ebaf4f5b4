"""Sends results while the run goes on: contents first, the result that names them last."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from blake3 import blake3

from mlpipe_ci.cache.remote import compression, layout
from mlpipe_ci.cache.remote.client import PART, RemoteClient
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError
from mlpipe_ci.core.frozen import frozen

THREADS = 8
SMALL = 1 << 16
"""Contents of so many bytes are not asked for before they are sent."""


class DamagedSourceError(Exception):
    """A content of the local store is not what its name says: it is not sent."""


@frozen
class Upload:
    """One result to be sent. `data`: its file; `contents`: digest and local file of what it needs;
    `source`: a scope that has it all already; `instead`: also if one is there.
    """

    scope: str
    key: str
    name: str
    data: bytes
    contents: tuple[tuple[str, str], ...]
    source: str = ""
    instead: bool = False


class Uploads:
    """Threads that send results. `over`: contents that were damaged there, to be written anew."""

    def __init__(
        self, client: RemoteClient, over: Callable[[str], bool] = lambda _digest: False
    ) -> None:
        self._client, self._over = client, over
        self._work: queue.Queue[Callable[[], None]] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._left = 0
        self._idle = threading.Condition(self._lock)
        self._sent: dict[str, threading.Event] = {}
        self._good: set[str] = set()
        self.arrived: set[tuple[str, str]] = set()

    def send(self, upload: Upload) -> None:
        """Send a result, some time soon."""
        self._begin()
        waiting = [len(upload.contents)]
        failed: list[bool] = []

        def one(digest: str, path: str) -> None:
            if not self._content(upload, digest, path):
                failed.append(True)
            with self._lock:
                waiting[0] -= 1
                last = not waiting[0]
            if last:
                self._result(upload, whole=not failed)

        for digest, path in upload.contents:
            self._put(lambda digest=digest, path=path: one(digest, path))  # type: ignore[misc]
        if not upload.contents:
            self._put(lambda: self._result(upload, whole=True))

    @property
    def left(self) -> int:
        """How much is still to be sent."""
        return self._left

    def wait(self, seconds: float | None, progress: Callable[[int], None]) -> bool:
        """Wait until all is sent, or the time is over. `progress` gets how much is left."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._idle:
            while self._left:
                progress(self._left)
                if end is not None and time.monotonic() > end:
                    return False
                self._idle.wait(0.2)
        return True

    def _put(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._left += 1
        self._work.put(work)

    def _begin(self) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._serve, daemon=True, name="mlpipe-upload")
                for _ in range(THREADS)
            ]
            for thread in self._threads:
                thread.start()

    def _serve(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a thread that ends would hang the run
                self._client.lost()
                self._client.warn(f"something was not sent to {self._client.shown}: {error!r}")
            finally:
                with self._idle:
                    self._left -= 1
                    self._idle.notify_all()

    def _result(self, upload: Upload, *, whole: bool) -> None:
        if not whole:
            return
        path = layout.result_path(upload.scope, upload.key, upload.name)
        try:
            self._client.put(path, compression.packed(upload.data), instead=upload.instead)
        except RemoteError as error:
            self._failed(error)
        else:
            self.arrived.add((upload.key, upload.name))

    def _content(self, upload: Upload, digest: str, path: str) -> bool:
        """Send a content, unless it is there. True if it is there now."""
        remote_path = layout.object_path(upload.scope, digest)
        with self._lock:
            done = self._sent.get(remote_path)
            mine = done is None
            if done is None:
                done = self._sent[remote_path] = threading.Event()
        if not mine:
            done.wait()
            return remote_path in self._good
        try:
            self._send(remote_path, upload, digest, path)
            self._good.add(remote_path)
            return True
        except RemoteError as error:
            self._failed(error)
        except (OSError, DamagedSourceError) as error:
            self._client.lost()
            self._client.warn(f"a content was not sent to {self._client.shown}: {error}")
        finally:
            done.set()
        return False

    def _send(self, remote_path: str, upload: Upload, digest: str, path: str) -> None:
        client, over = self._client, self._over(digest)
        if not os.path.exists(path) and upload.source:
            if client.size(remote_path) is None:
                client.copy(layout.object_path(upload.source, digest), remote_path)
            return
        size = os.stat(path).st_size
        if size <= PART:
            if size > SMALL and not over and client.size(remote_path) is not None:
                return
            with open(path, "rb") as file:
                data = file.read()
            _check(digest, blake3(data).hexdigest())
            if client.put(remote_path, compression.packed(data), instead=over):
                client.stored()
            return
        if over or client.size(remote_path) is None:
            client.put_parts(remote_path, compression.pack(_chunks(path, digest), size))
            client.stored()

    def _failed(self, error: RemoteError) -> None:
        self._client.lost()
        if error.kind is ErrorKind.FAILED:
            self._client.warn(f"a write to {self._client.shown} failed: {error}")


def _chunks(path: str, digest: str) -> Iterator[bytes]:
    """The bytes of a local content; the last of them only if all are what the name says."""
    hasher, pending = blake3(), b""
    with open(path, "rb", buffering=0) as file:
        with suppress(OSError, AttributeError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while data := file.read(1 << 20):
            hasher.update(data)
            if pending:
                yield pending
            pending = data
    _check(digest, hasher.hexdigest())
    yield pending


def _check(digest: str, found: str) -> None:
    if digest.removeprefix("blake3:") != found:
        raise DamagedSourceError(f"{digest[:15]}… is damaged in the local cache")
