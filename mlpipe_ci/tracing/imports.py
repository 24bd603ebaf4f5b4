"""Tells the look that Python's import takes at a directory from one that a program takes. Pure.

`FileFinder` (Lib/importlib/_bootstrap_external.py) asks for the time of a directory of `sys.path`
before each import, and lists it when that time is another than when it listed it last. So where a
process that was started as Python has listed a directory, right after asking for its time, only
once for each time that it had, and has opened a module since, those lists were the import's: one of
the program's own would be a second for the same time.
"""

MODULES = (b".py", b".pyc", b".so")
PYTHON = (b"python", b"pypy")


class Imports:
    """Follows all processes of one step."""

    def __init__(self) -> None:
        self._pythons: set[int] = set()
        self._asked: dict[int, bytes] = {}
        self._lists: dict[bytes, dict[int, dict[int, bool]]] = {}
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
            if not all(lists.pop(process, {}).values()):
                self._others.add(path)

    def asked(self, process: int, path: bytes) -> None:
        """A process asked what a directory is."""
        self._asked[process] = path

    def listed(self, process: int, path: bytes, time: int) -> None:
        """A process listed a directory, which was changed last at this time."""
        lists = self._lists.setdefault(path, {}).setdefault(process, {})
        asked = self._asked.pop(process, None) == path
        if process not in self._pythons or not asked or time in lists:
            self._others.add(path)
        lists[time] = False

    def opened(self, process: int, path: bytes) -> None:
        """A process opened a file."""
        self._asked.pop(process, None)
        if path.endswith(MODULES) and process in self._pythons:
            for lists in self._lists.values():
                if process in lists:
                    lists[process] = dict.fromkeys(lists[process], True)

    def alone(self, path: bytes) -> bool:
        """True if nothing but imports has listed a directory."""
        lists = self._lists.get(path)
        if lists is None or path in self._others:
            return False
        return all(all(times.values()) for times in lists.values())
