"""Carries a workflow out: `run_workflow` is a run from its first look to its record."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.cache.hidden_outputs import HiddenOutputs
from mlpipe_ci.cache.store import EARLIER, sweep
from mlpipe_ci.core.errors import MlpipeError, PathError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.graph import edges
from mlpipe_ci.core.paths import some
from mlpipe_ci.core.plan import Action, Decision, Plan
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.core.step_environment import environment_of_steps, missing_secrets
from mlpipe_ci.metrics.history import with_history
from mlpipe_ci.metrics.plots.build import with_plots
from mlpipe_ci.plan.baseline import evaluator
from mlpipe_ci.plan.decide import BEFORE_A_COMMAND, make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.private_directory import RUNS
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import Executor, ExecutorContext
from mlpipe_ci.run.executors.select import make_executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.run.listener import Listener, MaskedListener
from mlpipe_ci.run.run_log import RunLog
from mlpipe_ci.run.runner import Runner
from mlpipe_ci.run.settings import RunSettings

HOUR = 3600
IN_A_HURRY = 3.0
"""Seconds: GitHub gives about 7.5 to a job that is cancelled."""


def run_workflow(session: Session, settings: RunSettings, listener: Listener) -> Run:
    """Run what the workflow needs. Outputs that a killed run set aside are put back first.

    Secrets are masked in all that leaves here: what the listener gets, the run, and an error. The
    caller holds the lock of the work tree. Raises MlpipeError where the run cannot start;
    whatever goes wrong in a step is part of the run.
    """
    mask = session.mask
    listener = MaskedListener(listener, mask) if mask else listener
    try:
        return mask.value(_with_executor(session, settings, listener))
    except MlpipeError as error:
        mask.error(error)
        raise


def _with_executor(session: Session, settings: RunSettings, listener: Listener) -> Run:
    context = ExecutorContext(printed=listener.output, locks=settings.locks, jobs=settings.jobs)
    with closing(make_executor(settings.executor, context)) as executor:
        if not executor.can_trace:
            why = f"executor {settings.executor} cannot trace"
            session = replace(session, discovery=replace(session.discovery, unavailable=why))
        return _run(session, settings, listener, executor)


def _run(session: Session, settings: RunSettings, listener: Listener, executor: Executor) -> Run:
    started, repo, cache = time.monotonic(), session.repo, session.cache
    workflow = session.workflow
    collector = session.collector(time.time())  # or there is nothing for a step to run for
    _clean_up(session, listener)
    listener.head(workflow, repo.comparison)
    for warning in repo.comparison.warnings:
        listener.message(f"warning: {warning}")
    plan = make_plan(workflow, collector)  # or a missing input
    listener.planned(plan)
    steps_env = environment_of_steps(session.env, at_desk=session.event.at_desk)
    for warning in _without_secrets(plan, steps_env, keep_going=settings.keep_going):
        listener.message(f"warning: {warning}")
    if cache.store.has_earlier:
        listener.message(EARLIER)
    metrics = evaluator(session, listener.message, time.time())
    run_log = RunLog(repo.private / RUNS)
    logs, record = run_log.begin(workflow.file)
    context = RunContext(
        workflow=workflow,
        evidence=session.collector(time.time()),
        repo=repo,
        cache=cache,
        data=session.data,
        discovery=session.discovery,
        transaction=session.transaction,
        executor=executor,
        env=steps_env,
        logs=logs,
        stale_outputs=session.stale_outputs,
        interrupts=Interrupts(),
        evaluate=metrics.evaluate,
    )
    outcomes, cancelled = carry_out(context, plan, settings, listener)
    _finish(session, listener, cancelled=cancelled)
    with_past = with_history(outcomes, cache.store, cache.scopes)
    run = Run(
        workflow=workflow,
        comparison=repo.comparison,
        outcomes=with_plots(with_past, repo.root, cache.store, settings.largest_plot),
        seconds=time.monotonic() - started,
        cancelled=cancelled,
        transfers=cache.store.transfers(),
        edges=edges(workflow),
        url=session.event.run.url,
        branch=_branch(session.event),
        finished=time.time(),
        root=str(repo.root),
        removed_gates=metrics.removed_gates(),
    )
    run_log.end(record, run)
    return run


def _branch(event: Event) -> str:
    """The branch that is checked out, as people call it; a pull request by its number."""
    if event.change.pull_request is not None:
        return f"pull request {event.change.pull_request}"
    return event.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _without_secrets(plan: Plan, env: Mapping[str, str], *, keep_going: bool) -> tuple[str, ...]:
    """Secrets that are missing for what may run, as warnings. Raises PathError if a step runs for
    sure and would fail the run: before the first command, not after the last but one.
    """
    certain: list[str] = []
    possible: list[str] = []
    for decision in plan.decisions:
        step = decision.step
        if decision.action in BEFORE_A_COMMAND:
            fails = decision.action is Action.RUN and not step.continue_on_error
            words = (f"step '{step.name}': {why}" for why in missing_secrets(step, env))
            (certain if fails and not keep_going else possible).extend(words)
    if certain:
        raise PathError("\n".join(certain))
    return tuple(possible)


def _clean_up(session: Session, listener: Listener) -> None:
    """Put back, move away and remove what earlier runs have left."""
    transaction = session.transaction
    HiddenOutputs(session.repo.root, transaction).bring_back_all()
    for step in transaction.roll_back_all():
        listener.message(f"step '{step}' was interrupted last time; its old outputs were put back")
    stale = session.stale_outputs.gone()
    moved: dict[tuple[str, bool], tuple[str, ...]] = {}
    for one in stale:
        paths = transaction.retire(one.step, one.paths)
        if paths:
            of = (one.step, one.is_item)
            moved[of] = (*moved.get(of, ()), *paths)
    for (step, is_item), paths in moved.items():
        listener.message(_stale_words(step, paths, transaction.previous(step), is_item=is_item))
    session.stale_outputs.record.forget(tuple(one.key for one in stale))
    sweep(session.cache.store, time.time() - HOUR)


def _stale_words(step: str, paths: tuple[str, ...], place: Path, *, is_item: bool) -> str:
    if is_item:
        belong = "belongs" if len(paths) == 1 else "belong"
        text = f"{some(paths)} {belong} to an item that no longer exists"
    else:
        text = f"it is not in the file any more, and what it left goes with it: {some(paths)}"
    return f"step '{step}': {text}; moved to {place}"


def carry_out(
    context: RunContext, plan: Plan, settings: RunSettings, listener: Listener
) -> tuple[tuple[StepOutcome, ...], bool]:
    """Outcomes of all steps in their order, and whether the run was interrupted.

    The first signal ends the commands that run, and waits for them; the second ends them at once.
    """
    runner = Runner(context, plan.decisions, settings)
    cancelled = False
    with context.interrupts.watch():
        try:
            _notify(runner.run(), context, listener)
        except KeyboardInterrupt:
            cancelled = True
            context.interrupts.ending(context.executor.kill)
            runner.cancel()  # before anything is printed: who reads it may have stopped
            if context.interrupts.count > 1:
                context.executor.kill()
            listener.close()
            listener.message("interrupted; ending what runs (once more: at once)")
            with suppress(KeyboardInterrupt):
                _notify(runner.end(), context, listener)
        finally:
            listener.close()
            context.executor.close()
            put_back = context.transaction.roll_back_all()
            HiddenOutputs(context.repo.root, context.transaction).bring_back_all()
        if cancelled:
            _notify(runner.cancelled(put_back), context, listener)
    return runner.outcomes, cancelled


def _notify(
    updates: Iterator[Decision | StepOutcome], context: RunContext, listener: Listener
) -> None:
    durations: dict[str, float] | None = None
    for update in updates:
        if isinstance(update, StepOutcome):
            listener.end(update)
            continue
        if update.action is Action.RUN and durations is None:
            durations = context.cache.state.durations(context.workflow.file)
        listener.start(update, (durations or {}).get(update.step.id))


def _finish(session: Session, listener: Listener, *, cancelled: bool) -> None:
    """Wait for uploads, not for long if the run was interrupted; save the state."""
    try:
        session.cache.store.finish(IN_A_HURRY if cancelled else None)
    except KeyboardInterrupt:
        listener.message("warning: interrupted; not all results were sent to the remote cache")
    finally:
        listener.close()
    if session.cache.state.warning:
        listener.message(f"warning: {session.cache.state.warning}")
    if session.workflow.external_inputs:
        session.data.placement.save()
    session.stale_outputs.record.finish()
    session.cache.state.close()
