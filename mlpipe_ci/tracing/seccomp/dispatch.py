"""Looks at the calls of the watched processes: what each shows, and how it is answered."""

import errno
import os

from mlpipe_ci.tracing.access_log import FOR_MAKE, IMPORTED, LISTED
from mlpipe_ci.tracing.seccomp.call_context import (
    GO_ON,
    Arguments,
    Call,
    CallContext,
    Verdict,
    of_system,
)
from mlpipe_ci.tracing.seccomp.exec_calls import ExecCalls
from mlpipe_ci.tracing.seccomp.network_calls import NetworkCalls
from mlpipe_ci.tracing.seccomp.open_calls import OpenCalls
from mlpipe_ci.tracing.seccomp.python_imports import PythonImports
from mlpipe_ci.tracing.seccomp.syscalls import NUMBERS
from mlpipe_ci.tracing.seccomp.write_calls import WriteCalls
from mlpipe_ci.tracing.strict import AccessRules

REFUSED = (errno.EFAULT, errno.EBADF, errno.EINVAL)
"""The kernel itself will refuse such a call: it shows nothing to whoever makes it."""


class SyscallDispatcher:
    """What the watched processes did. `root`: the repository, without links; `bound`: they can gain
    no rights, as `sudo` would.
    """

    def __init__(
        self, root: bytes, machine: str, rules: AccessRules | None = None, *, bound: bool = False
    ) -> None:
        self._context, self._imports = CallContext(root, rules), PythonImports()
        self._opens = OpenCalls(self._context, self._imports)
        self._execs = ExecCalls(self._context, self._imports, bound=bound)
        self._network = NetworkCalls()
        self._known: set[int] = set()
        self._namespace = _namespace("self")
        self._calls = self._table(machine)
        self._blind = False

    def _table(self, machine: str) -> dict[int, Call]:
        numbers = NUMBERS[machine]
        named = self._opens.calls() | self._execs.calls() | self._network.calls()
        named |= WriteCalls(self._context).calls()
        others: dict[str, Call] = {name: (self._move, ()) for name in numbers if name not in named}
        named |= others
        return {number: named[name] for name, number in numbers.items()}

    def look(self, thread: int, number: int, arguments: Arguments) -> Verdict:
        """The error to answer with (0: go on), and what to note then."""
        if self._blind:
            return GO_ON
        if thread not in self._known:
            self._first_sight(thread)
        try:
            call, where = self._calls[number]
            return call(thread, arguments, *where)
        except (ProcessLookupError, FileNotFoundError):
            return GO_ON  # it, or the directory that it means, is no more
        except OSError as error:
            if error.errno in REFUSED:
                return GO_ON
            self.fault(f"what a process asked for is not known ({os.strerror(error.errno or 0)})")
            return GO_ON

    def fault(self, why: str) -> None:
        """Something may have been missed."""
        self._context.faults[why] = None

    def foreign(self) -> None:
        """A program of another architecture opens files: its other calls are not seen."""
        self.fault("a 32-bit program ran, of which not all is seen")

    def forget(self, thread: int) -> None:
        """A process has ended; its number may be given out again."""
        self._known.discard(thread)
        self._imports.ended(thread)

    def found(self) -> dict[str, object]:
        """All that was seen, as values that `marshal` takes: see `base.Trace`."""
        context = self._context
        return {
            "paths": {
                path: flags | self._lister(path) if flags & LISTED else flags
                for path, flags in context.seen.paths.items()
            },
            "links": [pair for pair in context.resolver.links.items() if not of_system(pair[0])],
            "first": context.seen.first,
            "names": context.seen.names,
            "before": context.seen.before,
            "programs": list(self._execs.ran),
            "packages": list(self._opens.packages),
            "library": list(self._opens.library),
            "network": list(self._network.network),
            "faults": [*context.faults, *self._network.faults],
            "refused": list(context.refused),
        }

    def _lister(self, path: bytes) -> int:
        """Who alone has listed a directory, if that is known."""
        if self._imports.alone(path):
            return IMPORTED
        return FOR_MAKE if self._imports.for_make(path) else 0

    def _first_sight(self, thread: int) -> None:
        self._known.add(thread)
        try:
            same = _namespace(str(thread)) == self._namespace
        except OSError:
            return
        if not same:
            self._moved()

    def _move(self, _thread: int, _arguments: Arguments) -> Verdict:
        self._moved()
        return GO_ON

    def _moved(self) -> None:
        """From here on nothing is looked at: a path may lie in a file system that a watched process
        serves, which would wait for us while we wait for it.
        """
        self._blind = True
        self.fault("a process changed what paths mean (chroot, mount or a namespace)")


def _namespace(process: str) -> str:
    """What paths mean to a process: its mount namespace and its root directory."""
    return os.readlink(f"/proc/{process}/ns/mnt") + os.readlink(f"/proc/{process}/root")
