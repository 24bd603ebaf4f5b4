"""`mlpipe report`: a run's JSON as Markdown or HTML, or as the comment on its pull request."""

import argparse
import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from mlpipe_ci.ci.event import read_event
from mlpipe_ci.ci.github.publisher import Publisher, PublishOptions
from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.options import CommonOptions, add_common
from mlpipe_ci.cli.report_files import ReportFile, add_reports, page_file, read_report, write
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import Run
from mlpipe_ci.repo.private_directory import LAST_REPORT
from mlpipe_ci.report.from_json import run_of
from mlpipe_ci.report.renderings import render
from mlpipe_ci.report.screens.base import Screen

EXAMPLE = "mlpipe report --open\n  mlpipe report report.json\n  mlpipe report report.json --post"


@frozen
class Options(CommonOptions):
    """What `mlpipe report` takes."""

    files: tuple[str, ...] = ()
    reports: tuple[ReportFile, ...] = ()
    open: bool = False
    post: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which report, and where to."""
    add_common(parser)
    help_ = (
        "JSON that `mlpipe run --report FILE` or `--json` wrote (default: of the last run here); "
        "with --post also several, of the jobs of one run"
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help=help_)
    add_reports(parser)
    help_ = "make it one HTML file, and open that in a browser"
    parser.add_argument("--open", action="store_true", help=help_)
    help_ = "in GitHub Actions: comment on the pull request of the run that this event is about"
    parser.add_argument("--post", action="store_true", help=help_)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0, also if the comment could not be posted; 2 if a file is no report."""
    if len(options.files) > 1 and not options.post:
        raise UsageError("one report at a time; only --post takes several")
    files = [Path(options.directory, file) for file in options.files]
    runs = [run_of(read_report(file)) for file in files or [_last(options.directory, env)]]
    run = runs[0]
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    if options.open or options.reports:
        return _write(run, options, screen)
    if not options.post:
        text = render(run, ".json" if options.json else ".md")
        print(text.removesuffix("\n"), file=out)
        return 0
    wants = PublishOptions(status="never")
    Publisher(read_event(env), env, run.workflow.file, wants, screen.message).post(runs)
    return 0


def _last(directory: str, env: Mapping[str, str]) -> Path:
    """The report of the last run in this work tree. Raises UsageError."""
    path = find_locations(directory, env).private / LAST_REPORT
    if not path.exists():
        raise UsageError("no run has been here yet: mlpipe run, or name a report's file")
    return path


def _write(run: Run, options: Options, screen: Screen) -> int:
    """Exit code 0; 2 if a file could not be written."""
    files = options.reports
    page = next((file for file in files if file.ending == ".html"), None)
    if options.open and page is None:
        page = page_file(str(Path(tempfile.mkdtemp(prefix="mlpipe-")) / "report.html"))
        files = (*files, page)
    for file in files:
        path = Path(options.directory, file.name).resolve()
        if not write(path, render(run, file.ending), screen.message):
            return 2
        screen.message(f"report: {path}")
        if options.open and file is page and not webbrowser.open(path.as_uri()):
            screen.message("warning: no browser could be opened")
    return 0
