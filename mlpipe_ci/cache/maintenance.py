"""Looks after the local store: what is in it, what is damaged, what may go.

All of it is safe beside running processes: what a result needs is refreshed when it is stored
again, objects younger than an hour are never collected, and a missing object is a miss.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache import layout
from mlpipe_ci.cache.codec import decode_result
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Result, needs
from mlpipe_ci.repo.file_digest import file_digest

YOUNG = 3600.0
"""Seconds: a process may just have stored an object, and not yet the result that names it."""


@frozen
class CacheSize:
    """What a store holds: numbers, and sizes in bytes."""

    objects: int = 0
    object_bytes: int = 0
    results: int = 0
    result_bytes: int = 0
    unfinished: int = 0


@frozen
class Stored:
    """One result's file. `used` in seconds since 1970; `result` None: it cannot be read."""

    path: Path
    used: float
    size: int
    result: Result | None


def measure(top: Path) -> CacheSize:
    """Count. `top`: see `layout`."""
    objects = [status for _, status in _files(top / layout.OBJECTS)]
    results = [status for _, status in _files(top / layout.RESULTS)]
    return CacheSize(
        objects=len(objects),
        object_bytes=sum(status.st_size for status in objects),
        results=len(results),
        result_bytes=sum(status.st_size for status in results),
        unfinished=sum(1 for _ in _files(top / layout.UNFINISHED)),
    )


def newest(top: Path, most: int) -> list[Result]:
    """The results that were made last, the newest first."""
    found = [stored.result for stored in _results(top) if stored.result]
    return sorted(found, key=lambda result: -result.finished)[:most]


def verify(top: Path) -> Iterator[tuple[Path, str]]:
    """Read everything. Yields what is damaged, with why; each is removed: it would be a miss."""
    for path, _ in _files(top / layout.OBJECTS):
        name = layout.fan_in(path)
        try:
            right = file_digest(path) == f"blake3:{name}"
        except PathError as error:
            yield path, str(error)
            continue
        if not right:
            path.unlink(missing_ok=True)
            yield path, "its bytes are not what its name says; removed"
    for stored in _results(top):
        why = _fault(top, stored)
        if why:
            stored.path.unlink(missing_ok=True)
            yield stored.path, f"{why}; removed"


def collect(top: Path, now: float, *, max_bytes: int, max_age: float) -> tuple[int, int]:
    """Remove results that were used longest ago, until both limits hold, and what nobody needs.

    `now` in seconds since 1970, `max_age` in seconds. Returns how many files and how many bytes.
    """
    kept = sorted(_results(top), key=lambda stored: stored.used, reverse=True)
    sizes = {layout.fan_in(path): s.st_size for path, s in _files(top / layout.OBJECTS)}
    needed: set[str] = set()
    total, removed, freed = 0, 0, 0
    for stored in kept:
        objects = set(needs(stored.result)) if stored.result else set()
        total += stored.size + sum(sizes.get(name, 0) for name in objects - needed)
        young = now - stored.used < YOUNG
        if stored.result and (young or (total <= max_bytes and now - stored.used <= max_age)):
            needed |= objects
            continue
        if not young:
            stored.path.unlink(missing_ok=True)
            removed, freed = removed + 1, freed + stored.size
    for path, status in _files(top / layout.OBJECTS):
        if layout.fan_in(path) in needed:
            continue
        with suppress(OSError):
            if now - path.stat().st_mtime >= YOUNG:  # asked again: it may just have been refreshed
                path.unlink()
                removed, freed = removed + 1, freed + status.st_size
    return removed, freed


def _results(top: Path) -> Iterator[Stored]:
    for path, status in _files(top / layout.RESULTS):
        try:
            result = decode_result(path.read_bytes())
        except OSError:
            continue
        yield Stored(path=path, used=status.st_mtime, size=status.st_size, result=result)


def _fault(top: Path, stored: Stored) -> str:
    if stored.result is None:
        return "it is damaged, or of another version of mlpipe"
    if layout.fan_in(stored.path.parent) != stored.result.key:
        return "it is the result of another key"
    lost = [n for n in needs(stored.result) if not os.path.exists(layout.object_path(top, n))]
    return "a content that it needs is not there" if lost else ""


def _files(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files below a directory; what goes away meanwhile is left out."""
    for full_path, _, names in os.walk(directory):
        for name in names:
            path = Path(full_path, name)
            with suppress(OSError):
                yield path, path.stat()
