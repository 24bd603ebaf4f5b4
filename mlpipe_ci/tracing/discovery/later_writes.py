"""What a step and those after it write: out of sight for the step when it runs. Pure.

In a fresh clone a step does not see what it will write itself, nor what later steps will. So that
says nothing about what the step would do, unless an earlier step writes it too, or git tracks it
and the step does not declare it.
"""

from collections.abc import Iterable

from mlpipe_ci.core.paths import above

Range = tuple[int, int]
"""The first and the last step that write a path (their places in the workflow)."""


class LaterWrites:
    """Which steps write what, by path and by the directories above it."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, Range]] = {}
        self._whole: dict[str, Range] = {}
        self._declared: set[tuple[int, str]] = set()
        self._seen: dict[int, set[str]] = {}

    def declare(self, index: int, paths: Iterable[str]) -> None:
        """A step declares to write these: what is there is set aside before it runs."""
        paths = tuple(paths)
        self._declared.update((index, path) for path in paths)
        self._enter(index, paths)

    def add(self, index: int, paths: Iterable[str]) -> None:
        """The step number `index` of the workflow writes these; a directory's path ends in `/`."""
        known = self._seen.setdefault(index, set())
        new = set(paths) - known
        known |= new
        self._enter(index, new)

    def replace(self, index: int, paths: Iterable[str]) -> None:
        """These, and what it declares, are all that the step writes now."""
        before = self._seen.get(index, set())
        now = self._seen[index] = set(paths)
        if before <= now:
            self._enter(index, now - before)
            return
        self._names, self._whole = {}, {}
        for place, path in self._declared:
            self._enter(place, (path,))
        for place, seen in self._seen.items():
            self._enter(place, seen)

    def _enter(self, index: int, paths: Iterable[str]) -> None:
        for path in paths:
            inner = path.rstrip("/")
            if path.endswith("/"):
                self._whole[inner] = _with(index, self._whole.get(inner))
            for folder in (*above(inner), ""):
                name = inner[len(folder) + 1 :] if folder else inner
                names = self._names.setdefault(folder, {})
                names[name] = _with(index, names.get(name))
                inner = folder

    def names(self, folder: str, index: int) -> set[str]:
        """Names in a directory that nobody writes but this step and later ones."""
        known = self._names.get(folder)
        return {name for name, (first, _) in known.items() if first >= index} if known else set()

    def is_declared(self, path: str, index: int) -> bool:
        """True for a file that the step declares to write, itself and not with its directory."""
        return (index, path) in self._declared

    def owns(self, folder: str, index: int) -> bool:
        """True if all of a directory is written by this step or later ones, and by no other."""
        if not self._whole:
            return False
        ranges = (self._whole.get(one) for one in (folder, *above(folder)))
        return any(found is not None and found[0] >= index for found in ranges)

    def hides(self, path: str, index: int) -> bool:
        """True for a file or directory that later steps write, and no other."""
        first = self._first(path)
        return first is not None and first > index

    def has(self, path: str) -> bool:
        """True for what any step writes, or for a directory above it."""
        return self._first(path) is not None

    def is_own_or_later(self, path: str, index: int) -> bool:
        """True for what no step before this one writes, but this one or a later one."""
        first = self._first(path)
        return first is not None and first >= index

    def is_earlier(self, path: str, index: int) -> bool:
        """True for what a step before this one writes."""
        first = self._first(path)
        return first is not None and first < index

    def may_write(self, path: str, index: int) -> bool:
        """True for what the step number `index` writes, or an earlier and a later one do."""
        folder, _, name = path.rstrip("/").rpartition("/")
        first, last = self._names.get(folder, {}).get(name, (index + 1, index))
        return first <= index <= last

    def _first(self, path: str) -> int | None:
        folder, _, name = path.rpartition("/")
        names = self._names.get(folder)
        found = names.get(name) if names else None
        if not self._whole:
            return found[0] if found else None
        ranges = [found, *(self._whole.get(one) for one in (path, *above(path)))]
        return min((first for first, _ in filter(None, ranges)), default=None)


def _with(index: int, known: Range | None) -> Range:
    return (index, index) if known is None else (min(index, known[0]), max(index, known[1]))
