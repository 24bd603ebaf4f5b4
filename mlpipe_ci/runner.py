"""Carries a plan out: the same fold of `decide`, with the commands executed in between."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpipe_ci.bench import Bench
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import MissingOutputError, refuse_links
from mlpipe_ci.cache.restore import restore
from mlpipe_ci.cache.store import Store
from mlpipe_ci.contents import lfs_pointers
from mlpipe_ci.decide import Action, Decision, Facts, decide
from mlpipe_ci.errors import GitError, MlpipeError, PathError
from mlpipe_ci.executors.base import Outcome
from mlpipe_ci.job import make_job
from mlpipe_ci.keep import keep_result
from mlpipe_ci.listings import is_listing
from mlpipe_ci.metrics import MetricsError, read_metrics
from mlpipe_ci.result import Producer, Result
from mlpipe_ci.run import Status, StepOutcome
from mlpipe_ci.workflow import Step

TAIL_LINES = 40
TAIL_BYTES = 1 << 16


def run(bench: Bench, planned: tuple[Decision, ...] = ()) -> Iterator[Decision | StepOutcome]:
    """Yield for each step its decision before, and its outcome after it was carried out.

    `planned`: what `make_plan` has decided a moment ago. It holds as long as no command was run.
    From then on inputs are looked at on the disk: what an earlier step wrote may have been changed
    by another since. Where a stored result turns out to be damaged, a second decision follows the
    first. What the user can mend (a path, an expression) fails the step, not the run.
    """
    failed: list[Step] = []
    facts: dict[str, Mapping[str, Any] | None] = {}
    known = {decision.step.id: decision for decision in planned if _is_certain(decision)}
    for step in bench.workflow.steps:
        in_the_way = tuple(other.name for other in failed if not _apart(step, other))
        for item in _step(bench, step, facts, in_the_way, known.get(step.id)):
            if isinstance(item, StepOutcome):
                facts[step.id] = item.facts
                if item.status not in {Status.REUSED, Status.SKIPPED}:
                    known = {}
                if item.broke:
                    failed.append(step)
            yield item


def _apart(step: Step, failed: Step) -> bool:
    """True if the failure of another combination of the same matrix does not stop this one."""
    same = step.strategy is not None and step.group == failed.group
    return same and step.strategy is not None and not step.strategy.fail_fast


def _is_certain(decision: Decision) -> bool:
    """An `if` may ask for files that are restored by then, and MAYBE is no decision."""
    return decision.step.condition is None and decision.action is not Action.MAYBE


def _step(
    bench: Bench, step: Step, facts: Facts, failed: tuple[str, ...], planned: Decision | None
) -> Iterator[Decision | StepOutcome]:
    decision = Decision(step=step, action=Action.RUN, reasons=())
    try:
        decision = planned or decide(step, bench.witness.look(step, {}, facts, failed))
        yield decision
        try:
            outcome = _without_command(bench, decision, blocked=bool(failed))
        except DamagedError as error:
            decision, outcome = _must_run(decision, error), None
            yield decision
        outcome = outcome or _execute(bench, decision)
    except MlpipeError as error:
        outcome = _outcome(decision, Status.FAILED, notes=(str(error),))
    allowed = ("continue-on-error: the run goes on, and does not fail",) if outcome.forgiven else ()
    notes = decision.notes + outcome.notes + allowed
    yield outcome if notes == outcome.notes else replace(outcome, notes=notes)


def _without_command(bench: Bench, decision: Decision, *, blocked: bool) -> StepOutcome | None:
    """Skip or reuse; None if the command has to run. Raises DamagedError, PathError."""
    if decision.action is Action.SKIP:
        return _outcome(decision, Status.BLOCKED if blocked else Status.SKIPPED)
    if decision.result and bench.store:
        return _reuse(bench, decision, decision.result, bench.store)
    return None


def _must_run(decision: Decision, error: DamagedError) -> Decision:
    maker = decision.result.producer if decision.result else Producer()
    made = maker.run_url or maker.commit[:7] or "an earlier run"
    reason = f"the stored result is damaged: {error} (made by {made})"
    return replace(decision, action=Action.RUN, result=None, reasons=(reason,))


def _reuse(bench: Bench, decision: Decision, result: Result, store: Store) -> StepOutcome:
    step = decision.step
    restored, moved = restore(
        bench.root, step, result.outputs, store, bench.aside, bench.state.memo.digest
    )
    if restored or moved:
        bench.tree.forget()
    store.used(result.key)
    _remember(bench, decision, result.seconds)
    notes = (f"{restored} file(s) restored from the cache",) if restored else ()
    return _outcome(
        decision,
        Status.REUSED,
        saved_seconds=result.seconds,
        outputs=tuple(output.path for output in result.outputs),
        metrics=_metrics_of_reused(bench, step, result),
        notes=notes + _moved_note(bench, step, moved),
    )


def _remember(bench: Bench, decision: Decision, seconds: float) -> None:
    """Remember a success with the names of its inputs: the next run can say what changed."""
    key, parts, file = decision.key, decision.parts, bench.workflow.file
    if key is None or parts is None or bench.state.knows(file, decision.step.id, key):
        return
    for item in filter(is_listing, parts.inputs):
        bench.state.keep_listing(item.digest, bench.tree.listing(item.digest) or "")
    bench.state.succeeded(file, decision.step.id, parts, seconds)


def _metrics_of_reused(bench: Bench, step: Step, result: Result) -> tuple[tuple[str, float], ...]:
    """From the files: that they are metrics is no part of the key, so the result may not know."""
    try:
        return tuple(pair for path in step.metrics for pair in _metrics(bench, path))
    except (MissingOutputError, MetricsError):
        return result.metrics


def _moved_note(bench: Bench, step: Step, moved: tuple[str, ...]) -> tuple[str, ...]:
    if not moved:
        return ()
    some = ", ".join(moved[:3]) + (", …" if len(moved) > 3 else "")  # noqa: PLR2004 - a line's worth
    place = bench.aside.directory / "replaced" / step.id
    return (f"in its outputs, but not written by it, so moved to {place}: {some}",)


def _execute(bench: Bench, decision: Decision) -> StepOutcome:
    step = decision.step
    refuse_links(bench.root, step)
    _fetch_pointers(bench, decision)
    for attempt in range(1, step.retries + 2):
        outcome = _ended(bench, decision, _attempt(bench, step, attempt))
        if outcome.exit_code == 0 or attempt > step.retries:
            return replace(outcome, attempts=attempt)
        bench.sleep(2 ** (attempt - 1))
    raise AssertionError("unreachable: the last attempt returns")


def _attempt(bench: Bench, step: Step, attempt: int) -> Outcome:
    try:
        job = make_job(bench, step, attempt)
        bench.aside.move(step)
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


def _ended(bench: Bench, decision: Decision, ended: Outcome) -> StepOutcome:
    try:
        if ended.timed_out:
            limit = decision.step.timeout_minutes or 0
            why = f"ended after {limit:g} min, its timeout-minutes"
            return replace(_failed(bench, decision, ended, why), status=Status.TIMED_OUT)
        if ended.exit_code != 0:
            return _failed(bench, decision, ended, _exit_note(ended.exit_code))
        return _succeeded(bench, decision, ended)
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


def _succeeded(bench: Bench, decision: Decision, ended: Outcome) -> StepOutcome:
    step = decision.step
    metrics = tuple(pair for path in step.metrics for pair in _metrics(bench, path))
    wrote, notes = keep_result(bench, decision, ended, metrics)
    moved = bench.aside.drop(step, wrote)
    _remember(bench, decision, ended.seconds)
    return _outcome(
        decision,
        Status.SUCCEEDED,
        seconds=ended.seconds,
        exit_code=0,
        outputs=tuple(output.path for output in wrote),
        metrics=metrics,
        notes=notes + _moved_note(bench, step, moved),
    )


def _metrics(bench: Bench, path: str) -> tuple[tuple[str, float], ...]:
    if not (bench.root / path).exists():
        raise MissingOutputError(f"the command ended well, but did not write '{path}'")
    return read_metrics(bench.root / path, path)


def _failed(bench: Bench, decision: Decision, ended: Outcome, why: str) -> StepOutcome:
    back = bench.aside.put_back()
    if decision.key:
        bench.state.fail(bench.workflow.file, decision.step.id, decision.key)
    stale = back[1] if back else ()
    notes: tuple[str, ...] = (why,)
    if stale:
        notes += (f"put back from before, so stale: {', '.join(stale)}",)
    return _outcome(
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


def _outcome(decision: Decision, status: Status, **more: Any) -> StepOutcome:
    return StepOutcome(step=decision.step, status=status, reasons=decision.reasons, **more)
