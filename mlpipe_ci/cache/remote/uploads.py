"""Sends results while the run goes on: contents first, the result that names them last."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from blake3 import blake3

from mlpipe_ci.cache.remote import compression as frames
from mlpipe_ci.cache.remote import layout
from mlpipe_ci.cache.remote.client import PART, Wire
from mlpipe_ci.cache.remote.errors import Kind, RemoteError
from mlpipe_ci.core.frozen import frozen

THREADS = 8
SMALL = 1 << 16
"""Contents of so many bytes are not asked for before they are sent."""


class DamagedSourceError(Exception):
    """A content of the local store is not what its name says: it is not sent."""


@frozen
class Parcel:
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
    """Threads that send parcels. `over`: contents that were damaged there, to be written anew."""

    def __init__(self, wire: Wire, over: Callable[[str], bool] = lambda _digest: False) -> None:
        self._wire, self._over = wire, over
        self._work: queue.Queue[Callable[[], None]] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._left = 0
        self._idle = threading.Condition(self._lock)
        self._sent: dict[str, threading.Event] = {}
        self._good: set[str] = set()
        self.arrived: set[tuple[str, str]] = set()

    def send(self, parcel: Parcel) -> None:
        """Send a result, some time soon."""
        self._begin()
        waiting = [len(parcel.contents)]
        failed: list[bool] = []

        def one(digest: str, path: str) -> None:
            if not self._content(parcel, digest, path):
                failed.append(True)
            with self._lock:
                waiting[0] -= 1
                last = not waiting[0]
            if last:
                self._result(parcel, whole=not failed)

        for digest, path in parcel.contents:
            self._put(lambda digest=digest, path=path: one(digest, path))  # type: ignore[misc]
        if not parcel.contents:
            self._put(lambda: self._result(parcel, whole=True))

    @property
    def left(self) -> int:
        """How much is still to be sent."""
        return self._left

    def wait(self, seconds: float | None, told: Callable[[int], None]) -> bool:
        """Wait until all is sent, or the time is over. `told`: how much is left, now and then."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._idle:
            while self._left:
                told(self._left)
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
                self._wire.lost()
                self._wire.warn(f"something was not sent to {self._wire.shown}: {error!r}")
            finally:
                with self._idle:
                    self._left -= 1
                    self._idle.notify_all()

    def _result(self, parcel: Parcel, *, whole: bool) -> None:
        if not whole:
            return
        path = layout.result_path(parcel.scope, parcel.key, parcel.name)
        try:
            self._wire.put(path, frames.packed(parcel.data), instead=parcel.instead)
        except RemoteError as error:
            self._failed(error)
        else:
            self.arrived.add((parcel.key, parcel.name))

    def _content(self, parcel: Parcel, digest: str, path: str) -> bool:
        """Send a content, unless it is there. True if it is there now."""
        place = layout.object_path(parcel.scope, digest)
        with self._lock:
            done = self._sent.get(place)
            mine = done is None
            if done is None:
                done = self._sent[place] = threading.Event()
        if not mine:
            done.wait()
            return place in self._good
        try:
            self._send(place, parcel, digest, path)
            self._good.add(place)
            return True
        except RemoteError as error:
            self._failed(error)
        except (OSError, DamagedSourceError) as error:
            self._wire.lost()
            self._wire.warn(f"a content was not sent to {self._wire.shown}: {error}")
        finally:
            done.set()
        return False

    def _send(self, place: str, parcel: Parcel, digest: str, path: str) -> None:
        wire, over = self._wire, self._over(digest)
        if not os.path.exists(path) and parcel.source:
            if wire.size(place) is None:
                wire.copy(layout.object_path(parcel.source, digest), place)
            return
        size = os.stat(path).st_size
        if size <= PART:
            if size > SMALL and not over and wire.size(place) is not None:
                return
            with open(path, "rb") as file:
                data = file.read()
            _check(digest, blake3(data).hexdigest())
            if wire.put(place, frames.packed(data), instead=over):
                wire.stored()
            return
        if over or wire.size(place) is None:
            wire.put_parts(place, frames.pack(_chunks(path, digest), size))
            wire.stored()

    def _failed(self, error: RemoteError) -> None:
        self._wire.lost()
        if error.kind is Kind.FAILED:
            self._wire.warn(f"a write to {self._wire.shown} failed: {error}")


def _chunks(path: str, digest: str) -> Iterator[bytes]:
    """The bytes of a local content; the last of them only if all are what the name says."""
    hasher, held = blake3(), b""
    with open(path, "rb", buffering=0) as file:
        with suppress(OSError, AttributeError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while data := file.read(1 << 20):
            hasher.update(data)
            if held:
                yield held
            held = data
    _check(digest, hasher.hexdigest())
    yield held


def _check(digest: str, found: str) -> None:
    if digest.removeprefix("blake3:") != found:
        raise DamagedSourceError(f"{digest[:15]}… is damaged in the local cache")
