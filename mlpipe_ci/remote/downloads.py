"""Brings contents from a store: in parts, several at once, verified; a broken one is gone on with.

What has come of a large object waits in a file of the local store, until all of it is there.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from mlpipe_ci.cache.objects import DamagedError, Objects
from mlpipe_ci.remote import frames
from mlpipe_ci.remote.faults import Kind, RemoteError
from mlpipe_ci.remote.wire import MOST_PARTS, PART, Wire

TRIES = 2
"""How often an object is asked for that came damaged."""
Progress = Callable[[int], None]
"""Is told how many bytes have come since it was told last."""


def bring(
    wire: Wire, path: str, digest: str, objects: Objects, told: Progress = lambda _count: None
) -> None:
    """Put the content at `path` into the local store. Raises RemoteError, DamagedError, OSError.

    What is not what its name says is asked for once more, and then is as if it were not there.
    """
    partial = f"{objects.directory}/v1/tmp/partial-{digest.removeprefix('blake3:')}"
    for attempt in range(1, TRIES + 1):
        try:
            objects.receive(digest, frames.unpack(_parts(wire, path, partial, told)))
        except (frames.FrameError, DamagedError) as error:
            _forget(partial)
            if attempt == TRIES:
                raise DamagedError(f"{digest[:15]}… came damaged from {wire.shown}") from error
        else:
            _forget(partial)
            wire.fetched()
            return


def _parts(wire: Wire, path: str, partial: str, told: Progress) -> Iterator[bytes]:
    """All bytes of an object, in order; those of a large one are also kept in a file."""
    first, size, tag = wire.begin(path)
    told(len(first))
    yield first
    if size <= PART:
        return
    with _Partial(partial, tag, size) as kept:
        kept.begin(first)
        start = len(first)
        while start < kept.length:
            data = kept.read(start, min(PART, kept.length - start))
            told(len(data))
            yield data
            start += len(data)
        for data in _rest(wire, path, start, size):
            kept.add(data)
            told(len(data))
            yield data


def _rest(wire: Wire, path: str, start: int, size: int) -> Iterator[bytes]:
    """The parts from `start` on, in order, a few of them on their way at once."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms, for large ones alone

    pieces = [(place, min(PART, size - place)) for place in range(start, size, PART)]
    with ThreadPoolExecutor(MOST_PARTS) as pool:
        waiting = [pool.submit(_part, wire, path, *one) for one in pieces[:MOST_PARTS]]
        try:
            for number in range(len(pieces)):
                data = waiting.pop(0).result()
                following = number + MOST_PARTS
                if following < len(pieces):
                    waiting.append(pool.submit(_part, wire, path, *pieces[following]))
                yield data
        finally:
            for one in waiting:
                one.cancel()


def _part(wire: Wire, path: str, start: int, length: int) -> bytes:
    """One part; asked for again if the connection broke in the middle of it."""
    try:
        return wire.part(path, start, length)
    except RemoteError as error:
        if error.kind is not Kind.FAILED:
            raise
        return wire.part(path, start, length)


class _Partial:
    """What has come of an object, in a file. It begins with what it is a part of.

    A full disk only keeps it from being gone on with.
    """

    def __init__(self, path: str, tag: str, size: int) -> None:
        self._path = path
        self._mark = f"{tag} {size}\n".encode("ascii", "replace")
        self._file: int | None = None
        self.length = 0

    def __enter__(self) -> Self:
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process brings the same object: it keeps what comes there
                os.close(file)
            else:
                self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def begin(self, first: bytes) -> None:
        """Go on with what is there if it is of the same object; else begin anew with `first`."""
        if self._file is None:
            return
        found = os.pread(self._file, len(self._mark) + len(first), 0)
        if found == self._mark + first:
            self.length = os.fstat(self._file).st_size - len(self._mark)
            return
        with suppress(OSError):
            os.ftruncate(self._file, 0)
        self.length = 0
        self.add(self._mark + first)
        self.length = len(first)

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the object that came before."""
        return os.pread(self._file or 0, length, len(self._mark) + start)

    def add(self, data: bytes) -> None:
        """Keep what came now."""
        if self._file is None:
            return
        try:
            os.lseek(self._file, 0, os.SEEK_END)
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.close(self._file)
            self._file = None


def _forget(partial: str) -> None:
    with suppress(OSError):
        Path(partial).unlink(missing_ok=True)
