"""`mlpipe runs`: the last runs in this work tree, the newest first."""

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping
from time import localtime, strftime
from typing import Any, TextIO

from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.options import CommonOptions, add_common
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import Status
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.repo.private_directory import RUNS
from mlpipe_ci.report.wording import escape_controls
from mlpipe_ci.run.run_log import RunLog, RunRecord

EXAMPLE = "mlpipe runs"
WORDS = {
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timed out",
    Status.SUCCEEDED: "ran",
    Status.REUSED: "reused",
    Status.SKIPPED: "skipped",
    Status.BLOCKED: "not run",
    Status.CANCELLED: "cancelled",
}


@frozen
class Options(CommonOptions):
    """What `mlpipe runs` takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only those that each command has."""
    add_common(parser)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0."""
    run_log = RunLog(find_locations(options.directory, env).private / RUNS)
    found = [record for n in reversed(run_log.numbers()) if (record := run_log.record(n))]
    if options.json:
        json.dump({"version": 1, "runs": [_json(record) for record in found]}, out, indent=2)
        print(file=out)
    for record in () if options.json else found:
        print(_line(record), file=out)
    if not found:
        print("no run in this work tree yet", file=err)
    return 0


def result_of(record: RunRecord) -> str:
    """`success`, `failure`, `cancelled`; `running`, or `killed` if it came to no end."""
    return record.result or ("running" if is_running(record) else "killed")


def is_running(record: RunRecord) -> bool:
    """True if the process of a run is still there."""
    if record.result:
        return False
    try:
        os.kill(record.process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return record.process > 0


def _line(record: RunRecord) -> str:
    counts = Counter(step.status for step in record.steps)
    steps = " · ".join(f"{counts[one]} {word}" for one, word in WORDS.items() if counts[one])
    when = strftime("%Y-%m-%d %H:%M", localtime(record.started))
    took = format_duration(record.seconds) if record.result else ""
    parts = (f"{record.number:>4}", when, f"{result_of(record):<9}", f"{took:>7}")
    return "  ".join(
        (*parts, record.head[:7].ljust(7), escape_controls(record.file), steps)
    ).rstrip()


def _json(record: RunRecord) -> dict[str, Any]:
    steps = [
        {"id": s.id, "name": escape_controls(s.name), "status": s.status, "seconds": s.seconds}
        for s in record.steps
    ]
    return {
        "number": record.number,
        "started": round(record.started, 3),
        "seconds": record.seconds,
        "result": result_of(record),
        "file": escape_controls(record.file),
        "head": record.head or None,
        "steps": steps,
    }
