"""Gates: what is held, what is missed, what passes with a warning."""

import math
from typing import Any

import pytest

from mlpipe_ci.core.run import BaseMetrics, GateCheck, GateResult, Measurements, Status, StepOutcome
from mlpipe_ci.core.workflow import Gate, Step
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


CASES = {
    "metrics.auc >= 0.9": (True, "metrics.auc is 0.9"),
    "metrics.auc > 0.9": (False, "metrics.auc is 0.9"),
    "metrics.test.recall >= 0.8": (True, "metrics.test.recall is 0.8"),
    "metrics['test']['recall'] >= 0.8": (True, "metrics.test.recall is 0.8"),
    "metrics.AUC >= params.least": (True, "metrics.AUC is 0.9, params.least is 0.85"),
    "metrics.auc >= env.LEAST": (True, "metrics.auc is 0.9"),
    "metrics.auc >= base.auc - 0.05": (True, "metrics.auc is 0.9, base.auc is 0.92"),
    "metrics.auc >= base.auc": (False, "metrics.auc is 0.9, base.auc is 0.92"),
    "metrics.auc < 0.5 || metrics.loss < 0.3": (True, "metrics.auc is 0.9, metrics.loss is 0.2"),
    "metrics.auk >= 0.5": (False, "metrics has no 'auk'; did you mean 'auc'?"),
    "metrics.recall >= 0.5": (False, "metrics has no 'recall'; there is 'test.recall'"),
    "metrics.bad >= 0": (False, "metrics.bad is NaN"),
    "!(metrics.bad > 1)": (False, "metrics.bad is NaN"),
    "base.bad <= metrics.auc": (None, "base.bad is NaN"),
    "metrics.test.recall >= base.test.recall": (None, "base has no 'test'"),
    "metrics.auc": (False, "neither true nor false"),
    "metrics.auc / 0 > 1": (False, "zero"),
    "metrics.auc >= params.most": (False, "params has no 'most'"),
    "metrics.test >= 1": (False, ""),
    "worse_than_base(0.5)": (False, "by its name"),
    "!worse_than_base(metrics.rows)": (False, "whether more of rows is better is not known"),
    "!worse_than_base(metrics.auc)": (False, "say 'repeat: 5'"),
    "!worse_than_base(metrics.auc, true)": (False, "a number of standard errors"),
    "!worse_than_base(metrics.test.recall, 2)": (None, "base has no 'test'"),
}


@pytest.mark.parametrize("text", CASES)
def test_each_case_is_as_it_is_written(text: str) -> None:
    passed, why = CASES[text]
    found = one(text)
    assert found.passed is passed, found
    assert why in found.why


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (0.9157303370786517, "0.9", "0.91573"),
        (0.79999996, "0.8", "0.79999996"),
        (0.8 - 1e-13, "0.80", "0.7999999999999"),
        (5998.0, "6000", "5998"),
        (123456.78, "1e5", "1.2346e+05"),
    ],
)
def test_numbers_are_shown_as_in_the_table_but_never_as_the_limit_that_they_miss(
    value: float, limit: str, shown: str
) -> None:
    outcome = StepOutcome(
        step=Step(id="e", name="e", run="e"),
        status=Status.SUCCEEDED,
        measured=Measurements(metrics=(("auc", value),)),
    )
    gate = Gate(text=f"metrics.auc >= {limit}")
    found = check_gate(GateCheck(gate=gate, step=outcome.step, params={}), outcome, None)
    assert found.why == f"metrics.auc is {shown}"


@pytest.mark.parametrize("base", [None, UNKNOWN, BaseMetrics(source="")])
def test_without_a_base_a_gate_on_it_passes_with_a_warning(base: BaseMetrics | None) -> None:
    assert one("metrics.auc >= base.auc", base).passed is None
    assert one("metrics.auc >= base.auc", base, require_base=True).passed is False
    assert one("!worse_than_base(metrics.auc)", base).passed is None
    assert one("metrics.auc >= 0.5", base, require_base=True).passed is True


HEAD = (0.90, 0.92, 0.94, 0.93, 0.91)
SAMPLES = {
    "the same": ((0.91, 0.93, 0.92, 0.94, 0.90), True),
    "better before, within noise": ((0.92, 0.93, 0.94, 0.93, 0.91), True),
    "better before": ((0.96, 0.97, 0.96, 0.97, 0.96), False),
    "worse before": ((0.80, 0.81, 0.79, 0.80, 0.82), True),
    "once, better": ((0.96,), False),
    "once, alike": ((0.93,), True),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_worse_than_base_counts_in_standard_errors(case: str) -> None:
    base, passed = SAMPLES[case]
    for sign, name in ((1, "auc"), (-1, "loss")):
        head = tuple(sign * value for value in HEAD)
        then = tuple(sign * value for value in base)
        step = Step(id="e", name="e", run="e")
        outcome = StepOutcome(
            step=step,
            status=Status.SUCCEEDED,
            measured=Measurements(metrics=((name, sum(head) / 5),), samples=((name, head),)),
        )
        measured = BaseMetrics(
            metrics=((name, sum(then) / len(then)),),
            samples=((name, then),) if len(then) > 1 else (),
        )
        gate = Gate(text=f"!worse_than_base(metrics.{name}, 2)")
        assert (
            check_gate(GateCheck(gate=gate, step=step, params={}), outcome, measured).passed
            is passed
        )


def step(name: str, *gates: str, **more: Any) -> Step:
    made = tuple(Gate(text=gate) for gate in gates)
    return Step(id=name, name=name, run=name, metrics=("m.json",), gates=made, **more)
