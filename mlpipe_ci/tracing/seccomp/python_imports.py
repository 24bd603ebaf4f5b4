"""Tells the look that Python's import takes at a directory from one that a program takes. Pure.

`FileFinder` (Lib/importlib/_bootstrap_external.py) asks twice what a directory is when it meets it
first, asks for its time before each import, and lists it when that time is another than when it
listed it last. So a list was the import's where a process that was started as Python

* had asked about the directory twice or more before, and listed it only once for each time,
* and searches there: it is the directory of its script; a package, whose `__init__` it had opened;
  or one that it asked about again later, and then opened a module.

Of all else it is assumed that the program itself looked.
"""

MODULES = (b".py", b".pyc", b".so")
PYTHON = (b"python", b"pypy")
BEFORE = 2
"""So often a directory is asked about before it is listed."""
LISTED, ASKED, SEARCHED = 0, 1, 2
"""What is known of a list: it was taken; asked about since; and a module was opened then."""


class PythonImports:
    """Follows all processes of one step."""

    def __init__(self) -> None:
        self._pythons: set[int] = set()
        self._scripts: dict[int, bytes] = {}
        self._asked: dict[int, tuple[bytes, int]] = {}
        self._packages: set[tuple[int, bytes]] = set()
        self._lists: dict[bytes, dict[int, dict[int, int]]] = {}
        self._others: set[bytes] = set()

    def started(self, process: int, program: bytes) -> None:
        """A process has become a program."""
        self._forget(process)
        if program.rpartition(b"/")[2].startswith(PYTHON):
            self._pythons.add(process)

    def ended(self, process: int) -> None:
        """A process is no more; its number may be given out again."""
        self._forget(process)

    def _forget(self, process: int) -> None:
        """What this process has listed is judged by what was seen so far."""
        self._pythons.discard(process)
        self._scripts.pop(process, None)
        for path, lists in self._lists.items():
            if not _are_searched(lists.pop(process, {})):
                self._others.add(path)

    def asked(self, process: int, path: bytes) -> None:
        """A process asked what a directory is."""
        before, count = self._asked.get(process, (b"", 0))
        self._asked[process] = path, count + 1 if before == path else 1
        times = self._lists.get(path, {}).get(process)
        if times:
            times.update({time: ASKED for time, known in times.items() if known == LISTED})

    def listed(self, process: int, path: bytes, time: int) -> None:
        """A process listed a directory, which was changed last at this time."""
        lists = self._lists.setdefault(path, {}).setdefault(process, {})
        before, count = self._asked.pop(process, (b"", 0))
        enough = before == path and (count >= BEFORE or bool(lists))
        if process not in self._pythons or not enough or time in lists:
            self._others.add(path)
        ours = self._scripts.get(process) == path or (process, path) in self._packages
        lists[time] = SEARCHED if ours else LISTED

    def opened(self, process: int, path: bytes) -> None:
        """A process opened a file."""
        self._asked.pop(process, None)
        if process not in self._pythons or not path.endswith(MODULES):
            return
        directory, _, name = path.rpartition(b"/")
        if name.startswith(b"__init__."):
            self._packages.add((process, directory.removesuffix(b"/__pycache__")))
        if path.endswith(b".py") and b"/lib/python" not in path:
            self._scripts.setdefault(process, directory)
        for lists in self._lists.values():
            times = lists.get(process, {})
            times.update({time: SEARCHED for time, known in times.items() if known == ASKED})

    def alone(self, path: bytes) -> bool:
        """True if nothing but imports has listed a directory."""
        lists = self._lists.get(path)
        if lists is None or path in self._others:
            return False
        return all(_are_searched(times) for times in lists.values())


def _are_searched(times: dict[int, int]) -> bool:
    return all(known == SEARCHED for known in times.values())
