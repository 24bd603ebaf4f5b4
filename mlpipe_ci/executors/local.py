"""Runs one job at a time on this machine, in a process group of its own."""

import errno
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import BinaryIO

from mlpipe_ci.executors.base import Job, Outcome
from mlpipe_ci.executors.mask import Mask
from mlpipe_ci.tracing import Tracer, tracer_for

GRACE_SECONDS = 5.0
"""Between TERM and KILL: GitHub gives a cancelled job about 7.5 s before it kills mlpipe."""
DRAIN_SECONDS = 1.0
"""How long output is still read after the command has ended, if a grandchild holds the pipe."""
CHUNK = 1 << 16
WATCHMAN = 'read -r _ || kill -s KILL -- "-$1"'
"""Waits for a line from mlpipe. If the pipe closes without one, mlpipe was killed: so the step's
processes must go too, before they write on beside the next run."""


class LocalExecutor:
    """Runs jobs with subprocess. `screen` gets what they print; `held` file descriptors that the
    watchman keeps open until the job's processes are gone (the lock of the work tree).
    """

    def __init__(self, screen: BinaryIO, held: tuple[int, ...] = ()) -> None:
        self._screen, self._held = screen, held
        self._process: subprocess.Popen[bytes] | None = None
        self._watchman: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._job: Job | None = None
        self._tracer: Tracer = tracer_for(None)
        self._started = self._since = 0.0

    def free(self) -> int:
        """1, or 0 while a job runs."""
        return 0 if self._process else 1

    def start(self, job: Job) -> None:
        """Start a job. Raises OSError if its shell cannot be started."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        _refuse_unknown(job)
        log = job.log.open("ab" if job.append else "wb")
        try:
            self._job, self._tracer = job, tracer_for(job.watch)
            held = self._held if self._tracer.guards else ()
            self._started, self._since = time.monotonic(), time.time()
            self._process = subprocess.Popen(  # noqa: S603 - running the user's command is the purpose
                self._tracer.command(job.argv),
                cwd=job.directory,
                env=self._tracer.environment(dict(job.env)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
                pass_fds=self._tracer.fds + held,
            )
        except BaseException:
            log.close()
            self._tracer.started()
            self._tracer.trace()
            raise
        self._tracer.started()
        if not self._tracer.guards:
            self._post_watchman(self._process.pid)
        self._reader = threading.Thread(target=self._copy_output, args=(log,), daemon=True)
        self._reader.start()

    def _post_watchman(self, process: int) -> None:
        self._watchman = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", WATCHMAN, "mlpipe-watchman", str(process)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
            pass_fds=self._held,
        )

    def wait(self) -> Outcome:
        """Wait for the job. What its processes leave running in their group is killed."""
        process, job = self._process, self._job
        if process is None or job is None:
            raise RuntimeError("no job was started")
        timed_out = not _ended(process, job.timeout)
        if timed_out:
            self._signal(signal.SIGTERM)
            _ended(process, GRACE_SECONDS)
        seconds = time.monotonic() - self._started
        self._end_group()
        code = process.wait()
        trace = self._tracer.trace()
        self._dismiss()
        return Outcome(
            job=job,
            exit_code=code,
            seconds=seconds,
            started=self._since,
            trace=trace,
            timed_out=timed_out,
        )

    def close(self) -> None:
        """TERM to the job's process group, KILL after the grace time."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._tracer.trace()
        self._dismiss()

    def _end_group(self) -> None:
        """Let the last output through, then end what the command left behind."""
        if self._reader:
            self._reader.join(DRAIN_SECONDS)
        self._signal(signal.SIGKILL)
        if self._reader:
            self._reader.join(DRAIN_SECONDS)

    def _signal(self, number: int) -> None:
        if self._process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _dismiss(self) -> None:
        if self._watchman and self._watchman.stdin:
            with suppress(BrokenPipeError):
                self._watchman.stdin.write(b"done\n")
                self._watchman.stdin.flush()
            with suppress(BrokenPipeError):
                self._watchman.stdin.close()
            self._watchman.wait()
        self._process = self._watchman = self._job = None

    def _copy_output(self, log: BinaryIO) -> None:
        process, job = self._process, self._job
        if process is None or process.stdout is None or job is None:
            return
        mask = Mask(job.secrets)
        with log, process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), CHUNK):
                self._show(mask.feed(chunk), log)
            self._show(mask.flush(), log)

    def _show(self, data: bytes, log: BinaryIO) -> None:
        """Write to log and screen. A full disk or a closed terminal does not end a training."""
        for stream in (log, self._screen) if data else ():
            with suppress(OSError, ValueError):
                stream.write(data)
                stream.flush()


def _refuse_unknown(job: Job) -> None:
    """Raise FileNotFoundError if there is no such program: a tracer would start, and then fail."""
    name = job.argv[0]
    path = dict(job.env).get("PATH", os.defpath)
    if not shutil.which(str(job.directory / name) if "/" in name else name, path=path):
        raise FileNotFoundError(errno.ENOENT, "no such program", name)


def _ended(process: subprocess.Popen[bytes], timeout: float | None) -> bool:
    """Wait until a process has ended, at most `timeout` seconds; False if it has not.

    Where the system can, it is not reaped yet: while the leader is a zombie, its number is
    nobody else's process group.
    """
    if timeout is not None and hasattr(os, "pidfd_open"):  # Linux
        with open(os.pidfd_open(process.pid), "rb", buffering=0) as end:  # noqa: PTH123
            ready, _, _ = select.select([end], [], [], timeout)
            return bool(ready)
    if timeout is None and hasattr(os, "waitid"):  # not on macOS before Python 3.13
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        return True
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    return True
