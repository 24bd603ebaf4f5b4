"""The process between mlpipe and a watched command: starts it, watches it, ends what it leaves.

Run as a program of its own (`notify` builds the command line), with as few imports as possible. It
is the parent of the command, so that it may read its memory whatever Yama's `ptrace_scope` says,
and adopts its orphans. Exit code and signal are the command's.
"""

import contextlib
import ctypes  # noqa: F401 - so that it is loaded before the first fork
import fcntl
import marshal
import os
import select
import signal
import sys
import time

sys.path.insert(0, os.path.abspath(__file__).rpartition("/mlpipe_ci/")[0])

from mlpipe_ci.tracing.seccomp import child, kernel, syscalls
from mlpipe_ci.tracing.seccomp.dispatch import SyscallDispatcher
from mlpipe_ci.tracing.strict import AccessRules, DeclaredOnly

DRAIN = 1.0
"""Seconds that processes may go on after the command itself has ended."""
PATIENCE = 10.0
"""Seconds until processes that do not die are left alone."""
PAGE = 4096
TICK = 1000
"""Milliseconds between looks at orphans that have ended."""


class Supervisor:
    """One watched command. `control`: closed when mlpipe has died; `out`: where the trace goes;
    `env`: of the command; `mask`: of signals, before those of `child.SIGNALS` were blocked.
    """

    def __init__(
        self,
        control: int,
        out: int,
        env: dict[bytes, bytes],
        root: bytes,
        rules: AccessRules | None,
        mask: set[signal.Signals | int],
    ) -> None:
        self._mask = mask
        self._control, self._out, self._env = control, out, env
        self._machine = os.uname().machine
        self._root, self._rules = root, rules
        self._child = self._command = self._listener = -1
        self._status: int | None = None
        self._dispatcher: SyscallDispatcher | None = None
        self._buffer = bytearray(kernel.NOTIFICATION.size)
        self._why = ""

    def run(self, preferred: str, strace: list[bytes], argv: list[bytes]) -> int:
        """Run the command to its end. Returns its status as `waitpid` gives it."""
        kernel.adopt_orphans()
        tracer = "none"
        if preferred in {"auto", "notify"}:
            self._start(argv, watched=True)
            tracer = "notify" if self._listener >= 0 else "none"
        elif preferred == "none":
            self._why = "tracing is switched off by MLPIPE_TRACER"
        if self._child < 0:
            self._listener = -1
            self._why = self._why or "strace is not installed, or cannot watch here"
            by_strace = strace if preferred in {"auto", "strace"} and child.works(strace) else []
            tracer = "strace" if by_strace else "none"
            self._start(argv, watched=False, by_strace=by_strace)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._tell(tracer, complete=False)
        try:
            self._serve()
            self._end_all(DRAIN)
        finally:
            self._end_all(0.0)
        self._tell(tracer, complete=tracer != "none")
        return self._status or 0

    # -- starting -------------------------------------------------------------------------------

    def _start(
        self, argv: list[bytes], *, watched: bool, by_strace: list[bytes] | None = None
    ) -> None:
        """Fork and execute the command; where it cannot be watched, nothing was executed."""
        setup_read, setup_write = os.pipe()
        go_read, go_write = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.close(setup_read)
                os.close(go_write)
                child.restore_signals(self._mask)
                child.become(
                    argv, self._env, (setup_write, go_read), watched=watched, by_strace=by_strace
                )
            finally:
                os._exit(127)
        os.close(setup_write)
        os.close(go_read)
        message = os.read(setup_read, child.WORDS)
        number, fault, bound = (
            int.from_bytes(message[n : n + 4], "little", signed=True) for n in (0, 4, 8)
        )
        try:
            if fault or len(message) < child.WORDS:
                raise OSError(fault, os.strerror(fault))  # noqa: TRY301 - the same ending
            if watched:
                self._listener = kernel.take_descriptor(process, number)
                kernel.wake_on_the_same_core(self._listener)
                self._dispatcher = SyscallDispatcher(
                    self._root, self._machine, self._rules, bound=bool(bound)
                )
            os.write(go_write, b"!")
            self._child = self._command = process
            if by_strace:
                self._command = int(os.read(setup_read, PAGE) or process)
        except OSError as error:
            self._why = f"this system refuses to let commands be watched ({error.strerror})"
            os.close(go_write)  # the child ends without having executed anything
            os.waitpid(process, 0)
        else:
            os.close(go_write)
        finally:
            os.close(setup_read)

    def forward(self, number: int, _frame: object) -> None:
        """The command and what it has started get the signal, and decide what follows."""
        if self._child > 0:
            with contextlib.suppress(OSError):
                os.killpg(self._child, number)

    # -- watching -------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Answer until the command itself has ended."""
        try:
            ended = os.pidfd_open(self._command)
        except ProcessLookupError:
            return  # below strace a short command may have ended, and been reaped, by now
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(self._control, 0)
        if self._listener >= 0:
            poll.register(self._listener, select.POLLIN)
        try:
            while True:
                ready = poll.poll(TICK)
                if len(ready) == 1 and ready[0] == (self._listener, select.POLLIN):
                    self._answer()
                    continue
                for index, event in ready:
                    if index == self._control:
                        self._end_all(0.0)
                        os._exit(1)
                    if index == self._listener and event & select.POLLIN:
                        self._answer()
                    elif index == self._listener:
                        poll.unregister(index)  # the last watched process has ended
                if any(position == ended for position, _ in ready):
                    return
                self._reap()
        finally:
            os.close(ended)

    def _answer(self) -> None:
        """Receive one call, look at it, let it go on or refuse it."""
        buffer, listener, dispatcher = self._buffer, self._listener, self._dispatcher
        buffer[:] = kernel.NOTHING
        try:
            fcntl.ioctl(listener, kernel.RECEIVE, buffer)
        except OSError:
            return  # it was killed meanwhile
        one, thread, _, number, arch, _, *arguments = kernel.NOTIFICATION.unpack_from(buffer)
        refused, deed = 0, None
        if dispatcher and arch == syscalls.ARCHES[self._machine]:
            try:
                refused, deed = dispatcher.look(thread, number, tuple(arguments))
            except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the step
                dispatcher.fault(f"the tracer failed ({type(error).__name__}: {error})")
        elif dispatcher:
            dispatcher.foreign()
        flags = 0 if refused else kernel.CONTINUE
        try:
            fcntl.ioctl(listener, kernel.SEND, kernel.ANSWER.pack(one, 0, -refused, flags))
        except OSError:
            return  # whoever asked is no more, so nothing was done
        if deed and not refused:
            deed()

    # -- ending ---------------------------------------------------------------------------------

    def _reap(self) -> bool:
        """Take note of children that have ended; False if there are none left."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if process == 0:
                return True
            if process == self._child:
                self._status = status
            if self._dispatcher:
                self._dispatcher.forget(process)

    def _end_all(self, grace: float) -> None:
        """Wait so long for what is still running below, then kill it."""
        poll = select.poll()
        if self._listener >= 0:
            poll.register(self._listener, select.POLLIN)
        start = time.monotonic()
        while self._reap():
            passed = time.monotonic() - start
            if passed > grace + PATIENCE:
                break
            if passed >= grace:
                for process in self._left():
                    with contextlib.suppress(OSError):
                        os.kill(process, signal.SIGKILL)
            for _, event in poll.poll(5):
                if event & select.POLLIN:
                    self._answer()
                else:
                    poll.unregister(self._listener)

    def _left(self) -> list[int]:
        """What still runs below; not strace, which ends by itself and knows the exit code."""
        found = children(os.getpid())
        if self._command != self._child and self._child in found:
            found.remove(self._child)
            below = children(self._child)
            while below:
                found += below
                below = [one for process in below for one in children(process)]
        return found

    def _tell(self, tracer: str, *, complete: bool) -> None:
        """Write the trace, in place of what was written before."""
        dispatcher = self._dispatcher
        found: dict[str, object] = {"tracer": tracer, "why": self._why, "complete": complete}
        if dispatcher:
            found |= dispatcher.found()
        data = marshal.dumps(found)
        try:
            os.lseek(self._out, 0, os.SEEK_SET)
            os.truncate(self._out, 0)
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            return  # a trace that is lost or cut short is not complete, and that is known


def children(process: int) -> list[int]:
    """Processes whose parent this one is."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def environment(index: int) -> dict[bytes, bytes]:
    """The environment of the command, as mlpipe wrote it."""
    with open(index, "rb") as file:
        file.seek(0)
        pairs = [pair.partition(b"=") for pair in file.read().split(b"\0") if b"=" in pair]
    return {name: value for name, _, value in pairs}


def main(argv: list[str]) -> None:
    """`supervisor.py CONTROL OUT ENV ROOT PREFERRED RULES LIBRARIES STRACE… -- COMMAND…`."""
    control, out, env, root, preferred, rules, libraries, *words = map(os.fsencode, argv)
    sys.path.append(os.fsdecode(libraries))  # for digests, if any has to be taken
    split = words.index(b"--")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, child.SIGNALS)  # until there is a command
    watched = Supervisor(
        int(control), int(out), environment(int(env)), root, read_rules(rules, root), mask
    )
    for number in child.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, watched.forward)
    for index in map(int, os.listdir("/proc/self/fd")):
        if index > child.STANDARD_ERROR:
            with contextlib.suppress(OSError):
                os.set_inheritable(index, False)
    status = watched.run(os.fsdecode(preferred), words[:split], words[split + 1 :])
    if os.WIFSIGNALED(status):
        fatal = os.WTERMSIG(status)
        if fatal not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(fatal, signal.SIG_DFL)
        import resource  # noqa: PLC0415 - for one that was killed alone

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        os.kill(os.getpid(), fatal)
    os._exit(os.WEXITSTATUS(status))


def read_rules(path: bytes, root: bytes) -> AccessRules | None:
    """What strict tracing allows, None where nothing is refused."""
    if not path:
        return None
    return DeclaredOnly(os.fsdecode(root), os.fsdecode(path))


if __name__ == "__main__":
    main(sys.argv[1:])
