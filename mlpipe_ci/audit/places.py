"""Keeps a step of the copy from the work tree itself, which it may name by its absolute path."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mlpipe_ci.audit.contents import Contents
from mlpipe_ci.audit.scratch_tree import Entry
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.place import pattern_of
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step

MOST_TEXT = 4 << 20
"""Bytes of a file in which the path is looked for."""
PROGRAMS = (
    *(".py", ".sh", ".R", ".r", ".jl", ".pl", ".rb", ".js", ".mk", "Makefile"),
    *(".toml", ".cfg", ".ini", ".yaml", ".yml", ".json", ".env"),
)
"""Endings of files in which a program may name a path, where it is not known what it reads."""
BYTE_CODE = "__pycache__"
Signature = tuple[int, int, int, int] | frozenset[str]
"""Of a directory its names: byte code that Python leaves in it does not count."""


def names_of_clone(
    contents: Contents, step: Step, result: Result, entries: dict[str, Entry]
) -> str:
    """Where a step names the absolute path of the work tree, in words; empty if it does not."""
    root = str(contents.session.repo.root)
    pattern = pattern_of(os.fsencode(root))
    for name, value in step.env:
        if pattern.search(os.fsencode(value)):
            return f"its variable {name}"
    if pattern.search(os.fsencode(step.run)):
        return "its command"
    for path, entry in entries.items():
        if entry.source and os.path.islink(entry.source) and not entry.is_link:
            target = os.readlink(entry.source)
            if os.path.isabs(target) and is_under(target, root):
                return f"the link {path}"
    own = {path for path in contents.inputs_of(step, result) if path in entries}
    if not any(":" not in item.path for item in result.discovered):  # nothing has watched it
        own |= {path for path in entries if path.endswith(PROGRAMS)}
    for path in sorted(own):
        if line := _line(entries[path], pattern):
            return f"{path}:{line}"
    return ""


def _line(entry: Entry, pattern: re.Pattern[bytes]) -> int:
    """The first line of a text that matches, 0 if there is none."""
    try:
        if not entry.source or os.path.getsize(entry.source) > MOST_TEXT:
            return 0
        with open(entry.source, "rb") as file:
            data = file.read()
    except OSError:
        return 0
    found = pattern.search(data)
    return data.count(b"\n", 0, found.start()) + 1 if found and b"\0" not in data[:8192] else 0


class WorkTreeGuard:
    """Sees whether anything in the work tree was changed meanwhile: sources, outputs, and the names
    in their directories.
    """

    def __init__(self, contents: Contents) -> None:
        root = str(contents.session.repo.root)
        files = {one.source for one in contents.base.values() if not one.is_link}
        files |= {f"{root}/{path}" for path in contents.left}
        folders = {os.path.dirname(path) for path in files} | {root}
        self._paths, self._folders, self._root = sorted(files | folders), folders, root
        self._before = self._now()

    def changed(self) -> tuple[str, ...]:
        """What was changed since the last question, relative to the root; directories with `/`."""
        now = self._now()
        found = [path for path in self._paths if now.get(path) != self._before.get(path)]
        self._before = now
        return tuple(self._shown(found))

    def _shown(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            relative = os.path.relpath(path, self._root)
            yield f"{relative}/" if os.path.isdir(path) else relative

    def _now(self) -> dict[str, Signature]:
        found: dict[str, Signature] = {}
        for path in self._paths:
            with suppress(OSError):
                found[path] = _names(path) if path in self._folders else _signature(path)
        return found


def _signature(path: str) -> Signature:
    status = os.lstat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _names(path: str) -> Signature:
    return frozenset(os.listdir(path)) - {BYTE_CODE}
