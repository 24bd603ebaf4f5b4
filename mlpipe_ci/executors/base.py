"""What an executor is: it is pulled (`start`, `wait`), and never calls back."""

from dataclasses import field
from pathlib import Path
from typing import Protocol

from mlpipe_ci.frozen import frozen
from mlpipe_ci.tracing.base import Request, Trace


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
    watch: Request | None = None


@frozen
class Outcome:
    """How a job ended: exit code (minus the signal's number if one ended it), wall seconds.

    `started` in seconds since 1970.
    """

    job: Job
    exit_code: int
    seconds: float
    started: float
    trace: Trace
    timed_out: bool = False


class Executor(Protocol):
    """Runs jobs. Ends its jobs, with all their processes, when it is closed or mlpipe dies."""

    def free(self) -> int:
        """How many jobs may be started now."""

    def start(self, job: Job) -> None:
        """Start a job. Raises OSError if it cannot be started."""

    def wait(self) -> Outcome:
        """Wait until a job has ended."""

    def close(self) -> None:
        """End what still runs: TERM to the process group, then KILL."""
