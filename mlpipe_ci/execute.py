"""Carries out one command: its outputs aside, the command, its result kept or all put back."""

import os
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.bench import Bench
from mlpipe_ci.cache.outputs import MissingOutputError, refuse_links
from mlpipe_ci.contents import lfs_pointers
from mlpipe_ci.decide import Decision
from mlpipe_ci.endings import make_outcome, moved_note, read_all_metrics, remember
from mlpipe_ci.errors import GitError, PathError
from mlpipe_ci.executors.base import Outcome
from mlpipe_ci.job import make_job
from mlpipe_ci.keep import keep_result, written_before
from mlpipe_ci.metrics import MetricsError
from mlpipe_ci.run import Status, StepOutcome
from mlpipe_ci.workflow import Step

MOST_FAULTS = 10
REMEDY = "tracing: off"
"""In what a tracer says where a command may have failed because it is watched."""
TAIL_LINES = 40
TAIL_BYTES = 1 << 16


def execute(bench: Bench, decision: Decision) -> StepOutcome:
    """Run the command, again if it may be, and keep or put back what it wrote. Raises PathError."""
    step = decision.step
    refuse_links(bench.root, step, step.writes)
    _fetch_pointers(bench, decision)
    notes = moved_note(bench, step, bench.aside.clear_way(step))
    more = written_before(bench, step)
    for attempt in range(1, step.retries + 2):
        outcome = _ended(bench, decision, _attempt(bench, step, attempt, more), more)
        if outcome.exit_code == 0 or attempt > step.retries:
            return replace(outcome, attempts=attempt, notes=outcome.notes + notes)
        bench.sleep(2 ** (attempt - 1))
    raise AssertionError("unreachable: the last attempt returns")


def _attempt(bench: Bench, step: Step, attempt: int, more: tuple[str, ...]) -> Outcome:
    try:
        job = make_job(bench, step, attempt)
        bench.aside.move(step, more)
        bench.executor.start(job)
        ended = bench.executor.wait()
    except (OSError, ValueError) as error:
        bench.executor.close()  # what has been started must not write beside what is put back
        bench.aside.put_back()
        reason = getattr(error, "strerror", None) or str(error)
        place = f"'{name}': " if (name := getattr(error, "filename", None)) else ""
        raise PathError(f"the command cannot be run: {place}{reason}") from error
    bench.tree.forget()
    return ended


def _ended(bench: Bench, decision: Decision, ended: Outcome, more: tuple[str, ...]) -> StepOutcome:
    try:
        if ended.timed_out:
            limit = decision.step.timeout_minutes or 0
            why = f"ended after {limit:g} min, its timeout-minutes"
            return replace(_failed(bench, decision, ended, why), status=Status.TIMED_OUT)
        if ended.exit_code != 0:
            why = _exit_note(ended.exit_code)
            hints = tuple(fault for fault in ended.trace.why if REMEDY in fault)
            more = (*strict_faults(bench, decision.step, ended), *hints)
            return _failed(bench, decision, ended, why, more)
        if faults := strict_faults(bench, decision.step, ended):
            return _failed(bench, decision, ended, faults[0], faults[1:])
        return _succeeded(bench, decision, ended, more)
    except (MissingOutputError, MetricsError) as error:
        return _failed(bench, decision, ended, str(error))


def _fetch_pointers(bench: Bench, decision: Decision) -> None:
    """A step must not read a Git LFS pointer in the place of the content that it stands for."""
    inputs = decision.parts.inputs if decision.parts else ()
    paths = tuple(one.path for item in inputs for one in bench.tree.opened(item))
    found = lfs_pointers(bench.root, paths)
    if not found:
        return
    why = ""
    if bench.fetch_large:
        try:
            bench.fetch_large(found)
        except GitError as error:
            why = f" ({error})"
        found = lfs_pointers(bench.root, found)
        bench.tree.forget()
    if found:
        raise PathError(
            f"input '{found[0]}' is a Git LFS pointer, its content is not here{why}; fetch it "
            f"(git lfs pull --include '{found[0]}', or lfs: true in actions/checkout)"
        )


def _succeeded(
    bench: Bench, decision: Decision, ended: Outcome, more: tuple[str, ...]
) -> StepOutcome:
    step = decision.step
    metrics = read_all_metrics(bench, step)
    kept = keep_result(bench, decision, ended, metrics)
    moved = bench.aside.drop(step, kept.outputs, more)
    remember(bench, decision, ended.seconds, kept.traced)
    return make_outcome(
        decision,
        Status.SUCCEEDED,
        seconds=ended.seconds,
        exit_code=0,
        outputs=tuple(output.path for output in kept.outputs),
        metrics=metrics,
        notes=kept.notes + moved_note(bench, step, moved),
        reads=kept.traced.reads,
        writes=() if step.undeclared else kept.traced.writes,
        variables=kept.traced.variables,
        tracer=ended.trace.tracer,
    )


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
    back = bench.aside.put_back()
    if decision.key:
        bench.state.fail(bench.workflow.file, decision.step.id, decision.key)
    stale = back[1] if back else ()
    notes: tuple[str, ...] = (why, *more)
    if stale:
        notes += (f"put back from before, so stale: {', '.join(stale)}",)
    return make_outcome(
        decision,
        Status.FAILED,
        seconds=ended.seconds,
        exit_code=ended.exit_code,
        notes=notes,
        log_tail=_tail(ended.job.log),
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
