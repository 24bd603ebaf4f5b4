"""`mlpipe metrics`: the metrics as they are now beside those of a base; runs and writes nothing."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import provide
from mlpipe_ci.cli.open_session import Telling, open_workspace
from mlpipe_ci.cli.options import Options
from mlpipe_ci.core.cache_key import Difference, params_changed
from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Measured, Run, Status, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.metrics.files import Metrics, MetricsError, read_metrics, together
from mlpipe_ci.plan.baseline import base_workflow, measure, past_of
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Workspace
from mlpipe_ci.report import metric_tables as tables
from mlpipe_ci.report.metric_rows import rows, why_no_base
from mlpipe_ci.report.screens.base import has_colour

ALL = 1_000_000


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; an error of the workflow or of a path is raised."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    # A base that was named and is not in a shallow clone is fetched, beside the clone.
    options = replace(options, fetch=options.base is not None)
    place = provide(options, env, screen.say)
    workspace = open_workspace(place, options, env, Telling(say=screen.say), readonly=True)
    now = time.time()
    decisions = make_plan(workspace.workflow, workspace.gatherer(now)).decisions
    then, measured, why = _base(workspace, env, now)
    workspace.state.close()
    outcomes, notes = [], [*workspace.comparison.warnings, *([why] if why else [])]
    for decision in (one for one in decisions if one.step.metrics):
        outcome, told = _now(workspace, decision)
        outcomes.append(replace(outcome, base=measured.get(decision.step.id)))
        notes += told
    run = Run(
        workflow=workspace.workflow,
        comparison=workspace.comparison,
        outcomes=tuple(outcomes),
        seconds=0.0,
    )
    params = params_changed(then.params, workspace.workflow.params) if then else []
    notes += [text for text in why_no_base(run) if text != why]
    for note in notes:
        screen.say(note)
    _print(run, params, notes, options, out, colour=has_colour(out, env))
    return 0


def _base(
    workspace: Workspace, env: Mapping[str, str], now: float
) -> tuple[Workflow | None, Mapping[str, Measured], str]:
    """The base's workflow and what was measured for it, or why nothing is known."""
    past = past_of(workspace)
    if past is None:
        return None, {}, f"no base: {workspace.comparison.how}"
    try:
        then = base_workflow(workspace, past)
    except MlpipeError as error:
        return None, {}, f"no base: the workflow file of {past.short}: {error}"
    if then is None:
        return None, {}, f"no base: {past.short} has no {workspace.workflow.file}"
    return then, measure(workspace, env, past, then, now), ""


def _now(workspace: Workspace, decision: Decision) -> tuple[StepOutcome, list[str]]:
    """What a step measures as all is now: its result, else the files that it has left."""
    step, result = decision.step, decision.result
    if decision.action is Action.REUSE and result is not None and result.metrics:
        metrics, samples = result.metrics, result.samples
        return StepOutcome(step=step, status=Status.REUSED, metrics=metrics, samples=samples), []
    found: dict[str, Metrics] = {}
    old = f"{step.name} would run: its numbers are those of an earlier run"
    notes = [] if decision.action is Action.SKIP else [old]
    for path in step.metrics:
        try:
            found[path] = read_metrics(workspace.root / path, path)
        except MetricsError as error:
            notes.append(str(error))
    if not found:
        notes = [note for note in notes if note != old]
    return StepOutcome(step=step, status=Status.REUSED, metrics=together(found)), notes


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
        text = json.dumps(tables.as_json(run.comparison, found, params, notes), indent=2)
    elif options.format == "markdown":
        text = tables.markdown(found, base, tuple(notes), ALL)
    elif options.format == "csv":
        text = tables.as_csv(found).rstrip("\n")
    else:
        text = "\n".join(tables.lines(found, params, colour=colour))
    if text:
        print(text, file=out)
