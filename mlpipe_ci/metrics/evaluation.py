"""Which gates hold for a step, and what it is compared with: an outcome with both. Pure.

In a pull request, and wherever a change proposes itself, the gates of the base branch's file hold
as they are there, with its params; those that only the change has hold as well.
"""

from collections.abc import Mapping
from dataclasses import replace

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import BaseMetrics, GateCheck, GateResult, Status, StepOutcome
from mlpipe_ci.core.workflow import Step, Workflow

MEASURED = (Status.SUCCEEDED, Status.REUSED)
GONE = "the step is gone, and its gates with it; take the gates away in a change of their own first"


@frozen(kw_only=False)
class MetricsEvaluator:
    """Evaluates outcomes. `base`: the base branch's workflow where its gates count, else None;
    `measured`: what was measured for the base, by id of the step.
    """

    workflow: Workflow
    base: Workflow | None = None
    measured: Mapping[str, BaseMetrics] | None = None

    def evaluate(self, outcome: StepOutcome) -> StepOutcome:
        """The outcome with the base's values, and each gate checked against its metrics."""
        step = outcome.step
        base = (self.measured or {}).get(step.id) if step.metrics or step.plots else None
        other = self._other(step)
        checks = self._checks(step, other)
        if not checks:
            gates: tuple[GateResult, ...] = ()
        elif outcome.status in MEASURED:
            # The parser of expressions takes 0.05 s to import: only a gate pays for it.
            from mlpipe_ci.metrics.gates import check_gate  # noqa: PLC0415

            gates = tuple(check_gate(check, outcome, base) for check in checks)
        else:
            gates = _not_held(outcome, other)
        strict = other is not None and not other.continue_on_error and bool(other.gates)
        measured = replace(outcome.measured, base=base, gates=gates, strict_gates=strict)
        return replace(outcome, measured=measured)

    def removed_gates(self) -> tuple[tuple[str, GateResult], ...]:
        """Gates of steps that the change has taken away."""
        others = (self._other(step) for step in self.workflow.steps)
        here = {other.id for other in others if other}
        steps = self.base.steps if self.base else ()
        return tuple(
            (step.name, GateResult(gate=gate.text, passed=False, why=GONE, origin="base"))
            for step in steps
            for gate in (step.gates if step.id not in here else ())
        )

    def _other(self, step: Step) -> Step | None:
        """The same step of the base branch's file: by its id, else by its name."""
        steps = self.base.steps if self.base else ()
        by_id = next((other for other in steps if other.id == step.id), None)
        return by_id or next((other for other in steps if other.name == step.name), None)

    def _checks(self, step: Step, other: Step | None) -> list[GateCheck]:
        own = {gate.text: gate for gate in step.gates}
        params = self.workflow.params
        if self.base is None:
            return [GateCheck(gate=gate, step=step, params=params) for gate in step.gates]
        theirs = {gate.text: gate for gate in other.gates} if other else {}
        checks = [
            GateCheck(
                gate=gate,
                step=other,
                params=self.base.params,
                origin="here" if own.get(gate.text) == gate else "base",
            )
            for gate in (other.gates if other else ())
            if other
        ]
        new = (gate for gate in step.gates if gate.text not in theirs)
        return checks + [
            GateCheck(gate=gate, step=step, params=params, origin="new") for gate in new
        ]


def _not_held(outcome: StepOutcome, other: Step | None) -> tuple[GateResult, ...]:
    """A change must not pass a gate by skipping the step that has it."""
    if other is None or outcome.status is not Status.SKIPPED:
        return ()
    if outcome.step.condition == other.condition:
        return ()
    why = "the step is skipped, by an 'if' that this change brings"
    return tuple(GateResult(gate=g.text, passed=False, why=why, origin="base") for g in other.gates)
