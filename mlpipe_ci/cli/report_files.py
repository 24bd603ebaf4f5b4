"""The files that `--report` and `--html` name, and the report of the last run."""

import argparse
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlpipe_ci.core.run import Run
from mlpipe_ci.repo.private_directory import LAST_REPORT


def add_report(parser: argparse.ArgumentParser) -> None:
    """Where the report goes as JSON."""
    help_ = "write what --json prints to this file too"
    parser.add_argument("--report", metavar="FILE", default="", help=help_)


def add_html(parser: argparse.ArgumentParser) -> None:
    """Where the report goes as a page."""
    help_ = "write the report as one HTML file"
    parser.add_argument("--html", metavar="FILE", default="", help=help_)


def write_report(text: str, directory: str, file: str, say: Callable[[str], None]) -> None:
    """Write the JSON, if it is asked for. A file that cannot be written is a warning."""
    if file:
        write(Path(directory, file), text, say)


def write_page(run: Run, directory: str, file: str, say: Callable[[str], None]) -> None:
    """Write the HTML, if it is asked for. A file that cannot be written is a warning."""
    if file:
        write(Path(directory, file), html(run), say)


def html(run: Run) -> str:
    """The report as a page, with pictures of its plots where they can be made."""
    # The templates take 0.1 s to import, the pictures a second: only a page pays for it.
    from mlpipe_ci.metrics.plots.vega import pictures  # noqa: PLC0415
    from mlpipe_ci.report.html import page  # noqa: PLC0415

    plots = tuple(plot for outcome in run.outcomes for plot in outcome.plots)
    return page(run, *pictures(plots))


def keep_last(directory: Path, told: dict[str, Any]) -> None:
    """Keep the report of the last run: whole, or as it was. It is no loss if it cannot be."""
    temporary = directory / f"{LAST_REPORT}.new"
    with suppress(OSError):
        temporary.write_text(json.dumps(told), "utf-8")
        temporary.replace(directory / LAST_REPORT)


def write(path: Path, text: str, say: Callable[[str], None]) -> bool:
    """Write a file. One that cannot be written is a warning; then False."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        say(f"warning: {path} was not written: {error.strerror}")
        return False
    return True
