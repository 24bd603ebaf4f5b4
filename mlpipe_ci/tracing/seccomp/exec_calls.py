"""Calls that start programs."""

import os

from mlpipe_ci.tracing.access_log import NOT_FOUND, READ
from mlpipe_ci.tracing.file_identity import signature_of
from mlpipe_ci.tracing.seccomp.call_context import (
    HERE,
    Arguments,
    Call,
    CallContext,
    Verdict,
    signed,
)
from mlpipe_ci.tracing.seccomp.kernel import text
from mlpipe_ci.tracing.seccomp.python_imports import PythonImports
from mlpipe_ci.tracing.seccomp.syscalls import AT_EMPTY_PATH

SETUID = 0o4000
SHEBANG = 256
"""Bytes of a script's first line that the kernel looks at."""


class ExecCalls:
    """`ran`: what was started, as it was named, and the file. `bound`: nothing gains rights."""

    def __init__(self, context: CallContext, imports: PythonImports, *, bound: bool) -> None:
        self._context, self._imports, self._bound = context, imports, bound
        self.ran: dict[tuple[bytes, bytes], None] = {}

    def calls(self) -> dict[str, Call]:
        """The calls that are looked at here."""
        return {"execve": (self._start, (HERE, 0, -1)), "execveat": (self._start, (0, 1, 4))}

    def _start(
        self, thread: int, arguments: Arguments, directory: int, path: int, flags: int
    ) -> Verdict:
        if flags >= 0 and arguments[flags] & AT_EMPTY_PATH:
            full = os.readlink(b"/proc/%d/fd/%d" % (thread, signed(arguments[directory])))
            return self._program(thread, full, full)
        name = text(thread, arguments[path])
        return self._program(thread, name, self._context.full(thread, arguments, directory, path))

    def _program(self, thread: int, name: bytes, full: bytes) -> Verdict:
        context = self._context
        found, status = context.resolver.find(full)
        if status is None:
            inside = context.is_inside(found)
            return 0, (lambda: context.seen.saw(found, NOT_FOUND)) if inside else None
        if status.st_mode & SETUID and self._bound:
            context.faults[
                f"{os.fsdecode(name)} needs rights that a watched command cannot get; "
                "set tracing: off for this step"
            ] = None
        beneath = interpreter(found)
        process, other = context.resolver.find(beneath) if beneath else (found, status)
        self._imports.started(thread, process, os.readlink(b"/proc/%d/cwd" % thread))

        def ran() -> None:
            self._ran(full, found, status)
            if beneath:  # the kernel opens it by itself
                self._ran(beneath, process, other)

        return context.refuses(found, status), ran

    def _ran(self, name: bytes, found: bytes, status: os.stat_result | None) -> None:
        self.ran[name, found] = None
        if self._context.is_inside(found):
            self._context.seen.saw(found, READ, signature_of(status))


def is_32_bit(path: bytes) -> bool:
    """True for an ELF file of class 32 (elf(5))."""
    return _start_of(path)[:5] == b"\x7fELF\1"


def _start_of(path: bytes) -> bytes:
    try:
        index = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(index, SHEBANG)
    except OSError:
        return b""
    finally:
        os.close(index)


def interpreter(path: bytes) -> bytes:
    """The program that a script names in its first line; empty for all else."""
    start = _start_of(path)
    words = start[2:].split(b"\n", 1)[0].split(None, 1) if start[:2] == b"#!" else []
    return words[0] if words and words[0][:1] == b"/" else b""
