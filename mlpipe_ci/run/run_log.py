"""The last runs in a work tree: what each step did, and what it printed.

`<directory>/<number>/` holds `run.json` and `<step>.log` for each step whose command ran. It is for
people: nothing is decided by it, and where it cannot be written a run goes on without.
"""

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import Run

MOST_RUNS = 50
MOST_BYTES = 1 << 30
"""Of all logs but those of the newest run."""
RECORD = "run.json"
VERSION = 1


@frozen
class StepRecord:
    """What a step did in a run. `log`: the digest of what was printed when its result was made, if
    that was reused.
    """

    id: str
    name: str
    status: str
    seconds: float
    log: str = ""


@frozen
class RunRecord:
    """One run. `started` in seconds since 1970; `result` is empty while it runs, or if it was
    killed; `process`: its number.
    """

    number: int
    started: float
    seconds: float = 0.0
    result: str = ""
    process: int = 0
    file: str = ""
    head: str = ""
    steps: tuple[StepRecord, ...] = ()


class RunLog:
    """The runs in `directory`. Numbers grow, and are not used again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, file: str) -> tuple[Path, RunRecord]:
        """A new run: where its logs go, and what is known of it. Old ones are removed."""
        numbers = self.numbers()
        number = (numbers[-1] if numbers else 0) + 1
        record = RunRecord(number=number, started=time.time(), process=os.getpid(), file=file)
        path = self.directory_of(number)
        with suppress(OSError):
            path.mkdir(parents=True)
            self._write(record)
            self._tidy([*numbers, number])
        return path, record

    def end(self, record: RunRecord, run: Run) -> None:
        """The run is over."""
        steps = tuple(
            StepRecord(
                id=outcome.step.id,
                name=outcome.step.name,
                status=str(outcome.status),
                seconds=round(outcome.execution.seconds or outcome.left.saved_seconds, 3),
                log="" if outcome.execution.log.startswith("/") else outcome.execution.log,
            )
            for outcome in run.outcomes
        )
        fields = vars(record) | {
            "seconds": round(run.seconds, 3),
            "result": run.result,
            "head": run.comparison.head or "",
            "steps": steps,
        }
        with suppress(OSError):
            self._write(RunRecord(**fields))

    def numbers(self) -> list[int]:
        """Of all runs that are recorded, the newest last."""
        try:
            return sorted(
                int(one.name) for one in self._directory.iterdir() if one.name.isdecimal()
            )
        except OSError:
            return []

    def record(self, number: int) -> RunRecord | None:
        """What is known of a run; None if nothing is, or it cannot be read."""
        try:
            found: dict[str, Any] = json.loads(
                (self.directory_of(number) / RECORD).read_text("utf-8")
            )
            if found.pop("version") != VERSION:
                return None
            steps = tuple(
                StepRecord(id=i, name=n, status=s, seconds=t, log=g)
                for i, n, s, t, g in found.pop("steps")
            )
            return RunRecord(steps=steps, **found)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def directory_of(self, number: int) -> Path:
        """The directory of a run."""
        return self._directory / str(number)

    def log(self, number: int, step: str) -> Path:
        """Where what a step (its id) printed in a run is, if its command ran."""
        return self.directory_of(number) / f"{step}.log"

    def _write(self, record: RunRecord) -> None:
        steps = [[s.id, s.name, s.status, s.seconds, s.log] for s in record.steps]
        text = json.dumps({"version": VERSION} | vars(record) | {"steps": steps})
        temporary = self.directory_of(record.number) / f"{RECORD}.tmp"
        temporary.write_text(text, "utf-8")
        temporary.replace(self.directory_of(record.number) / RECORD)

    def _tidy(self, numbers: list[int]) -> None:
        """Remove the oldest runs, and those before that whose logs are too much together."""
        for number in numbers[:-MOST_RUNS]:
            shutil.rmtree(self.directory_of(number), ignore_errors=True)
        size = 0
        for number in reversed(numbers[-MOST_RUNS:-1]):
            for log in self.directory_of(number).glob("*.log"):
                size += log.stat().st_size
                if size > MOST_BYTES:
                    log.unlink()
