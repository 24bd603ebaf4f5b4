"""What a step and those after it write: names that its look at a directory must not count. Pure.

A step that lists a directory in which it, or a later step, writes has not seen those names when it
ran for the first time; they say nothing about what it would do.
"""

from collections.abc import Iterable

from mlpipe_ci.core.paths import above


class LaterWrites:
    """For each directory the names in it that are written, and by which step last (its place)."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, int]] = {}
        self._whole: dict[str, int] = {}

    def add(self, index: int, paths: Iterable[str]) -> None:
        """The step number `index` of the workflow writes these; a directory's path ends in `/`."""
        for path in paths:
            inner = path.rstrip("/")
            if path.endswith("/"):
                self._whole[inner] = max(index, self._whole.get(inner, 0))
            for folder in (*above(inner), ""):
                name = inner[len(folder) + 1 :] if folder else inner
                names = self._names.setdefault(folder, {})
                names[name] = max(index, names.get(name, 0))
                inner = folder

    def names(self, folder: str, index: int) -> set[str]:
        """Names in a directory that this step or a later one writes."""
        known = self._names.get(folder)
        return {name for name, last in known.items() if last >= index} if known else set()

    def owns(self, folder: str, index: int) -> bool:
        """True if all of a directory is written by this step or a later one."""
        if not self._whole:
            return False
        return any(self._whole.get(one, -1) >= index for one in (folder, *above(folder)))
