"""Remembers the digests of files by what `stat` says of them, so that they are read once.

A file counts as the same if size, times, inode and device are: a write changes the ctime, which no
program can set back. One that was touched within the clock's resolution before it was read is not
remembered, as a second write could leave no trace (git's "racy" problem, Documentation/technical/
racy-git.txt). A directory whose files are all the same is known by one hash of what `stat` says.
"""

import json
import os
import time
from array import array
from collections.abc import Callable
from typing import Any, Protocol

from blake3 import blake3

from mlpipe_ci.core.directory_listing import line, text_digest
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.file_digest import file_digest

SECOND = 1_000_000_000
FINE, COARSE = SECOND // 5, 2 * SECOND
"""Nanoseconds that must lie between the last change and the reading; COARSE where a file system
keeps whole seconds. Kernels stamp files by a clock that ticks every 1 to 10 ms."""
SKIPPED = frozenset({".git", "__pycache__", ".ipynb_checkpoints"})
"""Never part of an input that is a directory or a pattern."""
TYPE, REGULAR, DIRECTORY, EXECUTABLE = 0o170000, 0o100000, 0o040000, 0o100
Signature = tuple[int, int, int, int, int]
"""Size, mtime and ctime in nanoseconds, inode, device."""


class DigestStore(Protocol):
    """Where digests are kept: for each directory a text, and the listing that was seen last."""

    def read(self, directory: str) -> str | None:
        """The text of a directory, None if there is none or it cannot be read."""

    def seen(self, directory: str) -> tuple[bytes, str] | None:
        """Hash of what `stat` said of all files in it, and the digest of their listing."""

    def write(self, rows: list[tuple[str, str, bytes | None, str]]) -> None:
        """Keep directories, their texts, hash and listing. A fault costs a reading."""


class NullStore:
    """Rows that keep nothing."""

    def read(self, _directory: str) -> None:
        """Nothing is known."""

    def seen(self, _directory: str) -> None:
        """Nothing is known."""

    def write(self, rows: list[tuple[str, str, bytes | None, str]]) -> None:
        """Nothing is kept."""


@frozen(kw_only=False)
class Directory:
    """What lies in a directory: names of regular files, of directories, and of all else.

    `listing`: digest of the listing of the regular files.
    """

    names: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[str, ...]
    listing: str


class DigestCache:
    """Digests of regular files. `read`: gives one of an unusual kind, of this `name`."""

    def __init__(
        self,
        rows: DigestStore | None = None,
        read: Callable[[str], str] | None = None,
        name: str = "",
    ) -> None:
        self._rows: DigestStore = rows or NullStore()
        self._read, self._name = read, name
        self._known: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, tuple[bytes, str]] = {}
        self._changed: set[str] = set()

    def digest(self, path: str, status: os.stat_result | None = None) -> str:
        """`blake3:` and 64 hexadecimal digits of a file's bytes. Raises PathError, OSError.

        `path` is absolute; `status`: what `lstat` has said of it just now.
        """
        directory, _, name = path.rpartition("/")
        return self._digest(directory, name, signature(status or os.lstat(path)))

    def recall(self, path: str, then: Signature) -> str:
        """The digest that a file had when `stat` said that of it; empty if it is not known."""
        directory, _, name = path.rpartition("/")
        found = self._directory(directory).get(name)
        if isinstance(found, list | tuple) and tuple(found[:-1]) == then:
            return str(found[-1])
        return ""

    def _digest(self, directory: str, name: str, before: Signature) -> str:
        known = self._directory(directory)
        found = known.get(name)
        if isinstance(found, list | tuple) and tuple(found[:-1]) == before:
            return str(found[-1])
        path, now = f"{directory}/{name}", time.time_ns()
        digest = (self._read or file_digest)(path)
        if is_settled(before, now) and signature(os.lstat(path)) == before:
            known[name] = (*before, digest)
            self._changed.add(directory)
        elif known.pop(name, None):
            self._changed.add(directory)
        return digest

    def look(self, path: str) -> Directory:
        """What lies in a directory, files with their digests. Raises PathError, OSError."""
        names, folders, others, numbers, device = _entries(path)
        count = len(names)
        hasher = blake3(b"%d " % device + numbers.tobytes())
        seen = hasher.update("\0".join(names).encode("utf-8", "surrogateescape")).digest()
        known = self._seen.get(path) or self._rows.seen(path)
        if known is None or known[0] != seen:
            marks = [bool(mark) for mark in numbers[4::5]]
            columns = (*(numbers[n::5] for n in range(4)), [device] * count)
            signatures = list(zip(*columns, strict=True))
            digest = text_digest(count, self._text(path, names, signatures, marks))
            now = time.time_ns()
            if all(is_settled(one, now) for one in signatures):
                self._seen[path] = (seen, digest)
                self._changed.add(path)
        else:
            digest = known[1]
        return Directory(tuple(names), tuple(folders), tuple(others), digest)

    def text(self, path: str, names: tuple[str, ...]) -> str:
        """The text of the listing of these regular files of a directory."""
        found = [os.lstat(f"{path}/{name}") for name in names]
        marks = [bool(status.st_mode & EXECUTABLE) for status in found]
        return self._text(path, names, [signature(status) for status in found], marks)

    def _text(
        self,
        path: str,
        names: list[str] | tuple[str, ...],
        signatures: list[Signature],
        marks: list[bool],
    ) -> str:
        self._directory(path)
        return "".join(
            line(name, self._digest(path, name, one), executable=mark)
            for name, one, mark in zip(names, signatures, marks, strict=True)
        )

    def save(self) -> None:
        """Write what is new."""
        if self._changed:
            nothing = (None, "")
            self._rows.write(
                [
                    (
                        self._name + path,
                        json.dumps(self._directory(path)),
                        *self._seen.get(path, nothing),
                    )
                    for path in sorted(self._changed)
                ]
            )
        self._changed = set()

    def _directory(self, directory: str) -> dict[str, Any]:
        if directory not in self._known:
            self._known[directory] = _parsed(self._rows.read(self._name + directory))
        return self._known[directory]


def _entries(path: str) -> tuple[list[str], list[str], list[str], "array[int]", int]:
    """Names of files, directories and all else, numbers of each file, and the device."""
    names: list[str] = []
    folders: list[str] = []
    others: list[str] = []
    numbers = array("q")
    index = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        device = os.fstat(index).st_dev
        for name in sorted(os.listdir(index)):
            if name in SKIPPED:
                continue
            try:
                now = os.stat(name, dir_fd=index, follow_symlinks=False)
            except FileNotFoundError:
                continue  # it went away just now
            kind = now.st_mode & TYPE
            if kind == REGULAR:
                names.append(name)
                mark = now.st_mode & EXECUTABLE
                numbers.extend((now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, mark))
            else:
                (folders if kind == DIRECTORY else others).append(name)
    finally:
        os.close(index)
    return names, folders, others, numbers, device


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def signature(status: os.stat_result) -> Signature:
    """What distinguishes one content of a file from another, short of reading it."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def is_settled(one: Signature, now: int) -> bool:
    """True if a later write than this, before `now` (nanoseconds), would have changed it."""
    coarse = one[1] % SECOND == 0 and one[2] % SECOND == 0
    return now - max(one[1], one[2]) > (COARSE if coarse else FINE)
