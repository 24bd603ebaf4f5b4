"""Runs jobs on this machine, each in a session of its own."""

import errno
import os
import queue
import shutil
import time
from contextlib import suppress

from mlpipe_ci.run.executors.base import ExecutorContext, Job, JobResult, Printed
from mlpipe_ci.run.executors.process import Process

GRACE_SECONDS = 5.0
"""Between TERM and KILL: GitHub gives a cancelled job about 7.5 s before it kills mlpipe."""


class LocalExecutor:
    """Runs up to `slots` jobs at once. `printed` gets what they print; `locks`: file descriptors
    that stay open until a job's processes are gone, even if mlpipe is killed (the lock).
    """

    shares_disk = True
    can_trace = True

    def __init__(self, printed: Printed, locks: tuple[int, ...] = (), slots: int = 1) -> None:
        self._printed, self._locks, self._slots = printed, locks, slots
        self._running: dict[str, Process] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def free(self) -> int:
        """How many jobs may be started now."""
        return self._slots - len(self._running)

    def start(self, job: Job) -> None:
        """Start a job. Raises OSError or ValueError if it cannot be started; then nothing runs."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        _refuse_unknown(job)
        process = Process(job, self._printed, self._locks, self._ended.put)
        self._running[job.id] = process
        if job.timeout is not None:
            process.limit(job.timeout, GRACE_SECONDS)

    def wait(self, seconds: float | None) -> bool:
        """Wait until a job has ended, at most so long (None: as it takes). True if one has; False
        at once if none runs.

        Nothing is lost if a signal ends the waiting.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not any(process.over for process in self._running.values()):
            if not self._running:
                return False
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return False
            with suppress(queue.Empty):
                self._ended.get(timeout=left)
        return True

    def result(self) -> JobResult:
        """The outcome of a job that has ended."""
        job = next(id_ for id_, process in self._running.items() if process.over)
        outcome = self._running[job].outcome()
        del self._running[job]
        return outcome

    def run_to_end(self) -> JobResult:
        """Wait for the next job to end. What its processes leave running is killed."""
        if not self.wait(None):
            raise RuntimeError("no job was started")
        return self.result()

    def cancel(self, job: str) -> None:
        """End the job of this id if it runs: TERM, then KILL. `result` gives its outcome."""
        process = self._running.get(job)
        if process and not process.over:
            process.cancel(GRACE_SECONDS)

    def close(self) -> None:
        """End all that still runs: TERM to the process groups, KILL after the grace time."""
        for job in self._running:
            self.cancel(job)
        while self._running:
            self.run_to_end()

    def kill(self) -> None:
        """KILL all that still runs."""
        for process in self._running.values():
            process.kill()


def open_local(context: ExecutorContext) -> LocalExecutor:
    """For the table of executors."""
    return LocalExecutor(context.printed, context.locks, context.jobs)


def _refuse_unknown(job: Job) -> None:
    """Raise FileNotFoundError if there is no such program: a tracer would start, and then fail."""
    name = job.argv[0]
    path = dict(job.env).get("PATH", os.defpath)
    if not shutil.which(str(job.directory / name) if "/" in name else name, path=path):
        raise FileNotFoundError(errno.ENOENT, "no such program", name)
