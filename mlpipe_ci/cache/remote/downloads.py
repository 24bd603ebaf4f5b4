"""Brings contents from a store, each as one stream, verified; a broken one is gone on with.

What has come of a very large object waits in a file of the local store, for a run after this one.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from mlpipe_ci.cache.layout import unfinished
from mlpipe_ci.cache.objects import DamagedError, Objects
from mlpipe_ci.cache.remote import compression
from mlpipe_ci.cache.remote.client import PART, RemoteClient
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError

TRIES = 2
"""How often an object is asked for that came damaged."""
KEPT = 1 << 30
"""Bytes of an object from which on it is kept for a later run, should this one be killed: to write
everything twice costs more than to fetch a smaller one anew."""
MARK = 300
"""Bytes that the first line of a partial file has at most."""
Progress = Callable[[int], None]
"""Gets how many bytes have come since its last call."""


def bring(
    client: RemoteClient,
    path: str,
    digest: str,
    objects: Objects,
    progress: Progress = lambda _count: None,
) -> None:
    """Put the content at `path` into the local store. Raises RemoteError, DamagedError, OSError.

    What is not what its name says is asked for once more, and then is as if it were not there.
    """
    name = f"partial-{digest.removeprefix('blake3:')}"
    partial = str(unfinished(objects.directory) / name)
    for attempt in range(1, TRIES + 1):
        try:
            objects.receive(digest, compression.unpack(_parts(client, path, partial, progress)))
        except (compression.FrameError, DamagedError) as error:
            _forget(partial)
            if attempt == TRIES:
                raise DamagedError(f"{digest[:15]}… came damaged from {client.shown}") from error
        else:
            _forget(partial)
            client.fetched()
            return


def _parts(client: RemoteClient, path: str, partial: str, progress: Progress) -> Iterator[bytes]:
    """All bytes of an object, in order; those of a very large one are also kept in a file.

    A stream that broke off is gone on with as long as each brings a part, and once more after that.
    """
    with _Partial(partial) as kept:
        at, tries = 0, 0
        for data in kept.read():
            at += len(data)
            yield data
        while not at or at < kept.size:
            began = at
            try:
                for data in _stream(client, path, at, kept):
                    progress(len(data))
                    at += len(data)
                    yield data
            except RemoteError as error:
                tries = 1 if at - began >= PART else tries + 1
                if error.kind is not ErrorKind.FAILED or tries == TRIES:
                    raise
            else:
                return


def _stream(client: RemoteClient, path: str, start: int, kept: "_Partial") -> Iterator[bytes]:
    stream = client.stream(path, start)
    if not start:
        kept.begin(stream.size, stream.tag)
    elif (kept.size, kept.tag) != (stream.size, _plain(stream.tag)):
        raise compression.FrameError("it is another object by now")
    for data in stream.chunks:
        kept.add(data)
        yield data


class _Partial:
    """What has come of a large object, in a file. Its first line is what it is a part of.

    A full disk only keeps it from being gone on with.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._data = 0
        self.size, self.tag = 0, ""

    def __enter__(self) -> Self:
        self._open(os.O_RDWR)
        if self._file is not None:
            line = os.pread(self._file, MARK, 0).partition(b"\n")
            size, _, tag = line[0].decode("ascii", "replace").partition(" ")
            if line[1] and size.isdecimal():
                self.size, self.tag, self._data = int(size), tag, len(line[0]) + 1
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def begin(self, size: int, tag: str) -> None:
        """Begin anew, if the object is worth it."""
        self.size, self.tag = size, _plain(tag)
        if size < KEPT:
            self._close()
            return
        if self._file is None:
            self._open(os.O_RDWR | os.O_CREAT)
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
            self.add(f"{self.size} {self.tag}\n".encode())

    def read(self) -> Iterator[bytes]:
        """What came before."""
        if self._file is None or not self._data:
            return
        at = self._data
        while data := os.pread(self._file, PART, at):
            at += len(data)
            yield data

    def add(self, data: bytes) -> None:
        """Keep what came now."""
        if self._file is None:
            return
        try:
            os.lseek(self._file, 0, os.SEEK_END)
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self._close()

    def _open(self, flags: int) -> None:
        with suppress(OSError):
            if flags & os.O_CREAT:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
            file = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process brings the same object: it keeps what comes there
                os.close(file)
            else:
                self._file = file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _plain(tag: str) -> str:
    """What fits into a line."""
    return tag.encode("ascii", "replace").decode().replace("\n", " ")[: MARK // 2]


def _forget(partial: str) -> None:
    with suppress(OSError):
        Path(partial).unlink(missing_ok=True)
