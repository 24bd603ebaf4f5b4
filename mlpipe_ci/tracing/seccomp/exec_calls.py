"""Calls that start programs."""

import os

from mlpipe_ci.tracing.access_log import ABSENT, READ
from mlpipe_ci.tracing.seccomp.call_context import HERE, Arguments, Call, Sight, Verdict, signed
from mlpipe_ci.tracing.seccomp.kernel import text
from mlpipe_ci.tracing.seccomp.python_imports import Imports
from mlpipe_ci.tracing.seccomp.syscalls import AT_EMPTY_PATH

SETUID = 0o4000
SHEBANG = 256
"""Bytes of a script's first line that the kernel looks at."""


class Programs:
    """`ran`: what was started, as it was named, and the file. `bound`: nothing gains rights."""

    def __init__(self, sight: Sight, imports: Imports, *, bound: bool) -> None:
        self._sight, self._imports, self._bound = sight, imports, bound
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
        return self._program(thread, name, self._sight.full(thread, arguments, directory, path))

    def _program(self, thread: int, name: bytes, full: bytes) -> Verdict:
        sight = self._sight
        found, status = sight.places.find(full)
        if status is None:
            inside = sight.is_inside(found)
            return 0, (lambda: sight.seen.saw(found, ABSENT)) if inside else None
        if status.st_mode & SETUID and self._bound:
            sight.faults[
                f"{os.fsdecode(name)} needs rights that a watched command cannot get; "
                "set tracing: off for this step"
            ] = None
        beneath = interpreter(found)
        process = sight.places.find(beneath)[0] if beneath else found
        self._imports.started(thread, process)

        def ran() -> None:
            self._ran(name, found)
            if beneath:  # the kernel opens it by itself
                self._ran(beneath, process)

        return sight.refuses(found, status), ran

    def _ran(self, name: bytes, found: bytes) -> None:
        self.ran[name, found] = None
        if self._sight.is_inside(found):
            self._sight.seen.saw(found, READ)


def is_32_bit(path: bytes) -> bool:
    """True for an ELF file of class 32 (elf(5))."""
    return _start_of(path)[:5] == b"\x7fELF\1"


def _start_of(path: bytes) -> bytes:
    try:
        place = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(place, SHEBANG)
    except OSError:
        return b""
    finally:
        os.close(place)


def interpreter(path: bytes) -> bytes:
    """The program that a script names in its first line; empty for all else."""
    start = _start_of(path)
    words = start[2:].split(b"\n", 1)[0].split(None, 1) if start[:2] == b"#!" else []
    return words[0] if words and words[0][:1] == b"/" else b""
