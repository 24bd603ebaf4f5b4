"""Runs a command below a tracer, as the runner does, and says what was seen."""

import io
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlpipe_ci.run.executors.base import Job, JobResult
from mlpipe_ci.run.executors.local import LocalExecutor
from mlpipe_ci.tracing import access_log as flags
from mlpipe_ci.tracing.base import Trace, TraceRequest

BOTH = pytest.mark.parametrize(
    "tracer",
    [
        "notify",
        pytest.param(
            "strace",
            marks=pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
        ),
    ],
)


@dataclass(frozen=True)
class Seen:
    """What was seen below the root, as relative paths."""

    outcome: JobResult
    root: Path
    output: str
    trace: Trace = field(repr=False)

    def having(self, flag: int) -> set[str]:
        """Paths that have a flag."""
        inside = f"{self.root}/"
        return {
            path.removeprefix(inside)
            for path, found in self.trace.paths.items()
            if found & flag and path.startswith(inside) and "__pycache__" not in path
        }

    @property
    def read(self) -> set[str]:
        return self.having(flags.READ)

    @property
    def written(self) -> set[str]:
        return {path for path in self.having(flags.OURS) if (self.root / path).exists()}

    @property
    def listed(self) -> set[str]:
        return self.having(flags.LISTED)

    @property
    def missed(self) -> set[str]:
        return self.having(flags.NOT_FOUND)


def watch(
    root: Path,
    *argv: str,
    tracer: str = "notify",
    env: dict[str, str] | None = None,
    rules: str = "",
) -> Seen:
    """Run a command in `root` and watch it."""
    root, screen = Path(os.path.realpath(root)), io.BytesIO()
    executor = LocalExecutor(lambda _, data: (screen.write(data), None)[1])
    executor.start(job_of(root, *argv, tracer=tracer, env=env, rules=rules))
    outcome = executor.run_to_end()
    output = screen.getvalue().decode("utf-8", "replace")
    return Seen(outcome=outcome, root=root, output=output, trace=outcome.trace)


def job_of(
    root: Path,
    *argv: str,
    tracer: str = "notify",
    env: dict[str, str] | None = None,
    rules: str = "",
) -> Job:
    """A command in `root` that is to be watched."""
    logs = root.parent / f"{root.name}-logs"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, **(env or {})}
    request = TraceRequest(
        root=root, directory=root, log=logs / "strace", preferred=tracer, rules=rules
    )
    return Job(
        id="s", argv=argv, directory=root, env=tuple(given.items()), log=logs / "log", watch=request
    )


def is_running(command: str) -> bool:
    """True if a process with this command line lives."""
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b" ".join(words).strip().decode("utf-8", "replace") == command:
            return True
    return False
