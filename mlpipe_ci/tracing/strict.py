"""What a step may read and write under `tracing: strict`: what it declares, and what is nobody's.

No wall: a thread that changes a path while the kernel looks at it gets past. It finds mistakes.
"""

import marshal
import os
from collections.abc import Iterable

REFUSED_READ, REFUSED_WRITE = 2, 13
"""ENOENT: for the step the file does not exist. EACCES: it may not write there."""


def write_rules(
    path: str, reads: Iterable[str], excluded: Iterable[str], writes: Iterable[str], free: str
) -> None:
    """Write the rules for the supervisor. `reads`, `excluded` and `free` (what nobody has to
    declare) are regular expressions for whole relative paths; `writes` are paths. Raises OSError.
    """
    rules = (tuple(reads), tuple(excluded), tuple(writes), free)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(marshal.dumps(rules))


class AccessRules:
    """Refuses nothing."""

    def refuses(self, path: str, *, is_directory: bool, is_there: bool, write: bool) -> int:
        """The number of the error with which a call is answered, 0 to let it go on.

        `path`: relative to the root of the repository.
        """
        del path, is_directory, is_there, write
        return 0


class DeclaredOnly(AccessRules):
    """Refuses what is not declared. `root`: the repository."""

    def __init__(self, root: str, path: str) -> None:
        import re  # noqa: PLC0415 - 5 ms, only where it is asked for

        with open(path, "rb") as file:
            reads, excluded, writes, free = marshal.loads(file.read())  # noqa: S302 - ours
        self._root = root
        self._reads = [re.compile(one) for one in reads]
        self._excluded = [re.compile(one) for one in excluded]
        self._writes = tuple(one.rstrip("/") for one in writes)
        self._inside = tuple(one + "/" for one in self._writes)
        self._free = re.compile(free)
        self._known: dict[str, bool] = {}

    def refuses(self, path: str, *, is_directory: bool, is_there: bool, write: bool) -> int:
        """See `AccessRules`. Directories may be looked at: their files are checked one by one."""
        if path in self._writes or path.startswith(self._inside) or self._is_free(path):
            return 0
        if write:
            above_one = any(one.startswith(path + "/") for one in self._writes)
            return 0 if is_directory and above_one else REFUSED_WRITE
        if not is_there or is_directory or self._is_declared(path):
            return 0
        return REFUSED_READ

    def _is_free(self, path: str) -> bool:
        if self._free.fullmatch(path):
            return True
        top = path.partition("/")[0]
        if top not in self._known:
            self._known[top] = os.path.exists(f"{self._root}/{top}/pyvenv.cfg")
        return self._known[top]

    def _is_declared(self, path: str) -> bool:
        if any(one.fullmatch(path) for one in self._excluded):
            return False
        return any(one.fullmatch(path) for one in self._reads)
