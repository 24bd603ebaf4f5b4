"""`mlpipe plan`: say what a run would do, and why; run nothing, write nothing."""

import argparse
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TextIO

from mlpipe_ci.cache.store import EARLIER
from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import check_out_and_locate
from mlpipe_ci.cli.open_session import Messages, open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_decision,
    add_targets,
    add_workflow,
)
from mlpipe_ci.cli.report_files import ReportFile, report_file, write
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Measurements, Status, StepOutcome
from mlpipe_ci.metrics.evaluation import MetricsEvaluator
from mlpipe_ci.plan.baseline import evaluator
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.report import terminal
from mlpipe_ci.report.screens.base import has_colour
from mlpipe_ci.report.to_json import plan_json

EXAMPLE = "mlpipe plan\n  mlpipe plan --base origin/main"


@frozen
class Options(CommonOptions):
    """What `mlpipe plan` takes."""

    session: SessionOptions = DEFAULTS
    reports: tuple[ReportFile, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that a run has too."""
    add_common(parser)
    add_workflow(parser)
    add_decision(parser)
    add_targets(parser)
    help_ = "write what --json prints to this file too"
    parser.add_argument(
        "--report",
        dest="reports",
        metavar="FILE",
        action="append",
        type=partial(report_file, endings=(".json",)),
        help=help_,
    )


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; an error of the workflow or of a path is raised."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    locations = check_out_and_locate(
        options.directory, options.session.checkout, env, screen.message
    )
    session = open_session(
        locations, options.session, env, Messages(line=screen.message), readonly=True
    )
    for warning in session.repo.comparison.warnings:
        screen.message(f"warning: {warning}")
    now = time.time()
    metrics = evaluator(session, screen.message, now)
    made = make_plan(
        session.workflow, session.collector(now, foresees=True), partial(_missed, metrics)
    )
    plan = session.mask.value(made)
    if session.cache.store.has_earlier:
        screen.message(EARLIER)
    session.cache.state.close()
    text = json.dumps(plan_json(plan, session.repo.comparison), indent=2)
    for file in options.reports:
        write(Path(options.directory, file.name), text, screen.message)
    if options.json:
        print(text, file=out)
        return 0
    colour = has_colour(out, env)
    if not options.quiet:
        print(terminal.head_line(plan.workflow, session.repo.comparison, colour=colour), file=err)
    for line in terminal.plan_lines(plan, colour=colour):
        print(line, file=out)
    if not options.quiet and all(d.action in {Action.REUSE, Action.SKIP} for d in plan.decisions):
        print("nothing to run", file=err)
    return 0


def _missed(evaluator: MetricsEvaluator, decision: Decision) -> tuple[str, ...]:
    """The gates that the result of a step misses which would be reused."""
    if decision.result is None:
        return ()
    result = decision.result
    measured = Measurements(metrics=result.metrics, samples=result.samples)
    reused = StepOutcome(step=decision.step, status=Status.REUSED, measured=measured)
    outcome = evaluator.evaluate(reused)
    return terminal.gate_lines(outcome) if outcome.fails_run else ()
