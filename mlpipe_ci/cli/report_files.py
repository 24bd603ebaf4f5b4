"""The files that `--report` and `--html` name, and the report of the last run."""

import argparse
import json
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import Run
from mlpipe_ci.repo.private_directory import LAST_REPORT
from mlpipe_ci.report.renderings import RENDERINGS, render

MOST = 5_000_000
"""Bytes of a report; the largest that a run wrote in the tests has a tenth of it."""


@frozen
class ReportFile:
    """A file that a report is written to, and the ending that says how."""

    name: str
    ending: str


def add_reports(parser: argparse.ArgumentParser) -> None:
    """Where the report of a run goes."""
    help_ = (
        f"write the report to this file, as its ending says: {', '.join(RENDERINGS)} (default: "
        ".json); may be given several times"
    )
    add = partial(parser.add_argument, dest="reports", metavar="FILE", action="append")
    add("--report", type=report_file, help=help_)
    add("--html", type=page_file, help="write the report as one HTML file")


def report_file(name: str, endings: Collection[str] = tuple(RENDERINGS)) -> ReportFile:
    """The file of `--report`. Raises ArgumentTypeError if its ending is none of these."""
    ending = PurePath(name).suffix.lower() or ".json"  # as /dev/fd/3
    if ending not in endings:
        raise argparse.ArgumentTypeError(
            f"'{name}': how a report is written follows from the ending of its file; "
            f"there are: {', '.join(endings)}"
        )
    return ReportFile(name=name, ending=ending)


def page_file(name: str) -> ReportFile:
    """The file of `--html`, whatever it is called."""
    return ReportFile(name=name, ending=".html")


def write_reports(
    run: Run, directory: str, files: tuple[ReportFile, ...], say: Callable[[str], None]
) -> None:
    """Write the report to each file. One that cannot be written is a warning."""
    for file in files:
        write(Path(directory, file.name), render(run, file.ending), say)


def save_last(directory: Path, record: dict[str, Any]) -> None:
    """Keep the report of the last run: whole, or as it was. It is no loss if it cannot be."""
    temporary = directory / f"{LAST_REPORT}.new"
    with suppress(OSError):
        temporary.write_text(json.dumps(record), "utf-8")
        temporary.replace(directory / LAST_REPORT)


def write(path: Path, text: str, say: Callable[[str], None]) -> bool:
    """Write a file. One that cannot be written is a warning; then False."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8")
    except OSError as error:
        say(f"warning: {path} was not written: {error.strerror}")
        return False
    return True


def read_report(path: Path) -> dict[str, Any]:
    """The JSON of a report. Raises UsageError if it is none."""
    # jsonschema takes 50 ms to import, which no run pays.
    from mlpipe_ci.workflow.schema_errors import report_fault  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MOST:
        raise UsageError(f"{path} has more than {MOST:,} bytes: that is no report of mlpipe")
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if fault := report_fault(record):
        raise UsageError(f"{path} is no report of this version of mlpipe: {fault}")
    return dict(record)
