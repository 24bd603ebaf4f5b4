"""The processes of one job: started, read, ended with all that they leave behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from mlpipe_ci.core.mask import mask_of
from mlpipe_ci.run.executors.base import Job, JobResult, Printed
from mlpipe_ci.run.executors.orphans import WATCHMAN, adopt, end_orphans, marks
from mlpipe_ci.tracing.select import tracer_for

DRAIN_SECONDS = 1.0
"""How long output is still read after the command has ended, if a grandchild holds the pipe."""
CHUNK = 1 << 16


class Process:
    """A job that was started. `ended` gets its id once all is over, from another thread.

    `over`: all of it has ended. Raises OSError or ValueError if it cannot be started; then nothing
    of it runs.
    """

    def __init__(
        self, job: Job, printed: Printed, locks: tuple[int, ...], ended: Callable[[str], None]
    ) -> None:
        self._cancelled = self._timed_out = self._ended = self._reaped = False
        self.over = False
        self._job, self._printed, self._notify = job, printed, ended
        self._lock = threading.RLock()  # the second signal may come while it is held
        self._code, self._seconds = 0, 0.0
        self._watchman: subprocess.Popen[bytes] | None = None
        self._timers: list[threading.Timer] = []
        log = job.log.open("ab" if job.append else "wb")
        try:
            self._tracer = tracer_for(job.watch)
            self._began, self._since = time.monotonic(), time.time()
            self._process = self._start(locks)
        except BaseException:
            log.close()
            raise
        self._reader = threading.Thread(target=self._copy_output, args=(log,), daemon=True)
        self._reader.start()
        threading.Thread(target=self._accompany, daemon=True).start()

    def _start(self, locks: tuple[int, ...]) -> subprocess.Popen[bytes]:
        job, tracer, process = self._job, self._tracer, None
        try:
            adopt()
            if not tracer.guards:
                self._watchman = _post_watchman(job, locks)
            process = subprocess.Popen(  # noqa: S603 - running the user's command is the purpose
                tracer.command(job.argv),
                cwd=job.directory,
                env=tracer.environment(dict(job.env)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # no terminal: who asks there fails at once
                pass_fds=tracer.fds + (locks if tracer.guards else ()),
            )
            self._tell_watchman(str(process.pid))
        except BaseException:
            if process:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            self._tell_watchman("")
            self._dismiss()
            tracer.started()
            tracer.trace()
            raise
        tracer.started()
        return process

    def limit(self, seconds: float, grace: float) -> None:
        """End it after so many seconds, whatever mlpipe does then: TERM, and KILL after `grace`."""
        self._later(seconds, self._time_out, grace)

    def cancel(self, grace: float) -> None:
        """End it: TERM, and KILL after so many seconds. The first call counts."""
        with self._lock:
            if self._ended or self._cancelled or self._timed_out:
                return
            self._cancelled = True
        self._terminate(grace)

    def kill(self) -> None:
        """KILL; also from a signal's handler."""
        self._cancelled = self._cancelled or not (self._ended or self._timed_out)
        self._signal(signal.SIGKILL)

    def _time_out(self, grace: float) -> None:
        with self._lock:
            if self._ended or self._cancelled:
                return
            self._timed_out = True
        self._terminate(grace)

    def _terminate(self, grace: float) -> None:
        self._signal(signal.SIGTERM)
        self._later(grace, self._signal, signal.SIGKILL)

    def _later(self, seconds: float, what: Callable[..., None], *of: float) -> None:
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), what, of)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def outcome(self) -> JobResult:
        """How it ended; to be asked once, after `ended`."""
        trace = self._tracer.trace()
        self._dismiss()
        return JobResult(
            job=self._job,
            exit_code=self._code,
            seconds=self._seconds,
            started=self._since,
            trace=trace,
            timed_out=self._timed_out,
            cancelled=self._cancelled,
        )

    def _accompany(self) -> None:
        """Wait for the command, let its last output through, end what it left. In a thread."""
        try:
            _await(self._process)
            self._ended = True
            self._seconds = time.monotonic() - self._began
            self._reader.join(DRAIN_SECONDS)
            self._signal(signal.SIGKILL)
            self._reader.join(DRAIN_SECONDS)
            with self._lock:
                self._code, self._reaped = self._process.wait(), True
            end_orphans(marks(self._job))
            self._reader.join(DRAIN_SECONDS)
        finally:
            self.over = True
            for timer in self._timers:
                timer.cancel()
            self._notify(self._job.id)

    def _signal(self, number: int) -> None:
        with self._lock:
            if not self._reaped:  # else the number may be another's
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)

    def _tell_watchman(self, line: str) -> None:
        if self._watchman and self._watchman.stdin:
            with suppress(BrokenPipeError):
                self._watchman.stdin.write(f"{line}\n".encode("ascii"))
                self._watchman.stdin.flush()

    def _dismiss(self) -> None:
        self._tell_watchman("done")
        if self._watchman and self._watchman.stdin:
            with suppress(BrokenPipeError):
                self._watchman.stdin.close()
            self._watchman.wait()

    def _copy_output(self, log: BinaryIO) -> None:
        mask, pipe = mask_of(self._job.secrets).stream(), self._process.stdout
        if pipe is None:
            return
        with log, pipe:
            while chunk := os.read(pipe.fileno(), CHUNK):
                self._show(mask.feed(chunk), log)
            self._show(mask.flush(), log)

    def _show(self, data: bytes, log: BinaryIO) -> None:
        """Write to log and screen. A full disk or a closed terminal does not end a training."""
        if not data or self.over:
            return  # of a process that got away: its step has ended
        with suppress(OSError, ValueError):
            log.write(data)
            log.flush()
        with suppress(OSError, ValueError):
            self._printed(self._job.id, data)


def _post_watchman(job: Job, locks: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        ["/bin/sh", "-c", WATCHMAN, "mlpipe-watchman", *marks(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
        pass_fds=locks,
    )


def _await(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has ended.

    Where the system can, it is not reaped yet: while the leader is a zombie, its number is
    nobody else's process group.
    """
    if sys.platform == "linux" or hasattr(os, "waitid"):  # not on macOS before Python 3.13
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()
