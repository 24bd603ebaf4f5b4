"""What all endings of a step share: the outcome, what is remembered, metrics, notes."""

from dataclasses import replace
from typing import Any

from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import MissingOutputError
from mlpipe_ci.core.directory_listing import is_listing
from mlpipe_ci.core.metric_statistics import Samples, samples_by_metric
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.result import Producer
from mlpipe_ci.core.run import Provenance, Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import Metrics, read_metrics, together
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.job import samples_directory

MOST_INPUTS = 50
"""Inputs of a step that its report names."""


def make_outcome(decision: Decision, status: Status, **more: Any) -> StepOutcome:
    """The outcome of a step; `more`: further fields of it."""
    step, reasons, provenance = decision.step, decision.reasons, _provenance(decision)
    return StepOutcome(step=step, status=status, reasons=reasons, provenance=provenance, **more)


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
) -> None:
    """Remember a success with the names of its inputs: the next run can say what changed."""
    key, parts, file = decision.key, decision.parts, context.workflow.file
    if (
        key is None
        or parts is None
        or context.cache.state.knows(file, decision.step.id, key, last.made)
    ):
        return
    listings = [item.digest for item in parts.inputs if is_listing(item)]
    if listings:
        texts = ((digest, context.repo.tree.listing(digest) or "") for digest in listings)
        context.cache.state.save_listings(texts)
    context.cache.state.succeeded(file, decision.step.id, parts, seconds, last)


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
    some = ", ".join(moved[:3]) + (", …" if len(moved) > 3 else "")  # noqa: PLR2004 - a line's worth
    path = context.transaction.replaced(step.id)
    return (f"in its outputs, but not as it wrote them, so moved to {path}: {some}",)


def with_notes(decision: Decision, outcome: StepOutcome, lacking: str) -> StepOutcome:
    """The outcome with all that the reader should know. `lacking`: what the machine lacks."""
    allowed = (
        ("continue-on-error: the run goes on, and does not fail",) if outcome.tolerated else ()
    )
    alone = (lacking,) if lacking and outcome.exit_code is not None else ()
    notes = decision.notes + outcome.notes + allowed + alone
    return outcome if notes == outcome.notes else replace(outcome, notes=notes)


def rerun_damaged(decision: Decision, error: DamagedError) -> Decision:
    """The decision for a step whose stored result turned out to be damaged."""
    maker = decision.result.producer if decision.result else Producer()
    made = maker.run_url or maker.commit[:7] or "an earlier run"
    reason = f"the stored result is damaged: {error} (made by {made})"
    return replace(decision, action=Action.RUN, result=None, reasons=(reason,))
