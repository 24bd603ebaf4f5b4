"""`mlpipe run`: do what the plan says, print it as it comes, report it."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mlpipe_ci.cache.auto_gc import tidy
from mlpipe_ci.cache.store import sweep
from mlpipe_ci.cache.transaction import Aside
from mlpipe_ci.ci.event import read_event, refuse_untrusted
from mlpipe_ci.ci.github.publisher import Publisher, Wants
from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import provide
from mlpipe_ci.cli.open_session import DEFAULT_FILE, Telling, default_name, open_workspace
from mlpipe_ci.cli.options import Options
from mlpipe_ci.cli.report_files import keep_last, write_page, write_report
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import InterruptedRunError, MlpipeError, PathError, UsageError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.graph import edges
from mlpipe_ci.core.plan import Action, Decision, Plan
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.metrics.evaluation import Scales
from mlpipe_ci.metrics.history import with_history
from mlpipe_ci.metrics.plots.build import LARGE, SMALL, with_plots
from mlpipe_ci.plan.baseline import scales
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Workspace
from mlpipe_ci.repo.git import fetch_large_files
from mlpipe_ci.repo.location import Place
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.report.screens.base import Screen, print_or_drop
from mlpipe_ci.report.to_json import run_json
from mlpipe_ci.run.context import Bench
from mlpipe_ci.run.executors import EXECUTORS
from mlpipe_ci.run.executors.base import Executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.run.machine import capacity
from mlpipe_ci.run.run_log import Runs
from mlpipe_ci.run.runner import INTERRUPTED, Runner
from mlpipe_ci.run.settings import Terms, jobs_of
from mlpipe_ci.sources.placement import Placing

OWN_VARIABLES = (
    "MLPIPE_TOKEN",
    "MLPIPE_PACK",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_CACHE_URL",
    "ACTIONS_RESULTS_URL",
)
"""Never passed to a step: they are mlpipe's or the runner's own, not the user's."""
HOUR = 3600
SHOWN = 3
IN_A_HURRY = 3.0
"""Seconds: GitHub gives about 7.5 to a job that is cancelled."""


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if a step failed; 2 for a wrong path; 130 if the run was interrupted."""
    stream = err if options.json else out
    jobs = jobs_of(options.jobs)
    screen = open_screen(stream, env, progress=options.progress, quiet=options.quiet, many=jobs > 1)
    event = read_event(env, None)
    if event.idle:
        return _idle(event, options, screen, out)
    publisher = Publisher(
        event, env, Wants(comment=options.comment, status=options.status), screen.say
    )
    try:
        place = provide(options, env, screen.say)
        run = _locked(place, options, env, screen, publisher)
    except MlpipeError as error:
        name = default_name(event, Path.cwd())
        publisher.breaks(name, options.file or DEFAULT_FILE, error)
        raise
    screen.final(run)
    publisher.ends(run)
    told = run_json(run) | ({"comment_url": url} if (url := publisher.comment_url) else {})
    _tell(told, options, screen, out)
    write_page(run, options, screen.say)
    keep_last(place.private, told)
    tidy(place.cache, env, screen.say)
    return exit_code(run)


def _tell(told: dict[str, Any], options: Options, screen: Screen, out: TextIO) -> None:
    """The report as JSON, where it is asked for. A file that cannot be written is a warning."""
    text = json.dumps(told, indent=2)
    if options.json:
        print_or_drop(text, out)
    write_report(text, options, screen.say)


def _locked(
    place: Place, options: Options, env: Mapping[str, str], screen: Screen, publisher: Publisher
) -> Run:
    """Run while no other run has the work tree."""
    if "MLPIPE_STEP" in env and env.get("MLPIPE_ROOT") == str(place.root):
        raise UsageError(
            f"step '{env['MLPIPE_STEP']}' runs mlpipe in its own work tree, which would wait for "
            "itself; put those steps into this file, or run the other file on its own"
        )
    # The lock comes first: while we wait, the branch, the workflow file and all else may change.
    with hold(place.private / "lock", screen.say, wait=options.wait) as lock:
        telling = Telling(say=screen.say, tell=screen.progress)
        workspace = open_workspace(place, options, env, telling, readonly=False)
        refuse_untrusted(workspace.event, allowed=options.allow_untrusted)
        publisher.event = workspace.event
        jobs = jobs_of(options.jobs)
        terms = Terms(
            jobs=jobs,
            keep_going=options.keep_going,
            capacity=capacity(env),
            largest_plot=LARGE if options.html or options.report else SMALL,
        )
        return _run(workspace, env, screen, terms, lock, publisher)


def _idle(event: Event, options: Options, screen: Screen, out: TextIO) -> int:
    """A branch was deleted, or a pull request is closed: nothing to run, nothing to post."""
    screen.say(event.idle)
    name = default_name(event, Path.cwd())
    workflow = Workflow(name=name, file=options.file or DEFAULT_FILE, steps=())
    comparison = Comparison(head=event.sha or None, how=event.idle)
    run = Run(workflow=workflow, comparison=comparison, outcomes=(), seconds=0.0)
    _tell(run_json(run), options, screen, out)
    return 0


def exit_code(run: Run) -> int:
    """0; 130 if cancelled; 1 if a command failed or a gate was missed; 2 if all that failed is a
    path of a step.
    """
    if run.result == "cancelled":
        return InterruptedRunError.exit_code
    failed = [outcome for outcome in run.outcomes if outcome.broke]
    if not failed and not run.lost:
        return 0
    known = run.lost or any(o.exit_code is not None or o.missed or o.lacked for o in failed)
    return 1 if known else PathError.exit_code


def _run(
    workspace: Workspace,
    env: Mapping[str, str],
    screen: Screen,
    terms: Terms,
    lock: int | None,
    publisher: Publisher,
) -> Run:
    """Carry the workflow out. What a killed run left aside is put back first."""
    started = time.monotonic()
    witness = workspace.gatherer(time.time())  # or there is nothing for a step to run for
    aside = Aside(workspace.root, workspace.private / "aside")
    for step in aside.put_all_back():
        screen.say(f"step '{step}' was interrupted last time; its old outputs were put back")
    _clear_departed(workspace, aside, screen)
    sweep(workspace.store, time.time() - HOUR)
    screen.head(workspace.workflow, workspace.comparison)
    for warning in workspace.comparison.warnings:
        screen.say(f"warning: {warning}")
    plan = make_plan(workspace.workflow, witness)  # or a missing input
    if any(decision.action not in {Action.REUSE, Action.SKIP} for decision in plan.decisions):
        publisher.begins(workspace.workflow.name)
    weights = scales(workspace, env, screen.say, time.time())
    runs = Runs(workspace.private / "runs")
    logs, record = runs.begin(workspace.workflow.file)
    executor = EXECUTORS["local"](screen.printed, () if lock is None else (lock,), terms.jobs)
    bench = _bench(workspace, env, aside, executor, logs, weights)
    outcomes, cancelled = _carry_out(bench, plan, screen, terms)
    _finish(workspace, screen, cancelled=cancelled)
    if workspace.state.warning:
        screen.say(f"warning: {workspace.state.warning}")
    if bench.placing and workspace.workflow.outside:
        bench.placing.save()
    workspace.state.close()
    told = with_history(outcomes, workspace.store, workspace.event.scopes)
    run = Run(
        workflow=workspace.workflow,
        comparison=workspace.comparison,
        outcomes=with_plots(told, workspace.root, workspace.store, terms.largest_plot),
        seconds=time.monotonic() - started,
        cancelled=cancelled,
        transfers=workspace.store.transfers(),
        edges=edges(workspace.workflow),
        url=workspace.event.run_url,
        root=str(workspace.root),
        lost=weights.lost(),
    )
    runs.end(record, run)
    return run


def _clear_departed(workspace: Workspace, aside: Aside, screen: Screen) -> None:
    """What items wrote that are gone goes, so that no later step finds it."""
    for group, paths in workspace.departed.paths().items():
        aside.retire(group, paths)
        some = ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")
        place = aside.replaced(group)
        gone = "is of what data or matrix have no more, so moved to"
        screen.say(f"step '{group}': {some} {gone} {place}")
    workspace.departed.note()


def _finish(workspace: Workspace, screen: Screen, *, cancelled: bool) -> None:
    """Wait for what is still being sent; not for long if the run was interrupted."""
    try:
        workspace.store.finish(IN_A_HURRY if cancelled else None)
    except KeyboardInterrupt:
        screen.say("warning: interrupted; not all results were sent to the remote cache")
    finally:
        screen.close()


def _bench(
    workspace: Workspace,
    env: Mapping[str, str],
    aside: Aside,
    executor: Executor,
    logs: Path,
    weights: Scales,
) -> Bench:
    return Bench(
        root=workspace.root,
        workflow=workspace.workflow,
        witness=workspace.gatherer(time.time()),
        tree=workspace.tree,
        store=workspace.store,
        state=workspace.state,
        aside=aside,
        executor=executor,
        env={name: value for name, value in env.items() if name not in OWN_VARIABLES},
        logs=logs,
        scripts=workspace.private / "scripts",
        scopes=workspace.event.scopes,
        producer=workspace.producer,
        checker=workspace.checker,
        later=workspace.later,
        fetch_large=_large_files(workspace),
        needed_only=workspace.needed_only,
        interrupts=Interrupts(),
        weigh=weights.weigh,
        placing=Placing(workspace.root, workspace.sources, aside, workspace.state),
        dvc=workspace.dvc,
    )


def _large_files(workspace: Workspace) -> Callable[[tuple[str, ...]], None] | None:
    git, remote = workspace.git, workspace.large_files
    if git is None or remote is None:
        return None
    return lambda paths: fetch_large_files(git.command, remote, paths)


def _carry_out(
    bench: Bench, plan: Plan, screen: Screen, terms: Terms
) -> tuple[tuple[StepOutcome, ...], bool]:
    """Outcomes of all steps in their order, also of those that an interruption kept from running.

    The first signal ends what runs, and waits for it; the second ends it at once.
    """
    outcomes: dict[str, StepOutcome] = {}  # a step that was reused may have to run after all
    running: dict[str, Decision] = {}
    cancelled = False
    took: dict[str, float] | None = None
    runner = Runner(bench, plan.decisions, terms)
    with bench.interrupts.watch():
        try:
            for item in runner.run():
                step = item.step.id
                if isinstance(item, Decision):
                    if item.action is Action.RUN:
                        running[step] = item
                        took = took or bench.state.durations(bench.workflow.file)
                    screen.start(item, (took or {}).get(step))
                else:
                    running.pop(step, None)
                    outcomes[step] = item
                    screen.end(item)
        except KeyboardInterrupt:
            cancelled = True
            bench.interrupts.ending(bench.executor.kill)
            runner.cancel()  # before anything is printed: who reads it may have stopped
            if bench.interrupts.count > 1:
                bench.executor.kill()
            screen.close()
            screen.say("interrupted; ending what runs (once more: at once)")
            with suppress(KeyboardInterrupt):
                for outcome in runner.end():
                    outcomes[outcome.step.id] = outcome
                    running.pop(outcome.step.id, None)
                    screen.end(outcome)
        finally:
            screen.close()
            bench.executor.close()
            back = bench.aside.put_all_back()
        if cancelled:
            for outcome in _cancelled(bench, running, outcomes, back):
                outcomes[outcome.step.id] = outcome
                screen.end(outcome)
    return tuple(outcomes[s.id] for s in bench.workflow.steps if s.id in outcomes), cancelled


def _cancelled(
    bench: Bench,
    running: Mapping[str, Decision],
    outcomes: Mapping[str, StepOutcome],
    back: Mapping[str, tuple[str, ...]],
) -> list[StepOutcome]:
    """What became of the steps that ran, and of those that would have."""
    left = [s for s in bench.workflow.steps if s.id in running or s.id not in outcomes]
    return [
        StepOutcome(
            step=step,
            status=Status.CANCELLED if step.id in running else Status.BLOCKED,
            reasons=INTERRUPTED,
            notes=(f"put back from before: {', '.join(back[step.id])}",)
            if back.get(step.id)
            else (),
        )
        for step in left
    ]
