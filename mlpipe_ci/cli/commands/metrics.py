"""`mlpipe metrics`: the metrics as they are now beside those of a base; runs and writes nothing."""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
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
from mlpipe_ci.core.cache_key import Difference, params_changed
from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import BaseMetrics, Measurements, Run, Status, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.metrics.files import Metrics, MetricsError, read_metrics, together
from mlpipe_ci.plan.baseline import (
    base_commit_of,
    base_metrics,
    base_workflow,
    without_workflow,
)
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.report import metric_tables
from mlpipe_ci.report.metric_rows import rows, why_no_base
from mlpipe_ci.report.screens.base import has_colour

EXAMPLE = "mlpipe metrics\n  mlpipe metrics origin/main\n  mlpipe metrics v1.2 --csv"
ALL = 1_000_000


@frozen
class Options(CommonOptions):
    """What `mlpipe metrics` takes."""

    session: SessionOptions = DEFAULTS
    format: str = "text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What they are compared with, and how the table is printed."""
    add_common(parser)
    add_workflow(parser)
    add = parser.add_argument
    help_ = "commit, branch or tag to compare with (default: the last commit)"
    add("base", metavar="BASE", nargs="?", help=help_)
    for name in ("markdown", "csv"):
        help_ = f"print the table as {'Markdown' if name == 'markdown' else 'CSV'}"
        add(f"--{name}", dest="format", action="store_const", const=name, help=help_)
    add_no_remote(parser)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; an error of the workflow or of a path is raised."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    # A base that was named and is not in a shallow clone is fetched, beside the clone.
    asked = replace(options.session, fetch=options.session.base is not None)
    locations = check_out_and_locate(options.directory, asked.checkout, env, screen.message)
    session = open_session(locations, asked, env, Messages(line=screen.message), readonly=True)
    now = time.time()
    decisions = make_plan(session.workflow, session.collector(now)).decisions
    then, measured, why = _base(session, now)
    session.cache.state.close()
    outcomes, notes = [], [*session.repo.comparison.warnings, *([why] if why else [])]
    for decision in (one for one in decisions if one.step.metrics):
        now_measured, more_notes = _now(session, decision)
        compared = replace(now_measured, base=measured.get(decision.step.id))
        outcomes.append(StepOutcome(step=decision.step, status=Status.REUSED, measured=compared))
        notes += more_notes
    run = Run(
        workflow=session.workflow,
        comparison=session.repo.comparison,
        outcomes=tuple(outcomes),
        seconds=0.0,
    )
    params = params_changed(then.params, session.workflow.params) if then else []
    notes += [text for text in why_no_base(run) if text != why]
    run, notes = session.mask.value((run, notes))
    for note in notes:
        screen.message(note)
    _print(run, params, notes, options, out, colour=has_colour(out, env))
    return 0


def _base(session: Session, now: float) -> tuple[Workflow | None, Mapping[str, BaseMetrics], str]:
    """The base's workflow and what was measured for it, or why nothing is known."""
    base = base_commit_of(session)
    if base is None:
        return None, {}, f"no base: {session.repo.comparison.how}"
    try:
        then = base_workflow(session, base)
    except MlpipeError as error:
        return None, {}, f"no base: the workflow file of {base.short}: {error}"
    if then is None:
        measured = without_workflow(session.workflow, base)
        why = f"no base: {base.short} has no {session.workflow.file}"
        return None, measured, "" if any(one.metrics for one in measured.values()) else why
    return then, base_metrics(session, base, then, now), ""


def _now(session: Session, decision: Decision) -> tuple[Measurements, list[str]]:
    """What a step measures as all is now: its result, else the files that it has left."""
    step, result = decision.step, decision.result
    if decision.action is Action.REUSE and result is not None and result.metrics:
        return Measurements(metrics=result.metrics, samples=result.samples), []
    found: dict[str, Metrics] = {}
    old = f"{step.name} would run: its numbers are those of an earlier run"
    notes = [] if decision.action is Action.SKIP else [old]
    for path in step.metrics:
        try:
            found[path] = read_metrics(session.repo.root / path, path)
        except MetricsError as error:
            notes.append(str(error))
    if not found:
        notes = [note for note in notes if note != old]
    return Measurements(metrics=together(found)), notes


def _print(
    run: Run,
    params: list[Difference],
    notes: list[str],
    options: Options,
    out: TextIO,
    *,
    colour: bool,
) -> None:
    found, base = rows(run), run.comparison.base
    if options.json:
        text = json.dumps(metric_tables.as_json(run.comparison, found, params, notes), indent=2)
    elif options.format == "markdown":
        text = metric_tables.markdown(found, base, tuple(notes), ALL)
    elif options.format == "csv":
        text = metric_tables.as_csv(found).rstrip("\n")
    else:
        compared = f"base: {base[:7]} ({run.comparison.how})" if base and found else ""
        lines = metric_tables.lines(found, params, colour=colour)
        text = "\n".join((*lines, compared) if compared else lines)
    if text:
        print(text, file=out)
