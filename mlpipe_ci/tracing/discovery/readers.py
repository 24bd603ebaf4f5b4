"""Which files steps read: a file that is only added to is a log as long as no other step reads it.

Pure.
"""

from collections.abc import Iterable

from mlpipe_ci.core.patterns import matches


class Readers:
    """What each step declares to read, was seen to read, or has looked for in vain."""

    def __init__(self) -> None:
        self._paths: dict[str, set[int]] = {}
        self._patterns: list[tuple[int, str]] = []

    def declare(self, index: int, patterns: Iterable[str]) -> None:
        """The step number `index` of the workflow names these as inputs."""
        found = (pattern for pattern in patterns if not pattern.startswith("!"))
        self._patterns += [(index, pattern) for pattern in found]

    def add(self, index: int, paths: Iterable[str]) -> None:
        """The step was seen to read these."""
        for path in paths:
            self._paths.setdefault(path, set()).add(index)

    def has_other(self, path: str, index: int) -> bool:
        """True if a step other than this one reads a path."""
        if self._paths.get(path, set()) - {index}:
            return True
        return any(other != index and matches(pattern, path) for other, pattern in self._patterns)
