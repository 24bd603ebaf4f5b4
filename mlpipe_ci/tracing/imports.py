"""Tells the look that Python's import takes at a directory from one that a program takes. Pure.

`FileFinder` (Lib/importlib/_bootstrap_external.py) asks for the time of a directory of `sys.path`
and lists it then, once in the life of a process as long as the directory stays the same; all
imports that follow are answered from that list. So where a process that was started as Python has
listed a directory exactly once, right after asking for its time, and has opened a module since,
that one list was the import's: a program's own would be a second one.
"""

MODULES = (b".py", b".pyc", b".so")
PYTHON = (b"python", b"pypy")


class Imports:
    """Follows all processes of one step."""

    def __init__(self) -> None:
        self._pythons: set[int] = set()
        self._asked: dict[int, bytes] = {}
        self._lists: dict[bytes, dict[int, list[bool]]] = {}
        self._others: set[bytes] = set()

    def started(self, process: int, program: bytes) -> None:
        """A process has become a program."""
        if program.rpartition(b"/")[2].startswith(PYTHON):
            self._pythons.add(process)
        else:
            self._pythons.discard(process)
        self._forget(process)

    def ended(self, process: int) -> None:
        """A process is no more; its number may be given out again."""
        self._pythons.discard(process)
        self._forget(process)

    def _forget(self, process: int) -> None:
        """What this process has listed is judged by what was seen so far."""
        for path, lists in self._lists.items():
            if lists.get(process) == [False]:
                self._others.add(path)
            lists.pop(process, None)

    def asked(self, process: int, path: bytes) -> None:
        """A process asked what a directory is."""
        self._asked[process] = path

    def listed(self, process: int, path: bytes) -> None:
        """A process listed a directory."""
        lists = self._lists.setdefault(path, {})
        asked = self._asked.pop(process, None) == path
        if process not in self._pythons or not asked or process in lists:
            self._others.add(path)
        lists[process] = [False]

    def opened(self, process: int, path: bytes) -> None:
        """A process opened a file."""
        self._asked.pop(process, None)
        if path.endswith(MODULES) and process in self._pythons:
            for lists in self._lists.values():
                if process in lists:
                    lists[process] = [True]

    def alone(self, path: bytes) -> bool:
        """True if nothing but imports has listed a directory."""
        lists = self._lists.get(path)
        if lists is None or path in self._others:
            return False
        return all(one == [True] for one in lists.values())
