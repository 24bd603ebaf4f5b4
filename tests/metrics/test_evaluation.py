"""Whose gates hold: those of the base in a pull request, else those of the file."""

import math
from dataclasses import replace
from typing import Any

import pytest

from mlpipe_ci.core.run import BaseMetrics, GateCheck, GateResult, Measurements, Status, StepOutcome
from mlpipe_ci.core.workflow import Gate, Step, StepInstance, Workflow
from mlpipe_ci.metrics.evaluation import MetricsEvaluator
from mlpipe_ci.metrics.gates import check_gate

METRICS = (("auc", 0.9), ("test.recall", 0.8), ("loss", 0.2), ("rows", 5.0), ("bad", math.nan))
BASE = BaseMetrics(metrics=(("auc", 0.92), ("loss", 0.1), ("rows", 5.0), ("bad", math.nan)))
UNKNOWN = BaseMetrics(source="no base: evaluate never ran on 4be1c02")


def one(text: str, base: BaseMetrics | None = BASE, **more: Any) -> GateResult:
    gate = Gate(text=text, require_base=more.pop("require_base", False))
    step = Step(id="e", name="e", run="e", env=(("LEAST", "0.5"),), **more)
    outcome = StepOutcome(
        step=step, status=Status.SUCCEEDED, measured=Measurements(metrics=METRICS)
    )
    return check_gate(GateCheck(gate=gate, step=step, params={"least": 0.85}), outcome, base)


def flow(*steps: Step, **params: Any) -> Workflow:
    return Workflow(name="w", file="mlpipe.yml", steps=steps, params=params)


def step(name: str, *gates: str, **more: Any) -> Step:
    made = tuple(Gate(text=gate) for gate in gates)
    return Step(id=name, name=name, run=name, metrics=("m.json",), gates=made, **more)


def weighed(scales: MetricsEvaluator, one: Step, status: Status = Status.SUCCEEDED) -> StepOutcome:
    return scales.evaluate(
        StepOutcome(step=one, status=status, measured=Measurements(metrics=METRICS))
    )


def origins(outcome: StepOutcome) -> list[tuple[str, bool | None, str]]:
    return [(gate.gate, gate.passed, gate.origin) for gate in outcome.measured.gates]


def test_outside_of_pull_requests_the_files_own_gates_hold() -> None:
    mine = step("e", "metrics.auc > 0.8")
    assert origins(weighed(MetricsEvaluator(flow(mine)), mine)) == [
        ("metrics.auc > 0.8", True, "here")
    ]


def test_in_a_pull_request_the_bases_hold_with_its_params() -> None:
    mine = step("e", "metrics.auc > params.least", "metrics.loss < 1")
    theirs = step("e", "metrics.auc > params.least", "metrics.rows > 9")
    scales = MetricsEvaluator(flow(mine, least=0.1), flow(theirs, least=0.95))
    assert origins(weighed(scales, mine)) == [
        ("metrics.auc > params.least", False, "here"),
        ("metrics.rows > 9", False, "base"),
        ("metrics.loss < 1", True, "new"),
    ]


def test_a_gate_that_needs_no_base_any_more_is_another() -> None:
    theirs = step("e")
    theirs = replace(theirs, gates=(Gate(text="metrics.auc > base.auc", require_base=True),))
    mine = step("e", "metrics.auc > base.auc")
    scales = MetricsEvaluator(flow(mine), flow(theirs), {"e": UNKNOWN})
    assert origins(weighed(scales, mine)) == [("metrics.auc > base.auc", False, "base")]


def test_a_step_under_another_id_is_known_by_its_name() -> None:
    mine = replace(step("e", "metrics.auc > 0.1"), id="other")
    scales = MetricsEvaluator(flow(mine), flow(step("e", "metrics.auc > 0.95")))
    assert weighed(scales, mine).fails_run
    assert scales.removed_gates() == ()


def test_a_step_that_is_taken_away_misses_its_gates() -> None:
    scales = MetricsEvaluator(flow(step("f")), flow(step("e", "metrics.auc > 0.1"), step("f")))
    (name, gate), *_ = scales.removed_gates()
    assert (name, gate.passed, gate.origin) == ("e", False, "base")


def test_a_combination_of_a_matrix_with_lists_in_it_has_gates_too() -> None:
    values = StepInstance(group="e", values=(("layers", [8, 8]),))
    mine = step("e", "metrics.auc > matrix.layers[0]", strategy=values)
    assert weighed(MetricsEvaluator(flow(mine), flow(mine)), mine).measured.missed_gates


@pytest.mark.parametrize("status", [Status.FAILED, Status.BLOCKED, Status.CANCELLED])
def test_nothing_is_held_against_what_did_not_run(status: Status) -> None:
    mine = step("e", "metrics.auc > 0.95")
    assert weighed(MetricsEvaluator(flow(mine), flow(mine)), mine, status).measured.gates == ()


def test_a_step_that_is_skipped_as_before_misses_nothing() -> None:
    mine = step("e", "metrics.auc > 0.95", condition="github.ref == 'x'")
    assert (
        weighed(MetricsEvaluator(flow(mine), flow(mine)), mine, Status.SKIPPED).measured.gates == ()
    )
    other = flow(step("e", "metrics.auc > 0.95"))
    assert weighed(MetricsEvaluator(flow(mine), other), mine, Status.SKIPPED).fails_run
