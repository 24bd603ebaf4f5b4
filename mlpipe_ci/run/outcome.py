"""What all endings of a step share: the outcome, what is remembered, metrics, notes."""

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.cache.left_record import Left, place_of
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import MissingOutputError
from mlpipe_ci.cache.transaction import SetAside
from mlpipe_ci.core.directory_listing import is_listing
from mlpipe_ci.core.metric_statistics import Samples, samples_by_metric
from mlpipe_ci.core.paths import some
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.result import Output, Producer, undeclared
from mlpipe_ci.core.run import LeftBehind, Provenance, Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import Metrics, read_metrics, together
from mlpipe_ci.run.context import RunContext

NOTHING_LEFT = LeftBehind()
MOST_INPUTS = 50
"""Inputs of a step that its report names."""


def make_outcome(decision: Decision, status: Status, **more: Any) -> StepOutcome:
    """The outcome of a step; `more`: further fields of it. What it left has its provenance."""
    left = replace(more.pop("left", NOTHING_LEFT), provenance=_provenance(decision))
    return StepOutcome(
        step=decision.step, status=status, reasons=decision.reasons, left=left, **more
    )


def _provenance(decision: Decision) -> Provenance | None:
    """How the step's result came to be; who made it is known of a reused one."""
    parts, result = decision.parts, decision.result
    if parts is None:
        return None
    by = result.producer if result else Producer()
    return Provenance(
        command=parts.run,
        params=parts.params,
        inputs=parts.inputs[:MOST_INPUTS],
        more=max(0, len(parts.inputs) - MOST_INPUTS),
        commit=by.commit,
        ref=by.ref,
        url=by.run_url,
        finished=result.finished if result else 0.0,
    )


def record_success(
    context: RunContext, decision: Decision, seconds: float, last: LastTrace
) -> bool:
    """Remember a success with the names of its inputs: the next run can say what changed.

    Returns whether it was news.
    """
    key, parts, file = decision.key, decision.parts, context.workflow.file
    if key is None or parts is None or context.cache.state.knows(file, decision.step.id, key, last):
        return False
    listings = [item.digest for item in parts.inputs if is_listing(item)]
    if listings:
        texts = ((digest, context.repo.tree.listing(digest) or "") for digest in listings)
        context.cache.state.save_listings(texts)
    context.cache.state.succeeded(file, decision.step.id, parts, seconds, last)
    return True


def read_all_metrics(context: RunContext, step: Step) -> Metrics:
    """From the files of a step. Raises MissingOutputError, MetricsError."""
    found: dict[str, Metrics] = {}
    for path in step.metrics:
        if not (context.repo.root / path).exists():
            raise MissingOutputError(f"the command ended well, but did not write '{path}'")
        found[path] = read_metrics(context.repo.root / path, path)
    return together(found)


def read_samples(context: RunContext, step: Step, last: Metrics) -> Samples:
    """What each repetition of a command measured; `last`: the last of them. Raises MetricsError."""
    if step.repeat == 1:
        return ()
    from mlpipe_ci.run.job import samples_directory  # noqa: PLC0415 - of a step that runs

    full_path = samples_directory(context, step)
    numbers = [full_path / str(number) for number in range(1, step.repeat)]
    files = enumerate(step.metrics)
    named = [(str(number), path) for number, path in files]
    earlier = (together({p: read_metrics(one / n, p) for n, p in named}) for one in numbers)
    return samples_by_metric(dict(one) for one in (*earlier, last))


def moved_note(context: RunContext, step: Step, moved: tuple[str, ...]) -> tuple[str, ...]:
    """A word about files that lay in the outputs of a step and were moved away."""
    if not moved:
        return ()
    path = context.transaction.replaced(step.id)
    return (f"in its outputs, but not as it wrote them, so moved to {path}: {some(moved)}",)


def logs_of(context: RunContext, step: Step, logs: Iterable[str], *, read: bool) -> set[str]:
    """Of logs, or of files that a step only adds, those that another one reads; or those that none
    does: they stay where they are from run to run.
    """
    readers, index = context.discovery.readers, context.workflow.index_by_id[step.id]
    return {path for path in logs if readers.has_other(path, index) == read}


def what_it_left(step: Step, outputs: tuple[Output, ...], logs: Collection[str] = ()) -> Left:
    """What is remembered of a step that has its outputs in place. `logs`: those that stay."""
    outputs = tuple(output for output in outputs if output.path not in logs)
    paths = {output.path: output.digest for output in outputs}
    more = undeclared(step, outputs)
    besides = tuple(output.path for output in more if output.kind != "directory")
    return Left(step=step.group, name=step.name, paths=paths, besides=besides)


def history_here(
    context: RunContext, outputs: Iterable[Output], paths: Iterable[str]
) -> tuple[str, ...]:
    """Of what earlier runs of a step have left, what is still there and not among its outputs."""
    new = {output.path for output in outputs}
    there = (path for path in paths if os.path.lexists(context.repo.root / path))
    return tuple(sorted({path for path in there if path not in new}))


def retire_unfinished(
    context: RunContext, step: Step, outputs: tuple[Output, ...]
) -> tuple[str, ...]:
    """Move away what failed attempts have left, and what the step has now does not have."""
    unfinished = context.stale_outputs.record.of(step).unfinished
    wanted = {output.path for output in outputs} if unfinished else set()
    there = (p for p in unfinished if p not in wanted and (context.repo.root / p).is_file())
    return context.transaction.retire(step.id, tuple(there))


def aside_notes(
    context: RunContext, step: Step, aside: SetAside, outputs: Iterable[str] = ()
) -> tuple[str, ...]:
    """Words for what became of old files that a step has not written again. `outputs`: the new."""
    notes = moved_note(context, step, aside.replaced)
    if aside.previous:
        place = context.transaction.previous(step.id)
        notes += (f"not written again, so moved to {place}: {some(aside.previous)}",)
    if aside.history:
        name = place_of(aside.history, outputs)
        stayed = f"it only adds files, so {some(aside.history)} stayed beside the new ones"
        notes += (f"{stayed}; if they are to persist, add to the step: state: [{name}]",)
    return notes


def with_notes(decision: Decision, outcome: StepOutcome, lacking: str) -> StepOutcome:
    """The outcome with all that the reader should know. `lacking`: what the machine lacks."""
    allowed = (
        ("continue-on-error: the run goes on, and does not fail",) if outcome.tolerated else ()
    )
    alone = (lacking,) if lacking and outcome.execution.exit_code is not None else ()
    notes = decision.notes + outcome.notes + allowed + alone
    return outcome if notes == outcome.notes else replace(outcome, notes=notes)


def rerun_damaged(decision: Decision, error: DamagedError) -> Decision:
    """The decision for a step whose stored result turned out to be damaged."""
    reason = f"the stored result is damaged: {error} (made by {_maker(decision)})"
    return replace(decision, action=Action.RUN, result=None, reasons=(reason,))


def rerun_here(decision: Decision, path: str, reader: Step) -> Decision:
    """The decision for a step whose stored result names the directory where it was made."""
    reason = (
        f"{reader.name} reads {path}, which names the directory where it was made "
        f"(by {_maker(decision)})"
    )
    return replace(decision, action=Action.RUN, result=None, reasons=(reason,))


def _maker(decision: Decision) -> str:
    maker = decision.result.producer if decision.result else Producer()
    return maker.run_url or maker.commit[:7] or "an earlier run"
