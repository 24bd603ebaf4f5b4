"""Remembers the digests of files by what `stat` says of them, so that they are read once.

A file counts as the same if size, times, inode and device are: a write changes the ctime, which no
program can set back. One that was touched within the clock's resolution before it was read is not
remembered, as a second write could leave no trace (git's "racy" problem, Documentation/technical/
racy-git.txt).
"""

import json
import os
import time
from pathlib import Path
from typing import Protocol

from mlpipe_ci.contents import file_digest

SECOND = 1_000_000_000
FINE, COARSE = SECOND // 5, 2 * SECOND
"""Nanoseconds that must lie between the last change and the reading; COARSE where a file system
keeps whole seconds. Kernels stamp files by a clock that ticks every 1 to 10 ms."""
Entry = tuple[list[int], str]
"""What `stat` said, and the digest."""


class Rows(Protocol):
    """Where digests are kept: one text for each directory."""

    def read(self, directory: str) -> str | None:
        """The text of a directory, None if there is none or it cannot be read."""

    def write(self, rows: list[tuple[str, str]]) -> None:
        """Keep directories and their texts. A fault costs a reading, and is passed over."""


class Memo:
    """Digests of regular files."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[str, dict[str, Entry]] = {}
        self._changed: set[str] = set()

    def digest(self, path: Path) -> str:
        """`blake3:` and 64 hexadecimal digits of a file's bytes. Raises PathError, OSError."""
        directory, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 - links stay
        known = self._directory(directory)
        before = _signature(path)
        entry = known.get(name)
        if entry and entry[0] == before:
            return entry[1]
        now = time.time_ns()
        digest = file_digest(path)
        if _signature(path) == before and _is_settled(before, now):
            known[name] = (before, digest)
            self._changed.add(directory)
        elif known.pop(name, None):
            self._changed.add(directory)
        return digest

    def save(self) -> None:
        """Write what is new."""
        if self._changed:
            changed = sorted(self._changed)
            self._rows.write([(place, json.dumps(self._known[place])) for place in changed])
        self._changed = set()

    def _directory(self, directory: str) -> dict[str, Entry]:
        if directory not in self._known:
            self._known[directory] = self._read(directory)
        return self._known[directory]

    def _read(self, directory: str) -> dict[str, Entry]:
        try:
            found = json.loads(self._rows.read(directory) or "{}")
            return {
                str(name): ([int(n) for n in signature], str(digest))
                for name, (signature, digest) in found.items()
            }
        except (ValueError, TypeError, AttributeError):
            return {}


def _signature(path: Path) -> list[int]:
    status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - often
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]


def _is_settled(signature: list[int], now: int) -> bool:
    latest = max(signature[1], signature[2])
    coarse = signature[1] % SECOND == 0 and signature[2] % SECOND == 0
    return now - latest > (COARSE if coarse else FINE)
