"""What was seen of each path, in the order in which it happened. Pure.

The order matters: what a step wrote before it read is not an input of it; and what it has read is
what was there at its first look.
"""

READ, FOUND, NOT_FOUND, LISTED = 1, 2, 4, 8
"""Before the step wrote it: content read; found; looked for in vain; names of a directory read."""
OURS, CHANGED, GONE, MADE, TREE = 16, 32, 64, 128, 256
"""Written from nothing; changed in place; removed or moved away (not the step's own); a directory
that the step made; one that it moved into place with all that is in it."""
DROPPED = 512
"""Written by the step, and removed again."""
IMPORTED = 1024
"""Listed by Python's search for modules and distributions alone: see `python_imports`."""
STATED = 2048
"""Size, times or mode of a file were asked for: all that `stat` reports."""
FOR_MAKE = 4096
"""Listed by `make` alone, which looks for the names that its rules could mean."""
APPENDED = 8192
"""Only added to, as a log is: opened for nothing but that (`O_WRONLY | O_APPEND`), and not read."""
OWN = OURS | GONE | MADE | TREE | DROPPED
"""Whoever looks at such a path sees the step's own doing."""
Signature = tuple[int, int, int, int, int]
"""Size, time of the content, time of the inode (both in ns), inode, device: as `digest_cache`."""


class AccessLog:
    """Flags for each path; paths are absolute, without links.

    `first`: the signature of a file when the step looked at it first. `names`: what was in a
    directory when the step listed it first. `before`: the digest of a file that it then changed.
    """

    def __init__(self) -> None:
        self.paths: dict[bytes, int] = {}
        self.first: dict[bytes, Signature] = {}
        self.names: dict[bytes, tuple[bytes, ...]] = {}
        self.before: dict[bytes, str] = {}

    def is_own(self, path: bytes) -> bool:
        """True for what the step itself has made, moved or removed."""
        return bool(self.paths.get(path, 0) & OWN)

    def has(self, path: bytes, flag: int, *, is_file: bool) -> bool:
        """True if it says nothing new that a path was found or missed, as most often."""
        before = self.paths.get(path, 0)
        if before & OWN:
            return True
        return before & flag == flag and (not is_file or flag == NOT_FOUND or path in self.first)

    def saw(self, path: bytes, flag: int, signature: Signature | None = None) -> None:
        """Read, found, missed or listed. `signature`: of the file that is there."""
        before = self.paths.get(path, 0)
        if before & OWN == MADE and flag == LISTED:
            self.paths[path] = before | flag  # others may put something there as well
        elif before & OWN:
            if flag & READ and before & APPENDED:
                self.paths[path] = before & ~APPENDED  # its own notes, which it reads: no log
        else:
            both = flag & READ and before & APPENDED
            self.paths[path] = (before | flag | CHANGED) & ~APPENDED if both else before | flag
            if signature and path not in self.first:
                self.first[path] = signature

    def wrote(
        self,
        path: bytes,
        *,
        was_there: bool,
        fresh: bool,
        added: bool = False,
        signature: Signature | None = None,
    ) -> None:
        """Opened for writing. `fresh`: nothing is left of what was in it; `added`: it can only be
        added to, and not be read. `signature`: of the file that is there.
        """
        before = self.paths.get(path, 0)
        if before & (OURS | TREE):
            self.paths[path] = before if added else before & ~APPENDED
        elif _was_read(before):
            self.paths[path] = before & ~GONE | CHANGED
        elif not was_there:
            self.paths[path] = before & ~(DROPPED | GONE) | OURS | (APPENDED if added else 0)
        elif fresh:
            self.paths[path] = before & ~(DROPPED | GONE | APPENDED) | OURS
        else:
            flags = (before | READ | CHANGED) & ~APPENDED
            self.paths[path] = before | APPENDED if added else flags
            if signature:
                self.first.setdefault(path, signature)

    def made(self, path: bytes) -> None:
        """A directory that was not there."""
        self.paths[path] = self.paths.get(path, 0) & ~(DROPPED | GONE) | MADE

    def removed(self, path: bytes) -> None:
        """A file or directory is gone."""
        before = self.paths.get(path, 0)
        own = before & (OURS | MADE | TREE)
        self.paths[path] = before & ~(OURS | MADE | TREE) | (DROPPED if own else FOUND | GONE)

    def moved(
        self,
        source: bytes,
        target: bytes,
        *,
        is_directory: bool,
        signature: Signature | None = None,
    ) -> None:
        """Renamed. What was at the target is replaced. `signature`: of the source."""
        before = self.paths.get(source, 0)
        if is_directory:
            inside = source + b"/"
            for path in [path for path in self.paths if path.startswith(inside)]:
                flags = self.paths[path]
                if flags & (OURS | MADE | TREE):
                    self.paths[path] = flags & ~(OURS | MADE | TREE) | DROPPED
            self.removed(source)
            self.paths[target] = self.paths.get(target, 0) & ~(DROPPED | GONE) | TREE
            for path in [path for path in self.paths if path.startswith(target + b"/")]:
                if _was_read(self.paths[path]):  # removed before, and perhaps there again
                    self.paths[path] |= CHANGED
            return
        if not before & OURS:
            self.saw(source, READ, signature)
        self.removed(source)
        self.paths[source] &= ~APPENDED
        there = self.paths.get(target, 0)
        if _was_read(there):
            self.paths[target] = there & ~GONE | CHANGED
        else:
            self.paths[target] = there & ~(DROPPED | GONE | APPENDED) | OURS

    def linked(self, source: bytes, target: bytes, signature: Signature | None = None) -> None:
        """A second name for a file."""
        self.saw(source, READ, signature)
        self.wrote(target, was_there=False, fresh=True)


def _was_read(flags: int) -> bool:
    """True for what the step has not made, and has read; it may have removed it since."""
    return bool(flags & READ) and not flags & (OWN & ~GONE)
