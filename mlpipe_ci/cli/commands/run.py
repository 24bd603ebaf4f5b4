"""`mlpipe run`: do what the plan says, print it as it comes, report it."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mlpipe_ci.cache.auto_gc import collect_if_due
from mlpipe_ci.cache.store import sweep
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.ci.event import read_event, refuse_untrusted
from mlpipe_ci.ci.github.publisher import Publisher, PublishOptions
from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import check_out_and_locate
from mlpipe_ci.cli.open_session import DEFAULT_FILE, Messages, default_name, open_session
from mlpipe_ci.cli.options import Options
from mlpipe_ci.cli.report_files import keep_last, write_page, write_report
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import InterruptedRunError, MlpipeError, PathError, UsageError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.graph import edges
from mlpipe_ci.core.plan import Action, Decision, Plan
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.metrics.evaluation import MetricsEvaluator
from mlpipe_ci.metrics.history import with_history
from mlpipe_ci.metrics.plots.build import LARGE, SMALL, with_plots
from mlpipe_ci.plan.baseline import evaluator
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.git import fetch_large_files
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.report.screens.base import Screen, print_or_drop
from mlpipe_ci.report.to_json import run_json
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors import EXECUTORS
from mlpipe_ci.run.executors.base import Executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.run.machine import capacity
from mlpipe_ci.run.run_log import RunLog
from mlpipe_ci.run.runner import INTERRUPTED, Runner
from mlpipe_ci.run.settings import RunSettings, jobs_of
from mlpipe_ci.sources.placement import Placement

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
    if event.nothing_to_run:
        return _idle(event, options, screen, out)
    publisher = Publisher(
        event, env, PublishOptions(comment=options.comment, status=options.status), screen.message
    )
    try:
        locations = check_out_and_locate(options, env, screen.message)
        run = _locked(locations, options, env, screen, publisher)
    except MlpipeError as error:
        name = default_name(event, Path.cwd())
        publisher.could_not_start(name, options.file or DEFAULT_FILE, error)
        raise
    screen.final(run)
    publisher.finished(run)
    told = run_json(run) | ({"comment_url": url} if (url := publisher.comment_url) else {})
    _tell(told, options, screen, out)
    write_page(run, options, screen.message)
    keep_last(locations.private, told)
    collect_if_due(locations.cache, env, screen.message)
    return exit_code(run)


def _tell(told: dict[str, Any], options: Options, screen: Screen, out: TextIO) -> None:
    """The report as JSON, where it is asked for. A file that cannot be written is a warning."""
    text = json.dumps(told, indent=2)
    if options.json:
        print_or_drop(text, out)
    write_report(text, options, screen.message)


def _locked(
    locations: Locations,
    options: Options,
    env: Mapping[str, str],
    screen: Screen,
    publisher: Publisher,
) -> Run:
    """Run while no other run has the work tree."""
    if "MLPIPE_STEP" in env and env.get("MLPIPE_ROOT") == str(locations.root):
        raise UsageError(
            f"step '{env['MLPIPE_STEP']}' runs mlpipe in its own work tree, which would wait for "
            "itself; put those steps into this file, or run the other file on its own"
        )
    # The lock comes first: while we wait, the branch, the workflow file and all else may change.
    with hold(locations.private / "lock", screen.message, wait=options.wait) as lock:
        messages = Messages(line=screen.message, progress=screen.progress)
        session = open_session(locations, options, env, messages, readonly=False)
        refuse_untrusted(session.event, allowed=options.allow_untrusted)
        publisher.event = session.event
        jobs = jobs_of(options.jobs)
        settings = RunSettings(
            jobs=jobs,
            keep_going=options.keep_going,
            capacity=capacity(env),
            largest_plot=LARGE if options.html or options.report else SMALL,
        )
        return _run(session, env, screen, settings, lock, publisher)


def _idle(event: Event, options: Options, screen: Screen, out: TextIO) -> int:
    """A branch was deleted, or a pull request is closed: nothing to run, nothing to post."""
    screen.message(event.nothing_to_run)
    name = default_name(event, Path.cwd())
    workflow = Workflow(name=name, file=options.file or DEFAULT_FILE, steps=())
    comparison = Comparison(head=event.sha or None, how=event.nothing_to_run)
    run = Run(workflow=workflow, comparison=comparison, outcomes=(), seconds=0.0)
    _tell(run_json(run), options, screen, out)
    return 0


def exit_code(run: Run) -> int:
    """0; 130 if cancelled; 1 if a command failed or a gate was missed; 2 if all that failed is a
    path of a step.
    """
    if run.result == "cancelled":
        return InterruptedRunError.exit_code
    failed = [outcome for outcome in run.outcomes if outcome.fails_run]
    if not failed and not run.removed_gates:
        return 0
    known = run.removed_gates or any(
        o.exit_code is not None or o.missed_gates or o.source_unavailable for o in failed
    )
    return 1 if known else PathError.exit_code


def _run(
    session: Session,
    env: Mapping[str, str],
    screen: Screen,
    settings: RunSettings,
    lock: int | None,
    publisher: Publisher,
) -> Run:
    """Carry the workflow out. What a killed run left aside is put back first."""
    started = time.monotonic()
    evidence_source = session.collector(time.time())  # or there is nothing for a step to run for
    transaction = OutputTransaction(session.root, session.private / "aside")
    for step in transaction.roll_back_all():
        screen.message(f"step '{step}' was interrupted last time; its old outputs were put back")
    _clear_departed(session, transaction, screen)
    sweep(session.store, time.time() - HOUR)
    screen.head(session.workflow, session.comparison)
    for warning in session.comparison.warnings:
        screen.message(f"warning: {warning}")
    plan = make_plan(session.workflow, evidence_source)  # or a missing input
    if any(decision.action not in {Action.REUSE, Action.SKIP} for decision in plan.decisions):
        publisher.started(session.workflow.name)
    weights = evaluator(session, env, screen.message, time.time())
    run_log = RunLog(session.private / "runs")
    logs, record = run_log.begin(session.workflow.file)
    executor = EXECUTORS["local"](screen.output, () if lock is None else (lock,), settings.jobs)
    context = _bench(session, env, transaction, executor, logs, weights)
    outcomes, cancelled = _carry_out(context, plan, screen, settings)
    _finish(session, screen, cancelled=cancelled)
    if session.state.warning:
        screen.message(f"warning: {session.state.warning}")
    if context.placement and session.workflow.external_inputs:
        context.placement.save()
    session.state.close()
    told = with_history(outcomes, session.store, session.event.scopes)
    run = Run(
        workflow=session.workflow,
        comparison=session.comparison,
        outcomes=with_plots(told, session.root, session.store, settings.largest_plot),
        seconds=time.monotonic() - started,
        cancelled=cancelled,
        transfers=session.store.transfers(),
        edges=edges(session.workflow),
        url=session.event.run_url,
        root=str(session.root),
        removed_gates=weights.removed_gates(),
    )
    run_log.end(record, run)
    return run


def _clear_departed(session: Session, transaction: OutputTransaction, screen: Screen) -> None:
    """What items wrote that are gone goes, so that no later step finds it."""
    for group, paths in session.stale_outputs.paths().items():
        transaction.archive(group, paths)
        some = ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")
        path = transaction.replaced(group)
        gone = "is of what data or matrix have no more, so moved to"
        screen.message(f"step '{group}': {some} {gone} {path}")
    session.stale_outputs.note()


def _finish(session: Session, screen: Screen, *, cancelled: bool) -> None:
    """Wait for what is still being sent; not for long if the run was interrupted."""
    try:
        session.store.finish(IN_A_HURRY if cancelled else None)
    except KeyboardInterrupt:
        screen.message("warning: interrupted; not all results were sent to the remote cache")
    finally:
        screen.close()


def _bench(
    session: Session,
    env: Mapping[str, str],
    transaction: OutputTransaction,
    executor: Executor,
    logs: Path,
    evaluator: MetricsEvaluator,
) -> RunContext:
    return RunContext(
        root=session.root,
        workflow=session.workflow,
        evidence=session.collector(time.time()),
        tree=session.tree,
        store=session.store,
        state=session.state,
        transaction=transaction,
        executor=executor,
        env={name: value for name, value in env.items() if name not in OWN_VARIABLES},
        logs=logs,
        scripts=session.private / "scripts",
        scopes=session.event.scopes,
        producer=session.producer,
        checker=session.checker,
        later_writes=session.later_writes,
        fetch_large=_large_files(session),
        needed_only=session.needed_only,
        interrupts=Interrupts(),
        evaluate=evaluator.evaluate,
        placement=Placement(session.root, session.sources, transaction, session.state),
        dvc=session.dvc,
    )


def _large_files(session: Session) -> Callable[[tuple[str, ...]], None] | None:
    git, remote = session.git, session.large_files
    if git is None or remote is None:
        return None
    return lambda paths: fetch_large_files(git.command, remote, paths)


def _carry_out(
    context: RunContext, plan: Plan, screen: Screen, settings: RunSettings
) -> tuple[tuple[StepOutcome, ...], bool]:
    """Outcomes of all steps in their order, also of those that an interruption kept from running.

    The first signal ends what runs, and waits for it; the second ends it at once.
    """
    outcomes: dict[str, StepOutcome] = {}  # a step that was reused may have to run after all
    running: dict[str, Decision] = {}
    cancelled = False
    took: dict[str, float] | None = None
    runner = Runner(context, plan.decisions, settings)
    with context.interrupts.watch():
        try:
            for item in runner.run():
                step = item.step.id
                if isinstance(item, Decision):
                    if item.action is Action.RUN:
                        running[step] = item
                        took = took or context.state.durations(context.workflow.file)
                    screen.start(item, (took or {}).get(step))
                else:
                    running.pop(step, None)
                    outcomes[step] = item
                    screen.end(item)
        except KeyboardInterrupt:
            cancelled = True
            context.interrupts.ending(context.executor.kill)
            runner.cancel()  # before anything is printed: who reads it may have stopped
            if context.interrupts.count > 1:
                context.executor.kill()
            screen.close()
            screen.message("interrupted; ending what runs (once more: at once)")
            with suppress(KeyboardInterrupt):
                for outcome in runner.end():
                    outcomes[outcome.step.id] = outcome
                    running.pop(outcome.step.id, None)
                    screen.end(outcome)
        finally:
            screen.close()
            context.executor.close()
            back = context.transaction.roll_back_all()
        if cancelled:
            for outcome in _cancelled(context, running, outcomes, back):
                outcomes[outcome.step.id] = outcome
                screen.end(outcome)
    return tuple(outcomes[s.id] for s in context.workflow.steps if s.id in outcomes), cancelled


def _cancelled(
    context: RunContext,
    running: Mapping[str, Decision],
    outcomes: Mapping[str, StepOutcome],
    back: Mapping[str, tuple[str, ...]],
) -> list[StepOutcome]:
    """What became of the steps that ran, and of those that would have."""
    left = [s for s in context.workflow.steps if s.id in running or s.id not in outcomes]
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
