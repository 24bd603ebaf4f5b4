"""The decision: for each step RUN, REUSE, SKIP or MAYBE, with its reasons. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from mlpipe_ci.core.cache_key import KeyParts
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import NO_RESULT, NOT_ASKED, Action, Decision, Plan, StepFacts, Written
from mlpipe_ci.core.platform import platform_of, shown_platform
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.core.workflow import Step, Workflow

OF_NOW = regex(r" now\b| no longer |and this is ")
BEFORE_A_COMMAND = (Action.RUN, Action.MAYBE)
FAILED = {"outcome": "failure", "conclusion": "failure"}


@frozen
class Evidence:
    """All that is known about one step at the moment of its decision."""

    condition: bool | None = True
    """Value of its `if`; None: not known yet."""
    waits_for: tuple[str, ...] = ()
    """Why its `if`, or its inputs, are not known yet."""
    parts: KeyParts | None = None
    key: str | None = None
    results: tuple[Result, ...] = ()
    """Those that fit and can be restored, best first."""
    unusable: tuple[str, ...] = ()
    """Why a stored result cannot be restored."""
    changed: tuple[str, ...] = ()
    """What differs from an earlier run, or from the base, in words."""
    since: str = ""
    """Since when: words for what `changed` compares with."""
    unwatched: str = ""
    """Why nothing shows what it reads."""
    unstored: str = ""
    """Why its last run left no result."""
    unreachable: str = ""
    """Why data from outside of git that it reads cannot be had, so that it will fail."""
    forced: bool = False
    """The user wants it to run."""
    failed_before: bool = False
    """Its last run here has failed."""
    left_out: bool = False
    """The user asked for other steps."""
    blocked_by: tuple[str, ...] = ()
    """Names of steps that did not succeed."""
    notes: tuple[str, ...] = ()
    """What the reader should know about its inputs."""
    lacks: tuple[str, ...] = ()
    """Secrets that its command needs and that are not set, in words."""
    now: float = 0.0
    """Seconds since 1970."""
    platform: str = ""
    """The platform of this machine, as `core.platform` writes it."""


class EvidenceSource(Protocol):
    """Collects the evidence about a step: all that a plan sees of the world."""

    def collect(
        self, step: Step, written: Written, facts: StepFacts, failed: tuple[str, ...]
    ) -> Evidence:
        """Say all that is known about the step now."""


def _nothing(_decision: Decision) -> tuple[str, ...]:
    return ()


def decide(step: Step, evidence: Evidence) -> Decision:
    """Decide one step from what is known. Pure."""
    action, reasons = _verdict(step, evidence)
    return Decision(
        step=step,
        action=action,
        reasons=reasons,
        key=evidence.key,
        parts=evidence.parts,
        notes=evidence.notes + (evidence.lacks if action in BEFORE_A_COMMAND else ()),
        forced=evidence.forced,
        result=evidence.results[0] if action is Action.REUSE else None,
        unreachable=bool(evidence.unreachable),
    )


def make_plan(
    workflow: Workflow,
    evidence_source: EvidenceSource,
    missed: Callable[[Decision], tuple[str, ...]] = _nothing,
) -> Plan:
    """Decide all steps without running any: a fold of `decide`.

    `missed`: the gates that a reused result is known to miss, in words; it stops what follows.
    """
    decisions: list[Decision] = []
    failed: tuple[str, ...] = ()
    written: dict[str, tuple[Output, ...] | None] = {}
    facts: dict[str, Mapping[str, Any] | None] = {}
    for step in workflow.steps:
        decision = decide(step, evidence_source.collect(step, written, facts, failed))
        facts[step.id] = _facts(decision)
        if gates := missed(decision):
            decision = replace(decision, notes=(*decision.notes, *gates))
            facts[step.id] = {**(facts[step.id] or {}), **FAILED}
            failed += (step.name,)
        if decision.action is not Action.SKIP:
            written[step.id] = decision.result.outputs if decision.result else None
        decisions.append(decision)
    return Plan(workflow=workflow, decisions=tuple(decisions))


def _facts(decision: Decision) -> Mapping[str, Any] | None:
    if decision.action is Action.SKIP:
        return {"outcome": "skipped", "conclusion": "skipped", "metrics": {}}
    if decision.result is None:
        return None
    metrics = dict(decision.result.metrics)
    return {"outcome": "success", "conclusion": "success", "metrics": metrics}


def _verdict(step: Step, evidence: Evidence) -> tuple[Action, tuple[str, ...]]:
    if evidence.condition is None:
        return Action.MAYBE, evidence.waits_for
    if not evidence.condition:
        return Action.SKIP, _why_skip(step, evidence)
    if evidence.unreachable:
        return Action.RUN, (evidence.unreachable,)
    if evidence.forced:
        return Action.RUN, ("asked for by --force",)
    if step.cache is False:
        return Action.RUN, ("cache: false",)
    if evidence.unwatched:
        return Action.RUN, (evidence.unwatched,)
    if evidence.waits_for:
        return Action.MAYBE, evidence.waits_for
    if evidence.results:
        return Action.REUSE, (_why_reuse(evidence),)
    return Action.RUN, _why_run(evidence)


def _why_skip(step: Step, evidence: Evidence) -> tuple[str, ...]:
    if evidence.left_out:
        return (NOT_ASKED,)
    if evidence.blocked_by:
        return (f"{', '.join(evidence.blocked_by)} did not succeed",)
    return (f"if: {step.condition} is false",)


def _why_run(evidence: Evidence) -> tuple[str, ...]:
    changed = _dated(evidence.changed, evidence.since)
    failed = ("failed last time",) if evidence.failed_before else ()
    unstored = (evidence.unstored,) if evidence.unstored else ()
    return evidence.unusable + failed + changed or unstored or (NO_RESULT,)


def _dated(changed: tuple[str, ...], since: str) -> tuple[str, ...]:
    """With the words that say since when, at the first reason that does not speak of now."""
    found = list(changed)
    for index, text in enumerate(found):
        if since and not OF_NOW.search(text):
            found[index] = f"{text} {since}"
            break
    return tuple(found)


def _why_reuse(evidence: Evidence) -> str:
    result = evidence.results[0]
    age = format_duration(max(0.0, evidence.now - result.finished))
    parts = [f"same inputs as {age} ago"]
    if result.producer.ref:
        parts[0] += f" on {result.producer.ref.removeprefix('refs/heads/')}"
    if result.seconds >= 1:
        parts.append(f"saved {format_duration(result.seconds)}")
    made = platform_of(result.discovered)
    if made and evidence.platform and made != evidence.platform:
        parts.append(f"made on {shown_platform(made)}")
    return ", ".join(parts)
