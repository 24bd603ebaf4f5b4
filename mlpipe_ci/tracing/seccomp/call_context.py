"""What all who look at calls share: the repository, path resolution, and what was seen so far."""

import os
import stat
from collections.abc import Callable

from mlpipe_ci.tracing.access_log import APPENDED, OURS, OWN, READ, AccessLog
from mlpipe_ci.tracing.file_identity import content_digest
from mlpipe_ci.tracing.seccomp.kernel import text
from mlpipe_ci.tracing.seccomp.path_resolver import AT_FDCWD, PathResolver
from mlpipe_ci.tracing.strict import AccessRules

Arguments = tuple[int, ...]
Deed = Callable[[], None]
"""What is noted once the call was let go: only then it is certain that it was this process's."""
Verdict = tuple[int, Deed | None]
"""The error that a call is answered with (0: it goes on), and what is noted then."""
Call = tuple[Callable[..., Verdict], Arguments]
"""What looks at a call, and where its arguments are; HERE for a path without a directory's."""
HERE = AT_FDCWD
GO_ON: Verdict = (0, None)
KERNEL = (b"/proc/", b"/sys/", b"/dev/", b"/run/", b"/var/run/")
"""What the kernel and the services of the machine show: never data."""
SYSTEM = (
    *KERNEL,
    *(b"/usr/", b"/lib/", b"/lib32/", b"/lib64/", b"/bin/", b"/sbin/", b"/etc/", b"/snap/"),
)
"""What the packages of the system own."""
LOCAL = b"/usr/local/"
"""No package of the system owns what is here."""
LIBRARIES = (b"/lib/python3.", b"/lib64/python3.")
"""In the path of all files of Python's own library."""
PACKAGES = (b"/site-packages/", b"/dist-packages/")
OF_PYTHON = (*LIBRARIES, *PACKAGES)
MOST_BEFORE = 256 << 20
"""Bytes of a file of which the content is kept in mind before the step changes it."""


class CallContext:
    """`root`: the repository, without links. `rules`: what strict tracing allows, None for all.

    `faults`: why something may have been missed. `refused`: what was not let through, and whether
    that was a write. `elsewhere`: paths that were asked about and count for nothing, and what they
    mean (empty where there is no directory).
    """

    def __init__(self, root: bytes, rules: AccessRules | None) -> None:
        self.root, self._prefix, self._rules = root, root.rstrip(b"/") + b"/", rules
        self.resolver, self.seen = PathResolver(), AccessLog()
        self.faults: dict[str, None] = {}
        self.refused: dict[tuple[bytes, bool], None] = {}
        self.elsewhere: dict[bytes, bytes] = {}

    def counts(self, path: bytes) -> bool:
        """False for what belongs to the kernel, the system, or Python and its packages."""
        if self.is_inside(path):
            return not of_python(path)
        return not of_system(path) and not of_python(path)

    def will_change(self, path: bytes, status: os.stat_result | None, *, fresh: bool) -> None:
        """The step is about to change a file: keep in mind what is in it, if it matters.

        `fresh`: nothing is left of it, so that it matters only if the step has read it.
        """
        flags = self.seen.paths.get(path, 0)
        if status is None or not stat.S_ISREG(status.st_mode) or path in self.seen.before:
            return
        if flags & OWN or (fresh and not flags & READ) or status.st_size > MOST_BEFORE:
            return
        first = self.seen.first.get(path) if flags & APPENDED else None  # it has added to it since
        if self.counts(path) and (digest := content_digest(path, first[0] if first else None)):
            self.seen.before[path] = digest

    def will_read(self, path: bytes) -> None:
        """The step is about to read a file: if it has added to it, what was there is its start."""
        flags, first = self.seen.paths.get(path, 0), self.seen.first.get(path)
        added = flags & APPENDED and not flags & OWN
        if added and first and path not in self.seen.before and first[0] <= MOST_BEFORE:
            self.seen.before[path] = content_digest(path, first[0])

    def is_inside(self, path: bytes) -> bool:
        """True for the repository and all in it."""
        return path.startswith(self._prefix) or path == self.root

    def full(self, thread: int, arguments: Arguments, directory: int, path: int) -> bytes:
        """The absolute path that a call names; `directory`, `path`: which arguments say it."""
        name = text(thread, arguments[path])
        if name[:1] == b"/" and not name.startswith(b"/proc/"):
            return name
        base = HERE if directory == HERE else signed(arguments[directory])
        return self.resolver.full(thread, base, name)

    def refuses(self, found: bytes, status: os.stat_result | None, *, write: bool = False) -> int:
        """The error for a path of the repository that strict tracing does not let through."""
        if self._rules is None or not found.startswith(self._prefix):
            return 0
        if self.seen.paths.get(found, 0) & OURS:
            return 0
        error = self._rules.refuses(
            os.fsdecode(found[len(self._prefix) :]),
            is_directory=status is not None and stat.S_ISDIR(status.st_mode),
            is_there=status is not None,
            write=write,
        )
        if error:
            self.refused[found, write] = None
        return error


def of_system(path: bytes) -> bool:
    """True for what belongs to the system: `/lib`, `/usr/bin/python3`, `/var/run`, `/proc`."""
    return (path + b"/").startswith(SYSTEM) and not path.startswith(LOCAL)


def of_python(path: bytes) -> bool:
    """True for a file of Python's own library, or of a directory of installed packages."""
    whole = path + b"/"
    for mark in OF_PYTHON:  # noqa: SIM110 - a loop: it is asked of each path that a step touches
        if mark in whole:
            return True
    return False


def names_in(path: bytes) -> tuple[bytes, ...] | None:
    """Names of what lies in a directory, but for sockets and pipes; None if it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return tuple(sorted(entry.name for entry in entries if _is_data(entry)))
    except OSError:
        return None


def _is_data(entry: "os.DirEntry[bytes]") -> bool:
    return entry.is_symlink() or entry.is_file() or entry.is_dir()


def signed(number: int) -> int:
    """An argument that is a C `int`."""
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number
