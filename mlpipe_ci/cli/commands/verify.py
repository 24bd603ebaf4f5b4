"""`mlpipe verify`: prove from keys alone that results in the cache belong to this commit."""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from mlpipe_ci.audit.verify import Claims, Verifier
from mlpipe_ci.ci.screen import open_screen, print_or_drop
from mlpipe_ci.cli.locate import check_out_and_locate
from mlpipe_ci.cli.open_session import Messages, open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_no_remote,
    add_workflow,
)
from mlpipe_ci.cli.report_files import read_report
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.report.from_json import run_of
from mlpipe_ci.report.verification import verification_json, verification_lines

EXAMPLE = "mlpipe verify\n  mlpipe verify --report report.json --strict"


@frozen
class Options(CommonOptions):
    """What `mlpipe verify` takes."""

    session: SessionOptions = DEFAULTS
    report: str = ""
    strict: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is held against the results, and how strictly."""
    add_common(parser)
    add_workflow(parser)
    add_no_remote(parser)
    add = parser.add_argument
    help_ = "JSON of a run's report: what it says of steps and metrics must follow, too"
    add("--report", metavar="FILE", help=help_)
    help_ = "fail also if data is neither of the commit nor an output of a verified result"
    add("--strict", action="store_true", help=help_)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0 if all that is claimed follows from results; 1 if not."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    locations = check_out_and_locate(
        options.directory, options.session.checkout, env, screen.message
    )
    claims = None
    if options.report:
        run = run_of(read_report(Path(options.directory, options.report)))
        claims = Claims(shown=options.report, run=run)
    messages = Messages(line=screen.message, progress=screen.progress)
    session = open_session(locations, options.session, env, messages, readonly=True)
    found = Verifier(session, claims).verify()
    session.cache.state.close()
    if options.json:
        text = json.dumps(verification_json(found, strict=options.strict), indent=2)
    else:
        text = "\n".join(verification_lines(found, time.time(), strict=options.strict))
    print_or_drop(text, out)
    return 0 if found.holds(strict=options.strict) else 1
