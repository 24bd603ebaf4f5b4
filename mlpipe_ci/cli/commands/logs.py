"""`mlpipe logs [STEP]`: what steps printed, also those whose result was reused."""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from mlpipe_ci.cache.objects import DamagedError, Objects
from mlpipe_ci.cli.commands.runs import is_running, result_of
from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.options import CommonOptions, add_common
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.private_directory import RUNS
from mlpipe_ci.report.wording import escape_controls
from mlpipe_ci.run.run_log import RunLog, RunRecord

EXAMPLE = "mlpipe logs\n  mlpipe logs train --run 12\n  mlpipe logs train --follow"
PAUSE = 0.2


@frozen
class Options(CommonOptions):
    """What `mlpipe logs` takes."""

    steps: tuple[str, ...] = ()
    run: int | None = None
    follow: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which steps, and of which run."""
    add_common(parser)
    add = parser.add_argument
    add("steps", metavar="STEP", nargs="*", help="ids of steps (default: all that ran)")
    add("--run", metavar="N", type=int, help="of this run (default: the last; see mlpipe runs)")
    add("-f", "--follow", action="store_true", help="go on printing while the run goes on")


@frozen
class StepLog:
    """What a step printed: a file, or the digest of a content in the cache, or why there is none.

    `words`: what the reader should know about it.
    """

    step: str
    file: Path | None = None
    digest: str = ""
    words: str = ""


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if there is nothing to show. Raises UsageError."""
    locations = find_locations(options.directory, env)
    run_log = RunLog(locations.private / RUNS)
    record = _record(run_log, options)
    if options.follow:
        return _follow(run_log, record, options.steps, out, err)
    found = list(_found(run_log, record, options))
    objects = Objects(locations.cache)
    if options.json:
        steps = [_json(one, objects) for one in found]
        json.dump({"version": 1, "run": record.number, "steps": steps}, out, indent=2)
        print(file=out)
        return 0 if found else 1
    for one in found:
        if len(found) > 1 or one.words:
            print(f"── {one.step}{f' ({one.words})' if one.words else ''}", file=err, flush=True)
        _copy(one, objects, out)
    if not found:
        print(
            f"run {record.number} executed nothing; mlpipe logs STEP prints what a step printed "
            "when its result was made",
            file=err,
        )
    return 0 if any(one.file or one.digest for one in found) else 1


def _record(run_log: RunLog, options: Options) -> RunRecord:
    numbers = run_log.numbers()
    if not numbers:
        raise UsageError("there was no run in this work tree yet; mlpipe run makes one")
    number = numbers[-1] if options.run is None else options.run
    record = run_log.record(number)
    if record is None:
        kept = f"{numbers[0]} to {numbers[-1]}"
        raise UsageError(f"run {number} is not known; there are {kept} (mlpipe runs)")
    return record


def _found(run_log: RunLog, record: RunRecord, options: Options) -> Iterator[StepLog]:
    """What was asked for; without names all that ran, in the order in which they began."""
    if not options.steps:
        logs = sorted(
            run_log.directory_of(record.number).glob("*.log"), key=lambda log: log.stat().st_mtime
        )
        order = {step.id: index for index, step in enumerate(record.steps)}
        for log in sorted(logs, key=lambda log: order.get(log.stem, len(order))):
            yield StepLog(step=log.stem, file=log)
    for name in (one for asked in options.steps for one in _meant(record, asked)):
        yield _of_step(run_log, record, name, earlier=options.run is None)


def _meant(record: RunRecord, name: str) -> list[str]:
    """A step by its id or name; of a step with items or a matrix, by that of all."""
    if any(name in (step.id, step.name) for step in record.steps):
        return [name]
    of_all = [step.id for step in record.steps if step.name.startswith(f"{name} (")]
    return of_all or [name]


def _of_step(run_log: RunLog, record: RunRecord, name: str, *, earlier: bool) -> StepLog:
    """Of this run; or, if `earlier`, of the newest in which the step did something."""
    known: set[str] = set()
    numbers = [n for n in run_log.numbers() if n <= record.number] if earlier else [record.number]
    for number in reversed(numbers):
        one = run_log.record(number)
        if one is None:
            continue
        ids = {s.id for s in one.steps if name in (s.id, s.name)} or {name}
        known |= {s.id for s in one.steps}
        step = ids.pop()
        words = "" if number == numbers[-1] else f"in run {number}"
        if run_log.log(number, step).is_file():
            return StepLog(step=step, file=run_log.log(number, step), words=words)
        for step_record in one.steps:
            if step_record.id == step and step_record.log:
                words = f"reused in run {number}; printed when its result was made"
                return StepLog(step=step, digest=step_record.log, words=words)
            if step_record.id == step and not earlier:
                return StepLog(
                    step=step, words=f"{step_record.status} in run {number}, printed nothing"
                )
    if name not in known:
        some = ", ".join(sorted(known)) or "none"
        raise UsageError(
            f"no step '{escape_controls(name)}' in the runs that are kept; there are: {some}"
        )
    return StepLog(step=name, words="it printed nothing in the runs that are kept")


def _copy(one: StepLog, objects: Objects, out: TextIO) -> None:
    out.flush()
    target: BinaryIO = out.buffer
    with tempfile.TemporaryDirectory() as directory:
        path = one.file
        if one.digest:
            path = Path(directory) / "log"
            _fetch(one, objects, path)
        if path:
            with path.open("rb") as log:
                shutil.copyfileobj(log, target)
    target.flush()


def _fetch(one: StepLog, objects: Objects, path: Path) -> None:
    try:
        objects.restore(one.digest, path)
    except DamagedError as error:
        message = f"what {one.step} printed is not in the cache any more ({error})"
        raise UsageError(message) from error


def _json(one: StepLog, objects: Objects) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        path = one.file
        if one.digest:
            path = Path(directory) / "log"
            _fetch(one, objects, path)
        text = path.read_text("utf-8", "replace") if path else None
    return {"step": one.step, "reused": bool(one.digest), "text": text}


def _follow(
    run_log: RunLog, record: RunRecord, steps: tuple[str, ...], out: TextIO, err: TextIO
) -> int:
    """Print what a step prints, as long as the run goes on. Exit code 1 if it did not begin."""
    if len(steps) != 1:
        raise UsageError("--follow takes the id of one step")
    if not is_running(record):
        raise UsageError(f"run {record.number} is over ({result_of(record)}); leave --follow out")
    path, offset = run_log.log(record.number, steps[0]), 0
    name = escape_controls(steps[0])
    if not path.is_file():
        print(f"step '{name}' has not begun in run {record.number}; waiting for it", file=err)
    while True:
        over = not is_running(run_log.record(record.number) or record)
        if path.is_file():
            with path.open("rb") as log:
                log.seek(offset if offset <= path.stat().st_size else 0)  # it was begun again
                shutil.copyfileobj(log, out.buffer)
                offset = log.tell()
            out.flush()
        if over and not path.is_file():
            print(f"run {record.number} is over; no command of a step '{name}' ran", file=err)
        if over:
            return 0 if path.is_file() else 1
        time.sleep(PAUSE)
