"""What happens between fork and exec: the child has itself watched, and becomes the command."""

import errno
import fcntl
import os
import signal

from mlpipe_ci.tracing.seccomp import kernel, syscalls

STANDARD_ERROR = 2
SETUP, SPARE, FREE = 8, 9, 20
"""Descriptors that `/bin/sh` can name, and the first that is in nobody's way."""
WORDS = 12
"""Bytes that the child sends: the listener's number, an error, whether it gave up rights."""


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""What the supervisor passes on to the command. None is lost while that begins."""


def restore_signals(mask: set[signal.Signals | int]) -> None:
    """In the child: what comes from now on is for the command. It leads a session, as a command
    that nobody watches does.
    """
    os.setsid()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def become(
    argv: list[bytes],
    env: dict[bytes, bytes],
    ends: tuple[int, int],
    *,
    watched: bool,
    by_strace: list[bytes] | None,
) -> None:
    """In the child: install the filter, wait for permission, become the command. Never returns.

    `ends`: of the pipes on which it sends how that went, and waits for permission.
    """
    setup, go = ends
    setup, go = (fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, FREE) for one in (setup, go))
    if by_strace:
        argv = _below(by_strace, argv, setup)
    machine = os.uname().machine
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    kernel.die_with_parent(signal.SIGKILL)
    listener, fault, bound = -1, 0, False
    if watched:
        try:
            listener, bound = kernel.install(syscalls.program(machine), machine)
        except (OSError, KeyError) as error:
            fault = getattr(error, "errno", 0) or errno.ENOSYS
    words = (listener, fault, int(bound))
    os.write(setup, b"".join(word.to_bytes(4, "little", signed=True) for word in words))
    if os.read(go, 1) != b"!":
        os._exit(0)
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - the user's command
    except OSError as error:
        name = os.fsdecode(argv[0])
        os.write(STANDARD_ERROR, os.fsencode(f"mlpipe: {name}: {os.strerror(error.errno or 0)}\n"))
        os._exit(126 if error.errno == errno.EACCES else 127)


def _below(strace: list[bytes], argv: list[bytes], setup: int) -> list[bytes]:
    """The command below strace, whose own output goes nowhere; it sends its process id first."""
    os.dup2(STANDARD_ERROR, SPARE)
    os.dup2(setup, SETUP)
    index = os.open(os.devnull, os.O_WRONLY)
    os.dup2(index, STANDARD_ERROR)
    script = b'echo $$ >&%d; exec "$@" 2>&%d %d>&- %d>&-' % (SETUP, SPARE, SPARE, SETUP)
    return [*strace, b"/bin/sh", b"-c", script, b"sh", *argv]


def works(strace: list[bytes]) -> bool:
    """True if strace is there, and may watch."""
    if not strace:
        return False
    child = os.fork()
    if child == 0:
        index = os.open(os.devnull, os.O_RDWR)
        os.dup2(index, 1)
        os.dup2(index, STANDARD_ERROR)
        try:
            os.execv(strace[0], [*strace[:-1], b"/dev/null", b"true"])  # noqa: S606
        finally:
            os._exit(127)
    return os.waitpid(child, 0)[1] == 0
