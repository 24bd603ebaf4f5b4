"""Fetches an item of a source: continued where it broke off, and verified."""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.core.errors import PathError, SourceChangedError
from mlpipe_ci.core.result import Output
from mlpipe_ci.sources.base import (
    Failure,
    Reader,
    ReaderError,
    SourceItem,
    SourceKind,
    SourceStream,
)
from mlpipe_ci.sources.fetched import FetchedFiles

TRIES = 4
"""Streams that may break one after the other without bringing anything."""
PAUSE = 0.5
Progress = Callable[[str], None]
NEW = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def fetch(
    reader: Reader, item: SourceItem, contents: FetchedFiles, shown: str, progress: Progress
) -> Output:
    """Bring the content of an item into the cache. Raises ReaderError, SourceMovedError, PathError.

    What has come is saved if the connection breaks, and if mlpipe is killed, where the source can
    be asked for the rest of the same version.
    """
    try:
        path = contents.partial(item)
        index = os.open(path, NEW, 0o600)
        try:
            if not _own(index):  # another mlpipe fetches the same
                os.close(index)
                path += f".{os.urandom(4).hex()}"
                index = os.open(path, NEW, 0o600)
            _Fetch(reader, item, index, progress, shown).whole()
            return contents.save(item, path, shown)
        except (SourceChangedError, PathError):
            _forget(path)
            raise
        finally:
            with suppress(OSError):
                os.close(index)
    except OSError as error:
        raise PathError(f"{shown} cannot be saved in the cache: {error.strerror}") from error


def _own(index: int) -> bool:
    try:
        fcntl.flock(index, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class _Fetch:
    """One item on its way into an open file."""

    def __init__(
        self, reader: Reader, item: SourceItem, index: int, progress: Progress, shown: str
    ) -> None:
        self._reader, self._item, self._index = reader, item, index
        self._progress, self._shown = progress, shown
        self._at = os.fstat(index).st_size if item.tag else 0
        self._said = 0.0

    def whole(self) -> None:
        """All bytes. Raises ReaderError, SourceMovedError."""
        tries = 0
        while True:
            began = self._at
            try:
                stream = self._reader.stream(self._item, self._at if self._item.tag else 0)
                self._refuse_another(stream)
                self._take(stream)
                self._progress("")
                return
            except ReaderError as fault:
                tries = 1 if self._at > began else tries + 1
                if fault.failure is not Failure.BROKEN or tries == TRIES:
                    self._progress("")
                    raise
                time.sleep(PAUSE * tries)

    def _refuse_another(self, stream: SourceStream) -> None:
        now, item = stream.item, self._item
        if now is not None and item.value and now.kind is item.kind and now.value != item.value:
            raise SourceChangedError(f"{self._shown} has changed since this run began")
        if None not in (item.size, stream.size) and item.size != stream.size:
            text = f"{self._shown} has changed since this run began, or answers HEAD with a lie"
            raise SourceChangedError(text)

    def _take(self, stream: SourceStream) -> None:
        if stream.start > self._at:
            raise ReaderError(Failure.BROKEN, "it sends another part than was asked for")
        self._at = stream.start
        os.ftruncate(self._index, self._at)
        os.lseek(self._index, self._at, os.SEEK_SET)
        for chunk in stream.chunks:
            self._write(chunk)
            if stream.size is not None and self._at > stream.size:
                self._at = 0
                raise ReaderError(Failure.BROKEN, "it sends more bytes than it says")
        if stream.size is not None and self._at < stream.size:
            text = f"it ends after {self._at:,} of {stream.size:,} bytes"
            raise ReaderError(Failure.BROKEN, text)
        self._verify(stream)

    def _write(self, chunk: bytes) -> None:
        data = memoryview(chunk)
        while data:
            data = data[os.write(self._index, data) :]
        self._at += len(chunk)
        if time.monotonic() - self._said > 1:
            self._said = time.monotonic()
            size = self._item.size
            of = f" of {size / 1e6:.0f}" if size else ""
            self._progress(f"{self._shown}: {self._at / 1e6:.0f}{of} MB")

    def _verify(self, stream: SourceStream) -> None:
        """Against what the source says of the bytes, where it says it."""
        import hashlib  # noqa: PLC0415 - 2 ms, which few runs need

        for name, wanted in stream.checks:
            hasher = hashlib.new(name, usedforsecurity=False)
            os.lseek(self._index, 0, os.SEEK_SET)
            while chunk := os.read(self._index, 1 << 20):
                hasher.update(chunk)
            if hasher.hexdigest() != wanted:
                self._at = 0
                raise ReaderError(Failure.BROKEN, f"its bytes are not those of its {name}")


def found_content(item: SourceItem, output: Output) -> SourceItem:
    """An item without a version, by its content."""
    return SourceItem(
        **(vars(item) | {"kind": SourceKind.CONTENT, "value": output.digest, "size": output.size})
    )


def _forget(path: str) -> None:
    Path(path).unlink(missing_ok=True)
