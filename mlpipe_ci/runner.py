"""Carries a plan out: the same fold of `decide`, with the commands executed in between."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlpipe_ci.bench import Bench
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.decide import Action, Decision, Facts, decide
from mlpipe_ci.endings import make_outcome
from mlpipe_ci.errors import MlpipeError
from mlpipe_ci.execute import execute
from mlpipe_ci.frozen import frozen
from mlpipe_ci.result import Producer
from mlpipe_ci.reuse import Reuse
from mlpipe_ci.run import Status, StepOutcome
from mlpipe_ci.workflow import Step


def run(bench: Bench, planned: tuple[Decision, ...] = ()) -> Iterator[Decision | StepOutcome]:
    """Yield for each step its decision before, and its outcome after it was carried out.

    `planned`: what `make_plan` has decided a moment ago. It holds as long as no command was run.
    From then on inputs are looked at on the disk: what an earlier step wrote may have been changed
    by another since. Where a stored result turns out to be damaged, a second decision follows the
    first; also later, if its outputs stayed in the cache until another step needed them. What the
    user can mend (a path, an expression) fails the step, not the run.
    """
    failed: list[Step] = []
    reuse = Reuse(bench)
    facts: dict[str, Mapping[str, Any] | None] = {}
    known = {decision.step.id: decision for decision in planned if _is_certain(decision)}
    for step in bench.workflow.steps:
        in_the_way = tuple(other.name for other in failed if not _apart(step, other))
        around = Around(reuse=reuse, facts=facts, failed=in_the_way)
        for item in _step(bench, step, around, known.get(step.id)):
            if isinstance(item, StepOutcome):
                facts[item.step.id] = item.facts
                if item.status not in {Status.REUSED, Status.SKIPPED}:
                    known = {}
                if item.broke:
                    failed.append(item.step)
            yield item


def _apart(step: Step, failed: Step) -> bool:
    """True if the failure of another combination of the same matrix does not stop this one."""
    same = step.strategy is not None and step.group == failed.group
    return same and step.strategy is not None and not step.strategy.fail_fast


def _is_certain(decision: Decision) -> bool:
    """An `if` may ask for files that are restored by then, and MAYBE is no decision."""
    return decision.step.condition is None and decision.action is not Action.MAYBE


@frozen
class Around:
    """What has happened before a step: reused results, facts, and names of steps that failed."""

    reuse: Reuse
    facts: Facts
    failed: tuple[str, ...]


def _step(
    bench: Bench, step: Step, around: Around, planned: Decision | None
) -> Iterator[Decision | StepOutcome]:
    decision = Decision(step=step, action=Action.RUN, reasons=())
    try:
        if step.condition and "hashFiles" in step.condition:
            yield from _supply(bench, tuple(around.reuse.held()), around)
        decision = planned or _decided(bench, step, around)
        outcome = None
        if decision.action is not Action.RUN:
            yield decision
            try:
                outcome = _without_command(decision, around)
            except DamagedError as error:
                decision = _must_run(decision, error)
        if outcome is None:
            yield from _supply(bench, tuple(around.reuse.needed_by(step)), around)
            yield decision
            outcome = execute(bench, decision)
    except MlpipeError as error:
        outcome = make_outcome(decision, Status.FAILED, notes=(str(error),))
    yield _with_notes(decision, outcome)


def _with_notes(decision: Decision, outcome: StepOutcome) -> StepOutcome:
    allowed = ("continue-on-error: the run goes on, and does not fail",) if outcome.forgiven else ()
    notes = decision.notes + outcome.notes + allowed
    return outcome if notes == outcome.notes else replace(outcome, notes=notes)


def _decided(bench: Bench, step: Step, around: Around) -> Decision:
    evidence = bench.witness.look(step, around.reuse.written, around.facts, around.failed)
    return decide(step, evidence)


def _supply(
    bench: Bench, needed: tuple[Decision, ...], around: Around
) -> Iterator[Decision | StepOutcome]:
    """Bring back what reused steps wrote; where that is damaged, the step runs after all."""
    for decision in needed:
        try:
            around.reuse.bring(decision)
        except DamagedError as error:
            again = _must_run(decision, error)
            yield from _supply(bench, tuple(around.reuse.needed_by(decision.step)), around)
            yield again
            yield _with_notes(again, execute(bench, again))


def _without_command(decision: Decision, around: Around) -> StepOutcome | None:
    """Skip or reuse; None if the command has to run. Raises DamagedError, PathError."""
    if decision.action is Action.SKIP:
        return make_outcome(decision, Status.BLOCKED if around.failed else Status.SKIPPED)
    return around.reuse.take(decision, decision.result) if decision.result else None


def _must_run(decision: Decision, error: DamagedError) -> Decision:
    maker = decision.result.producer if decision.result else Producer()
    made = maker.run_url or maker.commit[:7] or "an earlier run"
    reason = f"the stored result is damaged: {error} (made by {made})"
    return replace(decision, action=Action.RUN, result=None, reasons=(reason,))
