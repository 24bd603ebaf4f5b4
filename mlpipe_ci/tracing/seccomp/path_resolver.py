"""Which file a path means for another process: its directory, `/proc/self`, links on the way."""

import os
import stat

AT_FDCWD = -100
MOST_LINKS = 40
SELF, THREAD = b"/proc/self", b"/proc/thread-self"
Found = tuple[bytes, os.stat_result | None]
"""The path without links, and what is there (None: nothing)."""


class PathResolver:
    """Resolves paths. Directories are resolved once: `forget` when one may mean another now.

    `links`: symbolic links that were followed, and where each led at first.
    """

    def __init__(self) -> None:
        self._directories: dict[bytes, bytes] = {}
        self.links: dict[bytes, bytes] = {}

    def forget(self) -> None:
        """A directory was moved or a link changed."""
        self._directories.clear()

    def full(self, thread: int, directory: int, path: bytes) -> bytes:
        """The absolute path. `directory`: a file descriptor of that process, or AT_FDCWD.

        Raises OSError.
        """
        if path[:1] == b"/":
            for own in (SELF, THREAD):
                if path.startswith(own) and path[len(own) : len(own) + 1] in {b"", b"/"}:
                    return b"/proc/%d%s" % (thread, path[len(own) :])
            return path
        what = b"cwd" if directory == AT_FDCWD else b"fd/%d" % directory
        base = os.readlink(b"/proc/%d/%s" % (thread, what))
        return base + b"/" + path if path else base

    def find(self, full: bytes, *, follow: bool = True, depth: int = 0) -> Found:
        """What an absolute path means now."""
        head, _, name = full.rpartition(b"/")
        if name in {b"", b".", b".."}:
            path = self.directory(full, depth)
            return path, _status(path)
        head = self.directory(head, depth)
        path = head + b"/" + name if head != b"/" else b"/" + name
        status = _status(path)
        if status is None or not follow or not stat.S_ISLNK(status.st_mode):
            return path, status
        if depth > MOST_LINKS:
            return path, None
        try:
            target = os.readlink(path)
        except OSError:
            return path, None
        self.links.setdefault(path, target)
        whole = target if target[:1] == b"/" else head + b"/" + target
        return self.find(whole, depth=depth + 1)

    def directory(self, full: bytes, depth: int = 0) -> bytes:
        """A directory without links, `.` and `..`; what is not there stays as it is written."""
        known = self._directories.get(full)
        if known is not None:
            return known
        head, _, name = full.rpartition(b"/")
        if not full or full == b"/":
            return b"/"
        if name in {b"", b"."}:
            found = self.directory(head, depth)
        elif name == b"..":
            found = self.directory(head, depth).rpartition(b"/")[0] or b"/"
        else:
            found, status = self.find(full, depth=depth)
            if status is None:
                return found
        self._directories[full] = found
        return found


def _status(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (OSError, ValueError):
        return None
