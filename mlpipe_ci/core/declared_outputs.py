"""Which step declares to write what, found without looking at every step. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above, is_glob, literal_prefix
from mlpipe_ci.core.patterns import may_match
from mlpipe_ci.core.workflow import Step

NONE: Mapping[int, tuple[str, ...]] = MappingProxyType({})


@frozen(kw_only=False, order=True)
class DeclaredOutput:
    """One declared output: index of its step in the workflow, and the path as declared."""

    step: int
    path: str


class DeclaredOutputs:
    """All declared outputs of a workflow's steps, by path and by the directories above it.

    `more`: what steps, by their index, write as well.
    """

    def __init__(self, steps: tuple[Step, ...], more: Mapping[int, tuple[str, ...]] = NONE) -> None:
        both = ((n, (*step.writes, *more.get(n, ()))) for n, step in enumerate(steps))
        self._all = tuple(DeclaredOutput(n, path) for n, paths in both for path in paths)
        self._at: dict[str, list[DeclaredOutput]] = {}
        self._inside: dict[str, list[DeclaredOutput]] = {}
        for write in self._all:
            plain = write.path.rstrip("/")
            self._at.setdefault(plain, []).append(write)
            for directory in above(plain):
                self._inside.setdefault(directory, []).append(write)

    def containing(self, path: str) -> list[DeclaredOutput]:
        """Outputs that `path` is, or lies inside of."""
        parent, found = path.rstrip("/"), list[DeclaredOutput]()
        while parent:  # each directory above; asked several times for each input
            found += self._at.get(parent, ())
            parent = parent.rpartition("/")[0]
        return found

    def overlapping(self, path: str) -> list[DeclaredOutput]:
        """Outputs that `path` is, lies inside of, or holds; in the workflow's order."""
        inside = self._inside.get(path.rstrip("/"))
        return sorted({*self.containing(path), *inside} if inside else self.containing(path))

    def matching(self, pattern: str) -> list[DeclaredOutput]:
        """Outputs that an input pattern may mean, in the workflow's order."""
        prefix = literal_prefix(pattern) if is_glob(pattern) else pattern
        candidates = self.overlapping(prefix) if prefix not in {"", ".", "./"} else self._all
        return [write for write in candidates if may_match(pattern, write.path)]
