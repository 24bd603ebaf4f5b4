"""Tells Python's search for modules from a program's own look at a directory. Pure but for .pth.

`FileFinder` (Lib/importlib/_bootstrap_external.py) lists a directory of the import path once for
each time that it changes, and so does `FastPath` (Lib/importlib/metadata). Their calls are those of
any program; what gives them away is what the same process does next:

* it goes on in the next directory of its import path: it asks what that is, or lists it; or
* it opens a module of the directory that it has listed.

A new search begins with the first directory of the path, or with that of a package. So a program
that lists a directory and then imports something is not taken for a search: it asks about that
first directory, or about the one that it has just listed. Of all else it is assumed that the
program itself looked.
"""

import os
import re
from collections.abc import Callable

from mlpipe_ci.core.regex import regex

MODULES = (b".py", b".pyc", b".so")
PYTHON = (b"python", b"pypy")
MAKE = frozenset({b"make", b"gmake"})
LIBRARY = regex(rb"/(?:python3\.\d+t?|lib-dynload|site-packages|dist-packages)$")
"""Directories of the import path that belong to the interpreter or to an environment."""
ARCHIVE = regex(rb"/python3\d+t?\.zip$")
"""The library in one file, which stands before it in each import path, and mostly is not there."""
MADE_BY = regex(rb"^(?:Tgid|PPid):\s*(\d+)$", re.MULTILINE)
"""Lines of `/proc/<number>/status` (proc(5)), in this order."""
PTH = b".pth"
METADATA = regex(rb"\.(?:dist|egg)-info/")
MOST_PTH = 1 << 16
Entry = tuple[int, int]
"""Where a directory stands in an import path: before, in or after the library; and there."""
BEFORE, LIBRARIES, AFTER = 0, 1, 2
NOWHERE = (-1, -1)


def variable(process: int, name: bytes) -> bytes:
    """An environment variable of a process, as it was started. Empty if it is not known."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            pairs = file.read().split(b"\0")
    except OSError:
        return b""
    return next((pair[len(name) + 1 :] for pair in pairs if pair.startswith(name + b"=")), b"")


def leader(thread: int) -> int:
    """The process of a thread, and of a process the one that made it; 0 if it is not known."""
    try:
        with open(f"/proc/{thread}/status", "rb") as file:
            found = [int(one) for one in MADE_BY.findall(file.read())]
    except OSError:
        return 0
    return next((one for one in found if one != thread), 0)


class _Process:
    """One process that runs Python, or a thread of it. `entries`: its import path, as far as it is
    known.
    """

    def __init__(self, directory: bytes) -> None:
        self.entries: dict[bytes, Entry] = {directory: (BEFORE, 0)} if directory else {}
        self.has_script = self.has_path = False
        self.pending = b""
        self.after_metadata = False


class PythonImports:
    """Follows all processes of one step. `variable`, `leader`: see the functions."""

    def __init__(
        self,
        variable: Callable[[int, bytes], bytes] = variable,
        leader: Callable[[int], int] = leader,
    ) -> None:
        self._variable, self._leader = variable, leader
        self._pythons: dict[int, _Process] = {}
        self._roots: list[bytes] = []
        self._unread: set[tuple[int, bytes]] = set()
        self._searched: set[bytes] = set()
        self._others: set[bytes] = set()
        self._began: set[int] = set()
        self._makes: set[int] = set()
        self._for_make: set[bytes] = set()

    def started(self, process: int, program: bytes, directory: bytes = b"") -> None:
        """A process has become a program; `directory`: where it is."""
        self.ended(process)
        self._began.add(process)
        name = program.rpartition(b"/")[2]
        if name in MAKE:
            self._makes.add(process)
        if name.startswith(PYTHON):
            self._pythons[process] = _Process(directory)

    def ended(self, process: int) -> None:
        """A process is no more; its number may be given out again."""
        self._began.discard(process)
        self._makes.discard(process)
        python = self._pythons.pop(process, None)
        if python:
            self._judge(python, searched=False)

    def asked(self, process: int, path: bytes) -> None:
        """A process asked what a directory is."""
        if python := self._pythons.get(process):
            self._goes_on(python, path)

    def missed(self, process: int, path: bytes) -> None:
        """A process asked for what is not there, or is no directory."""
        python = self._pythons.get(process)
        if python and ARCHIVE.search(path):
            self._goes_on(python, path)

    def listing_begins(self, process: int, path: bytes) -> None:
        """A process opened a directory, and may read its names."""
        self._unread.add((process, path))

    def listed(self, process: int, path: bytes) -> None:
        """A process read names of a directory; the first such call counts."""
        if (process, path) not in self._unread:
            return
        self._unread.discard((process, path))
        python = self._pythons.get(process) or self._thread(process)
        if python is None:
            (self._for_make if process in self._makes else self._others).add(path)
            return
        if self._is_inner(python, path):
            self._judge(python, searched=False)  # a package is opened, or asked about
        self._goes_on(python, path)
        self._read_path(process, python)
        python.pending = path
        if python.after_metadata and self._entry(python, path)[0] == AFTER:
            self._judge(python, searched=True)
        python.after_metadata = bool(LIBRARY.search(path))

    def opened(self, process: int, path: bytes) -> None:
        """A process opened a file that is there, or made one."""
        python = self._pythons.get(process)
        if python is None:
            return
        name = path.rpartition(b"/")[2]
        if python.pending:
            self._judge(python, searched=_is_module_of(python.pending, path))
        python.after_metadata = bool(METADATA.search(path))
        if name.endswith(PTH):
            self._read_roots(path)
        if name.endswith(b".py") and not python.has_script and b"/lib/python" not in path:
            python.has_script = True
            python.entries.setdefault(path.rpartition(b"/")[0], (BEFORE, 0))

    def alone(self, path: bytes) -> bool:
        """True if nothing but Python's search for modules has listed a directory."""
        others = path in self._others or path in self._for_make or self._is_pending(path)
        return path in self._searched and not others

    def for_make(self, path: bytes) -> bool:
        """True if nothing but `make` has listed a directory."""
        others = path in self._others or path in self._searched or self._is_pending(path)
        return path in self._for_make and not others

    def _thread(self, thread: int) -> _Process | None:
        """A thread of a process that runs Python, or a fork of it: it searches the same path, at
        its own pace.
        """
        whole = self._pythons.get(self._leader(thread))
        if whole is None or thread in self._began:
            return None
        python = self._pythons[thread] = _Process(b"")
        python.entries, python.has_script, python.has_path = whole.entries, True, whole.has_path
        return python

    def _is_pending(self, path: bytes) -> bool:
        return any(python.pending == path for python in self._pythons.values())

    def _goes_on(self, python: _Process, path: bytes) -> None:
        """The next that a process does with a directory, after it has listed one."""
        before = python.pending
        if not before:
            return
        if self._is_inner(python, path):
            return  # is it a package there?
        first, then = self._entry(python, before), self._entry(python, path)
        self._judge(python, searched=NOWHERE != first < then)

    def _is_inner(self, python: _Process, path: bytes) -> bool:
        """True for what lies in the directory that was listed last, and is no entry of the path."""
        inner = python.pending and path.startswith(python.pending + b"/")
        return bool(inner) and self._entry(python, path) == NOWHERE

    def _judge(self, python: _Process, *, searched: bool) -> None:
        if python.pending:
            (self._searched if searched else self._others).add(python.pending)
            python.pending = b""

    def _entry(self, python: _Process, path: bytes) -> Entry:
        """Where a directory stands in the import path; NOWHERE if it is not in it.

        The order among directories of the library is not known, and of no use.
        """
        if path in python.entries:
            return python.entries[path]
        if LIBRARY.search(path) or ARCHIVE.search(path):
            return LIBRARIES, 0
        return (AFTER, self._roots.index(path)) if path in self._roots else NOWHERE

    def _read_path(self, process: int, python: _Process) -> None:
        if not python.has_path:
            python.has_path = True
            words = self._variable(process, b"PYTHONPATH").split(b":")
            for number, word in enumerate(words, 1):
                if word:
                    python.entries.setdefault(os.path.realpath(word), (BEFORE, number))

    def _read_roots(self, path: bytes) -> None:
        """Directories that a `.pth` file puts on the import path (docs of `site`)."""
        try:
            with open(path, "rb") as file:
                lines = file.read(MOST_PTH).splitlines()
        except OSError:
            return
        for line in lines:
            if line.strip() and not line.startswith((b"#", b"import ", b"import\t")):
                found = os.path.realpath(os.path.join(os.path.dirname(path), line.strip()))
                if found not in self._roots:
                    self._roots.append(found)


def _is_module_of(directory: bytes, path: bytes) -> bool:
    """True for a module in a directory, its byte code, or the `__init__` of a package there."""
    if not path.endswith(MODULES) or not path.startswith(directory + b"/"):
        return False
    parts = path[len(directory) + 1 :].split(b"/")
    parts = [part for part in parts if part != b"__pycache__"]
    return len(parts) == 1 or (len(parts) == 2 and parts[1].startswith(b"__init__."))  # noqa: PLR2004
