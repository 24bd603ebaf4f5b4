"""What was seen of each path, in the order in which it happened. Pure.

The order matters: what a step wrote before it read is not an input of it.
"""

READ, EXISTS, ABSENT, LISTED = 1, 2, 4, 8
"""Before the step wrote it: content read; found; looked for in vain; directory listed."""
OURS, CHANGED, GONE, MADE, TREE = 16, 32, 64, 128, 256
"""Written from nothing; changed in place; removed or moved away (not the step's own); a directory
that the step made; one that it moved into place with all that is in it."""
DROPPED = 512
"""Written by the step, and removed again."""
IMPORTED = 1024
"""Listed by Python's import alone: see `imports`."""
OWN = OURS | GONE | MADE | TREE | DROPPED
"""Whoever looks at such a path sees the step's own doing."""


class Sightings:
    """Flags for each path; paths are absolute, without links."""

    def __init__(self) -> None:
        self.paths: dict[bytes, int] = {}

    def saw(self, path: bytes, flag: int) -> None:
        """Read, found, missed or listed."""
        before = self.paths.get(path, 0)
        if not before & OWN:
            self.paths[path] = before | flag

    def wrote(self, path: bytes, *, was_there: bool, fresh: bool) -> None:
        """Opened for writing. `fresh`: nothing is left of what was in it."""
        before = self.paths.get(path, 0)
        if before & (OURS | TREE):
            return
        if fresh or not was_there:
            self.paths[path] = before & ~(DROPPED | GONE) | OURS
        else:
            self.paths[path] = before | READ | CHANGED

    def made(self, path: bytes) -> None:
        """A directory that was not there."""
        self.paths[path] = self.paths.get(path, 0) & ~(DROPPED | GONE) | MADE

    def removed(self, path: bytes) -> None:
        """A file or directory is gone."""
        before = self.paths.get(path, 0)
        own = before & (OURS | MADE | TREE)
        self.paths[path] = before & ~(OURS | MADE | TREE) | (DROPPED if own else EXISTS | GONE)

    def moved(self, source: bytes, target: bytes, *, is_directory: bool) -> None:
        """Renamed. What was at the target is replaced."""
        before = self.paths.get(source, 0)
        if is_directory:
            inside = source + b"/"
            for path in [path for path in self.paths if path.startswith(inside)]:
                flags = self.paths[path]
                if flags & (OURS | MADE | TREE):
                    self.paths[path] = flags & ~(OURS | MADE | TREE) | DROPPED
            self.removed(source)
            self.paths[target] = self.paths.get(target, 0) & ~(DROPPED | GONE) | TREE
            return
        if not before & OURS:
            self.saw(source, READ)
        self.removed(source)
        self.paths[target] = self.paths.get(target, 0) & ~(DROPPED | GONE) | OURS

    def linked(self, source: bytes, target: bytes) -> None:
        """A second name for a file."""
        self.saw(source, READ)
        self.wrote(target, was_there=False, fresh=True)
