"""What all who look at calls share: the repository, path resolution, and what was seen so far."""

import os
import stat
from collections.abc import Callable

from mlpipe_ci.tracing.access_log import OURS, AccessLog
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
SYSTEM = tuple(
    os.fsencode(f"/{name}/")
    for name in ("usr", "lib", "lib32", "lib64", "bin", "sbin", "etc", "proc", "sys", "dev", "run")
)


class CallContext:
    """`root`: the repository, without links. `rules`: what strict tracing allows, None for all.

    `faults`: why something may have been missed. `refused`: what was not let through, and whether
    that was a write. `elsewhere`: paths that were asked about and lie outside, and what they mean.
    """

    def __init__(self, root: bytes, rules: AccessRules | None) -> None:
        self.root, self._prefix, self._rules = root, root.rstrip(b"/") + b"/", rules
        self.resolver, self.seen = PathResolver(), AccessLog()
        self.faults: dict[str, None] = {}
        self.refused: dict[tuple[bytes, bool], None] = {}
        self.elsewhere: dict[bytes, bytes] = {}

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
    """True for a link that belongs to the system: `/lib`, `/usr/bin/python3`, `/var/run`."""
    return (path + b"/").startswith((*SYSTEM, b"/var/run/"))


def signed(number: int) -> int:
    """An argument that is a C `int`."""
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number
