"""Carries out one command: its outputs set aside, then its result saved, or all put back."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.cache.left_record import history_of
from mlpipe_ci.cache.outputs import MissingOutputError, digest_at, refuse_links
from mlpipe_ci.cache.state import Failure
from mlpipe_ci.cache.transaction import SetAside
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.external_url import redacted
from mlpipe_ci.core.metric_statistics import means
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.patterns import matches, may_match
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.run import Discoveries, Execution, LeftBehind, Measurements, Status, StepOutcome
from mlpipe_ci.core.state_paths import is_of_joblib, is_state
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import MetricsError
from mlpipe_ci.repo.lfs import lfs_pointers, uses_lfs
from mlpipe_ci.run.conflicts import FileAccess
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import JobResult
from mlpipe_ci.run.file_access import access_of_failure, contents_read
from mlpipe_ci.run.function_results import outdated_results
from mlpipe_ci.run.job import make_job
from mlpipe_ci.run.outcome import (
    aside_notes,
    history_here,
    logs_of,
    make_outcome,
    moved_note,
    read_all_metrics,
    read_samples,
    record_success,
    retire_unfinished,
    what_it_left,
)
from mlpipe_ci.run.read_before import fault_of_params, fault_of_writes
from mlpipe_ci.run.running import Attempt, AttemptResult
from mlpipe_ci.run.saved_result import SavedResult

MOST_FAULTS = 10
REMEDY = "tracing: off"
"""In what a tracer says where a command may have failed because it is watched."""
TAIL_LINES = 40
TAIL_BYTES = 1 << 16


def start(context: RunContext, decision: Decision, gpus: tuple[str, ...] = ()) -> Attempt:
    """Set a step's outputs aside and start its command. Raises PathError; then nothing runs."""
    step = decision.step
    refuse_links(context.repo.root, step, step.writes)
    notes = moved_note(context, step, context.transaction.clear_way(step))
    more = context.stale_outputs.before(step)
    logs = context.cache.state.last_trace(context.workflow.file, step.id).logs
    for path in sorted(logs_of(context, step, logs, read=True)):  # none any more: it begins anew
        earlier = context.discovery.checker.is_made_before(
            path, context.workflow.index_by_id[step.id]
        )
        if not (path in more or earlier or context.repo.tree.tracked(path)):
            more += (path,)
    more += outdated_results(context, step)
    first = Attempt(decision=decision, number=1, more=more, notes=notes, gpus=gpus)
    _start(context, first)
    return first


def retry(context: RunContext, attempt: Attempt) -> Attempt:
    """Start the command once more. Raises PathError."""
    following = replace(attempt, number=attempt.number + 1)
    _start(context, following)
    return following


def _start(context: RunContext, attempt: Attempt) -> None:
    step = attempt.decision.step
    try:
        job = make_job(context, step, attempt.number, attempt.gpus)
        context.transaction.set_aside(step, attempt.more)
        context.executor.start(job)
    except (OSError, ValueError) as error:
        context.transaction.roll_back(step.id)
        reason = getattr(error, "strerror", None) or str(error)
        path = f"'{name}': " if (name := getattr(error, "filename", None)) else ""
        raise PathError(f"the command cannot be run: {path}{reason}") from error


def finish(context: RunContext, attempt: Attempt, ended: JobResult) -> AttemptResult:
    """Save what the command wrote, or put back what was there before."""
    context.repo.tree.forget()
    context.discovery.checker.environment.forget()
    access, outcome = _ended(context, attempt, ended)
    if outcome.status is not Status.SUCCEEDED:
        _note_unfinished(context, attempt, ended)
    execution = replace(outcome.execution, attempts=attempt.number)
    notes = outcome.notes + attempt.notes
    return AttemptResult(outcome=replace(outcome, execution=execution, notes=notes), access=access)


def _ended(
    context: RunContext, attempt: Attempt, ended: JobResult
) -> tuple[FileAccess, StepOutcome]:
    decision = attempt.decision
    access = access_of_failure(ended.trace, context.repo.root)
    if ended.cancelled:
        outcome = _failed(context, decision, ended, "ended by mlpipe")
        return access, replace(outcome, status=Status.CANCELLED)
    try:
        if ended.timed_out:
            limit = decision.step.timeout_minutes or 0
            why = f"ended after {limit:g} min, its timeout-minutes"
            outcome = _failed(context, decision, ended, why)
            return access, replace(outcome, status=Status.TIMED_OUT)
        if ended.exit_code != 0:
            why = _exit_note(ended.exit_code)
            hints = tuple(fault for fault in ended.trace.why if REMEDY in fault)
            more = (*strict_faults(context, decision.step, ended), *hints)
            return access, _failed(context, decision, ended, why, more)
        if fault := _fault(context, decision.step, ended):
            return access, _failed(context, decision, ended, fault)
        if faults := strict_faults(context, decision.step, ended):
            return access, _failed(context, decision, ended, faults[0], faults[1:])
        return _succeeded(context, attempt, ended)
    except (MissingOutputError, MetricsError) as error:
        return access, _failed(context, decision, ended, str(error))


def _fault(context: RunContext, step: Step, ended: JobResult) -> str:
    """Why the work of a command that ended well is not to be trusted; empty if it is."""
    return (
        _pointer_fault(context, ended)
        or _outside_fault(context, step, ended)
        or fault_of_params(context, step, {*contents_read(ended.trace, context.repo.root)})
        or fault_of_writes(context, ended)
    )


def _pointer_fault(context: RunContext, ended: JobResult) -> str:
    """A step that took a Git LFS pointer for data has made something of 130 bytes of text."""
    if not uses_lfs(context.repo.root):
        return ""
    read = lfs_pointers(context.repo.root, contents_read(ended.trace, context.repo.root))
    found = [path for path in read if context.repo.tree.tracked(path)]
    if not found:
        return ""
    return (
        f"it read '{found[0]}', which is a Git LFS pointer, not the data; name it in inputs, and "
        "its content is fetched before the step runs"
    )


def _outside_fault(context: RunContext, step: Step, ended: JobResult) -> str:
    """A step that reads external data without declaring it would see a stale copy fetched for
    another step.
    """
    if not context.workflow.external_inputs:
        return ""
    for path in contents_read(ended.trace, context.repo.root):
        for one in context.workflow.external_inputs:
            if is_under(path, one.path) and not any(matches(p, path) for p in step.reads):
                return (
                    f"it read '{path}', which comes from {redacted(one.url)}; name it in inputs, "
                    "so that it is what the source has"
                )
    return ""


def _remedy(context: RunContext, step: Step, lines: tuple[str, ...]) -> tuple[str, ...]:
    """What a command may have looked for in vain, as it does not declare it."""
    text = "\n".join(lines)
    for one in context.workflow.external_inputs:
        plain = one.path.rstrip("/")
        if plain in text and not any(may_match(pattern, one.path) for pattern in step.reads):
            return (
                f"'{plain}' comes from {redacted(one.url)}; name it in inputs, and it is fetched",
            )
    path = context.data.dvc.missing(text) if context.data.dvc else ""
    if path and not any(matches(pattern, path) for pattern in step.reads):
        return (f"'{path}' is tracked by DVC; name it in inputs, and its content is fetched",)
    return ()


def _succeeded(
    context: RunContext, attempt: Attempt, ended: JobResult
) -> tuple[FileAccess, StepOutcome]:
    # Only a step that ran pays for what reads its trace.
    from mlpipe_ci.run.save_result import save_result  # noqa: PLC0415

    decision, step = attempt.decision, attempt.decision.step
    measured = _measurements(context, step)
    saved = save_result(context, decision, ended, measured)
    aside = _put_away(context, attempt, saved)
    outputs = tuple(output.path for output in saved.outputs)
    record_success(context, decision, ended.seconds, saved.last)
    outcome = make_outcome(
        decision,
        Status.SUCCEEDED,
        notes=saved.notes + aside_notes(context, step, aside, outputs),
        execution=Execution(
            seconds=ended.seconds,
            exit_code=0,
            log=str(ended.job.log),
            tracer=ended.trace.tracer,
        ),
        left=LeftBehind(outputs=outputs),
        discovered=Discoveries(
            reads=saved.last.reads,
            writes=() if step.declares_nothing else saved.last.writes,
            variables=saved.last.variables,
            outside=saved.outside,
        ),
        measured=measured,
    )
    return saved.access, outcome


def _measurements(context: RunContext, step: Step) -> Measurements:
    """What the step's metrics files say: of repetitions, the means."""
    metrics = read_all_metrics(context, step)
    samples = read_samples(context, step, metrics)
    return Measurements(metrics=means(samples) if samples else metrics, samples=samples)


def _put_away(context: RunContext, attempt: Attempt, saved: SavedResult) -> SetAside:
    """The step has succeeded: what it did not write again goes, and what it left is remembered."""
    step, record = attempt.decision.step, context.stale_outputs.record
    left, outputs = record.of(step), saved.outputs
    digest = context.cache.state.digest_cache.digest

    def is_own(path: str, kept: Path) -> bool:
        was = left.paths.get(path)
        return is_of_joblib(path) or was == digest_at(kept.parent, kept.name, digest)

    added = history_of(left, step, outputs, saved.last.missed)
    added = tuple(sorted(logs_of(context, step, added, read=False)))
    aside = context.transaction.commit(step, outputs, attempt.more, added, is_own)
    retired = retire_unfinished(context, step, outputs)
    logs = logs_of(context, step, saved.last.logs, read=False)
    found = {path: digest_at(context.repo.root, path, digest) for path in saved.state}
    state = {path: one for path, one in found.items() if one is not None}
    more = {*left.older, *left.state}.difference(state)
    history = history_here(context, outputs, (*left.history, *aside.history))
    context.discovery.later_writes.add(context.workflow.index_by_id[step.id], history)
    record.put(
        step,
        replace(
            what_it_left(step, outputs, logs),
            state=state,
            older=tuple(sorted(path for path in more if (context.repo.root / path).exists())),
            history=history,
            code=saved.code if any(map(is_of_joblib, (*state, *more))) else {},
            result=saved.result,
            changed=saved.changed,
        ),
    )
    return replace(aside, previous=aside.previous + retired)


def _note_unfinished(context: RunContext, attempt: Attempt, ended: JobResult) -> None:
    """A failed attempt may have left what the next one goes on from: it stays, and is known."""
    step, record = attempt.decision.step, context.stale_outputs.record
    left, root = record.of(step), context.repo.root
    state = context.workflow.all_state
    wrote = access_of_failure(ended.trace, root).writes.difference(attempt.more)
    found = {
        path
        for path in wrote
        if (root / path).is_file()
        and not any(is_under(path, one) for one in step.writes)
        and not is_state(path, state)
        and not context.repo.tree.tracked(path)
    }
    if not found.issubset(left.unfinished):
        unfinished = tuple(sorted(found.union(left.unfinished)))
        record.put(step, replace(left, unfinished=unfinished))


def strict_faults(context: RunContext, step: Step, ended: JobResult) -> tuple[str, ...]:
    """What the step read or wrote under `tracing: strict` and does not declare, with the remedy."""
    if context.workflow.tracing_of(step) != "strict":
        return ()
    trace = ended.trace
    if not trace.complete:
        tracer = "this system has no tracer"
        tracer = tracer if context.executor.can_trace else "the executor cannot trace"
        why = "; ".join(trace.why) or tracer
        return (f"tracing: strict, but what it reads cannot be watched: {why}",)
    found = []
    for whole, write in trace.refused:
        path = os.path.relpath(whole, os.path.realpath(context.repo.root))
        verb, key = ("write", "outputs") if write else ("read", "inputs")
        found.append(
            f"it may not {verb} {path}, which it does not declare; at {context.workflow.file}:"
            f"{step.line} add to its {key}: - {path}"
        )
    return tuple(found[:MOST_FAULTS])


def _failed(
    context: RunContext, decision: Decision, ended: JobResult, why: str, more: tuple[str, ...] = ()
) -> StepOutcome:
    if decision.parts and not ended.cancelled:
        failure = Failure(parts=decision.parts, seen=_sources_read(context, ended))
        context.cache.state.fail(context.workflow.file, decision.step.id, failure)
    stale = context.transaction.roll_back(decision.step.id) or ()
    tail = _tail(ended.job.log)
    notes: tuple[str, ...] = (why, *more, *_remedy(context, decision.step, tail))
    if stale:
        notes += (f"put back from before, so stale: {', '.join(stale)}",)
    return make_outcome(
        decision,
        Status.FAILED,
        notes=notes,
        execution=Execution(
            seconds=ended.seconds,
            exit_code=ended.exit_code,
            log=str(ended.job.log),
            log_tail=tail,
        ),
    )


def _sources_read(context: RunContext, ended: JobResult) -> tuple[Input, ...]:
    """What git tracks and a command that failed has read, as it is now: the next run says what of
    it has changed.
    """
    tree, found = context.repo.tree, []
    for path in contents_read(ended.trace, context.repo.root):
        with suppress(PathError):
            if tree.tracked(path) and (known := tree.known(path)):
                found.append(known)
    return tuple(found)


def _exit_note(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by signal {-code}"


def _tail(log: Path) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    lines = [line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return tuple(line for line in lines if line.strip())[-TAIL_LINES:]
