"""Files outside of the repository, on this machine or a share: `file:///mnt/data/*.csv`."""

import os
import stat
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from mlpipe_ci.core.external_url import identity, is_many
from mlpipe_ci.core.paths import is_glob, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import MOST, Failure, ReaderError, SourceItem, SourceKind, SourceStream

CHUNK = 1 << 20


class Local:
    """Reads files. Their version is when they were changed, and their size."""

    def look(self, external: ExternalInput, last: tuple[SourceItem, ...]) -> tuple[SourceItem, ...]:
        """As `Reader.look`."""
        full_path = unquote(urlsplit(external.url.replace("?", "%3F").replace("#", "%23")).path)
        if not is_many(external.url):
            return (_item(full_path, external.path),)
        top = literal_prefix(full_path) if is_glob(full_path) else full_path.rstrip("/")
        top = top if top.startswith("/") else f"/{top}"
        found: list[SourceItem] = []
        for path in _walk(top):
            if not is_glob(full_path) or matches(full_path.lstrip("/"), path.lstrip("/")):
                found.append(_item(path, external.path + path[len(top.rstrip("/")) + 1 :]))
            if len(found) > MOST:
                raise ReaderError(Failure.BROKEN, f"it means more than {MOST:,} files")
        if not found and last:
            raise ReaderError(Failure.BROKEN, "nothing matches any more")
        return tuple(found)

    def stream(self, item: SourceItem, start: int) -> SourceStream:
        """As `Reader.stream`."""
        now = _item(item.key, item.path)
        return SourceStream(
            item=now,
            chunks=_chunks(item.key, start),
            start=start,
            size=now.size,
        )


def open_local(_env: Mapping[str, str]) -> Local:
    """For the table of schemes."""
    return Local()


def _item(full_path: str, path: str) -> SourceItem:
    try:
        status = os.stat(full_path)
    except FileNotFoundError:
        there = os.path.isdir(os.path.dirname(full_path))
        failure = Failure.MISSING if there else Failure.BROKEN
        raise ReaderError(failure, f"there is no {full_path}") from None
    except OSError as error:
        raise ReaderError(Failure.BROKEN, f"{full_path}: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ReaderError(Failure.BROKEN, f"{full_path} is not a file")
    return SourceItem(
        path=path,
        owner=identity(f"file://{full_path}"),
        key=full_path,
        kind=SourceKind.MODIFIED,
        value=f"{status.st_mtime_ns}|{status.st_size}",
        size=status.st_size,
        tag="file",
    )


def _walk(top: str) -> Iterator[str]:
    if not os.path.isdir(top):
        # A share that is not mounted is no answer of its own.
        raise ReaderError(Failure.BROKEN, f"there is no directory {top}")
    for path, folders, names in os.walk(top):
        folders.sort()
        yield from (os.path.join(path, name) for name in sorted(names))


def _chunks(path: str, start: int) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise ReaderError(Failure.BROKEN, f"{path}: {error.strerror}") from None
