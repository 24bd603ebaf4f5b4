"""What an executor is: it is pulled (`start`, `wait`, `result`); only output is called back."""

from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Protocol

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.tracing.base import Trace, TraceRequest

Printed = Callable[[str, bytes], None]
"""Gets the id of a job and what it printed, as it comes. Called from several threads."""


@frozen
class Job:
    """One command to run: the shell's words, its directory, its whole environment.

    All that the command prints goes to the file `log` (from its beginning, or with `append` from
    its end), and to the executor's output as it comes, with the `secrets` masked. `timeout` in
    seconds of wall time; None: no limit. `watch`: what is to be watched of it; None: nothing.
    """

    id: str
    argv: tuple[str, ...]
    directory: Path
    env: tuple[tuple[str, str], ...]
    log: Path
    append: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    timeout: float | None = None
    watch: TraceRequest | None = None


@frozen
class JobResult:
    """How a job ended: exit code (minus the signal's number if one ended it), wall seconds.

    `started` in seconds since 1970. `timed_out`, `cancelled`: the executor ended it.
    """

    job: Job
    exit_code: int
    seconds: float
    started: float
    trace: Trace
    timed_out: bool = False
    cancelled: bool = False


@frozen
class ExecutorContext:
    """What an executor is made with. `printed`: gets what jobs print; `locks`: file descriptors to
    keep open until all processes of a job are gone (the lock); `jobs`: most jobs at once.
    """

    printed: Printed
    locks: tuple[int, ...] = ()
    jobs: int = 1


class Executor(Protocol):
    """Runs jobs. Ends its jobs, with all their processes, when it is closed or mlpipe dies.

    It is made before it is known whether anything runs, so it opens nothing before the first start.
    `shares_disk`: its jobs see the work tree and the logs at the same paths. `can_trace`: it has
    jobs watched as `Job.watch` asks; if not, it is never asked.
    """

    @property
    def shares_disk(self) -> bool:
        """See the class."""

    @property
    def can_trace(self) -> bool:
        """See the class."""

    def free(self) -> int:
        """How many jobs may be started now; at least one if none runs."""

    def start(self, job: Job) -> None:
        """Start a job. Raises OSError or ValueError if it cannot be started; then nothing runs."""

    def wait(self, seconds: float | None) -> bool:
        """Wait until a job has ended, at most so long (None: as it takes). True if one has; False
        at once if none runs.

        Nothing is lost if a signal ends the waiting.
        """

    def result(self) -> JobResult:
        """The outcome of a job that has ended."""

    def cancel(self, job: str) -> None:
        """End the job of this id if it runs: TERM, then KILL. `result` gives its outcome."""

    def close(self) -> None:
        """End all that still runs: TERM to the process groups, then KILL."""

    def kill(self) -> None:
        """KILL all that still runs; `close` has still to be called, or is being carried out."""
