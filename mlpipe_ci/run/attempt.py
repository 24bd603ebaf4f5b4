"""Carries out one command: its outputs aside, then its result kept, or all put back."""

import os
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.cache.outputs import MissingOutputError, refuse_links
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.external_url import shown
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.metric_statistics import means
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.patterns import matches, may_match
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import MetricsError
from mlpipe_ci.repo.lfs import lfs_pointers, uses_lfs
from mlpipe_ci.run.conflicts import Touched
from mlpipe_ci.run.context import Bench
from mlpipe_ci.run.executors.base import Outcome
from mlpipe_ci.run.file_access import contents_read, touched_by
from mlpipe_ci.run.job import make_job
from mlpipe_ci.run.outcome import make_outcome, moved_note, read_all_metrics, read_samples, remember
from mlpipe_ci.run.save_result import keep_result, written_before

MOST_FAULTS = 10
REMEDY = "tracing: off"
"""In what a tracer says where a command may have failed because it is watched."""
TAIL_LINES = 40
TAIL_BYTES = 1 << 16


@frozen
class Attempt:
    """A command that was started. `number` counts from 1; `more`: what the step wrote last time
    without declaring it, and is aside as well; `gpus`: those that it may use.
    """

    decision: Decision
    number: int
    more: tuple[str, ...]
    notes: tuple[str, ...]
    gpus: tuple[str, ...] = ()


@frozen
class Ending:
    """How an attempt ended. `touched`: what it was seen to read and write."""

    outcome: StepOutcome
    touched: Touched


def begin(bench: Bench, decision: Decision, gpus: tuple[str, ...] = ()) -> Attempt:
    """Start a step's command, its outputs aside. Raises PathError; then nothing runs."""
    step = decision.step
    refuse_links(bench.root, step, step.writes)
    notes = moved_note(bench, step, bench.aside.clear_way(step))
    more = written_before(bench, step)
    first = Attempt(decision=decision, number=1, more=more, notes=notes, gpus=gpus)
    _start(bench, first)
    return first


def begin_again(bench: Bench, attempt: Attempt) -> Attempt:
    """Start the command once more. Raises PathError."""
    following = replace(attempt, number=attempt.number + 1)
    _start(bench, following)
    return following


def _start(bench: Bench, attempt: Attempt) -> None:
    step = attempt.decision.step
    try:
        job = make_job(bench, step, attempt.number, attempt.gpus)
        bench.aside.move(step, attempt.more)
        bench.executor.start(job)
    except (OSError, ValueError) as error:
        bench.aside.put_back(step.id)
        reason = getattr(error, "strerror", None) or str(error)
        place = f"'{name}': " if (name := getattr(error, "filename", None)) else ""
        raise PathError(f"the command cannot be run: {place}{reason}") from error


def finish(bench: Bench, attempt: Attempt, ended: Outcome) -> Ending:
    """Keep what the command wrote, or put back what was there before."""
    bench.tree.forget()
    touched, outcome = _ended(bench, attempt, ended)
    notes = outcome.notes + attempt.notes
    return Ending(outcome=replace(outcome, attempts=attempt.number, notes=notes), touched=touched)


def _ended(bench: Bench, attempt: Attempt, ended: Outcome) -> tuple[Touched, StepOutcome]:
    decision = attempt.decision
    touched = touched_by(ended.trace, bench.root)
    if ended.cancelled:
        outcome = _failed(bench, decision, ended, "ended by mlpipe")
        return touched, replace(outcome, status=Status.CANCELLED)
    try:
        if ended.timed_out:
            limit = decision.step.timeout_minutes or 0
            why = f"ended after {limit:g} min, its timeout-minutes"
            outcome = _failed(bench, decision, ended, why)
            return touched, replace(outcome, status=Status.TIMED_OUT)
        if ended.exit_code != 0:
            why = _exit_note(ended.exit_code)
            hints = tuple(fault for fault in ended.trace.why if REMEDY in fault)
            more = (*strict_faults(bench, decision.step, ended), *hints)
            return touched, _failed(bench, decision, ended, why, more)
        if fault := _pointer_fault(bench, ended) or _outside_fault(bench, decision.step, ended):
            return touched, _failed(bench, decision, ended, fault)
        if faults := strict_faults(bench, decision.step, ended):
            return touched, _failed(bench, decision, ended, faults[0], faults[1:])
        return _succeeded(bench, attempt, ended)
    except (MissingOutputError, MetricsError) as error:
        return touched, _failed(bench, decision, ended, str(error))


def _pointer_fault(bench: Bench, ended: Outcome) -> str:
    """A step that took a Git LFS pointer for data has made something of 130 bytes of text."""
    if not uses_lfs(bench.root):
        return ""
    read = lfs_pointers(bench.root, contents_read(ended.trace, bench.root))
    found = [path for path in read if bench.tree.tracked(path)]
    if not found:
        return ""
    return (
        f"it read '{found[0]}', which is a Git LFS pointer, not the data; name it in inputs, and "
        "its content is fetched before the step runs"
    )


def _outside_fault(bench: Bench, step: Step, ended: Outcome) -> str:
    """Who reads what a source has without naming it gets what another step had fetched, once."""
    if not bench.workflow.outside:
        return ""
    for path in contents_read(ended.trace, bench.root):
        for one in bench.workflow.outside:
            if is_under(path, one.path) and not any(matches(p, path) for p in step.reads):
                return (
                    f"it read '{path}', which comes from {shown(one.url)}; name it in inputs, so "
                    "that it is what the source has"
                )
    return ""


def _remedy(bench: Bench, step: Step, lines: tuple[str, ...]) -> tuple[str, ...]:
    """What a command may have looked for in vain, as nobody has said that it reads it."""
    text = "\n".join(lines)
    for one in bench.workflow.outside:
        place = one.path.rstrip("/")
        if place in text and not any(may_match(pattern, one.path) for pattern in step.reads):
            return (f"'{place}' comes from {shown(one.url)}; name it in inputs, and it is fetched",)
    path = bench.dvc.missing(text) if bench.dvc else ""
    if path and not any(matches(pattern, path) for pattern in step.reads):
        return (f"'{path}' is tracked by DVC; name it in inputs, and its content is fetched",)
    return ()


def _succeeded(bench: Bench, attempt: Attempt, ended: Outcome) -> tuple[Touched, StepOutcome]:
    decision, step = attempt.decision, attempt.decision.step
    metrics = read_all_metrics(bench, step)
    samples = read_samples(bench, step, metrics)
    metrics = means(samples) if samples else metrics
    kept = keep_result(bench, decision, ended, metrics, samples)
    moved = bench.aside.drop(step, kept.outputs, attempt.more)
    remember(bench, decision, ended.seconds, kept.traced)
    outcome = make_outcome(
        decision,
        Status.SUCCEEDED,
        seconds=ended.seconds,
        exit_code=0,
        outputs=tuple(output.path for output in kept.outputs),
        metrics=metrics,
        samples=samples,
        notes=kept.notes + moved_note(bench, step, moved),
        reads=kept.traced.reads,
        writes=() if step.undeclared else kept.traced.writes,
        variables=kept.traced.variables,
        tracer=ended.trace.tracer,
        log=str(ended.job.log),
    )
    return kept.touched, outcome


def strict_faults(bench: Bench, step: Step, ended: Outcome) -> tuple[str, ...]:
    """What the step read or wrote under `tracing: strict` and does not declare, with the remedy."""
    if bench.workflow.tracing_of(step) != "strict":
        return ()
    trace = ended.trace
    if not trace.complete:
        why = "; ".join(trace.why) or "this system has no tracer"
        return (f"tracing: strict, but what it reads cannot be watched: {why}",)
    found = []
    for whole, write in trace.refused:
        path = os.path.relpath(whole, os.path.realpath(bench.root))
        verb, key = ("write", "outputs") if write else ("read", "inputs")
        found.append(
            f"it may not {verb} {path}, which it does not declare; at {bench.workflow.file}:"
            f"{step.line} add to its {key}: - {path}"
        )
    return tuple(found[:MOST_FAULTS])


def _failed(
    bench: Bench, decision: Decision, ended: Outcome, why: str, more: tuple[str, ...] = ()
) -> StepOutcome:
    stale = bench.aside.put_back(decision.step.id) or ()
    if decision.key and not ended.cancelled:
        bench.state.fail(bench.workflow.file, decision.step.id, decision.key)
    tail = _tail(ended.job.log)
    notes: tuple[str, ...] = (why, *more, *_remedy(bench, decision.step, tail))
    if stale:
        notes += (f"put back from before, so stale: {', '.join(stale)}",)
    return make_outcome(
        decision,
        Status.FAILED,
        seconds=ended.seconds,
        exit_code=ended.exit_code,
        notes=notes,
        log_tail=tail,
        log=str(ended.job.log),
    )


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
