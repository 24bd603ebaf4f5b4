"""The `if` of a step: what it may ask, and when the answer is not known yet."""

from collections.abc import Mapping
from typing import Any

import pytest

from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.plan import StepFacts
from mlpipe_ci.core.workflow import Step, StepInstance
from mlpipe_ci.plan.conditions import Condition, ConditionContext, evaluate_condition
from tests.support.fakes import step, workflow

GOOD: Mapping[str, Any] = {
    "outcome": "success",
    "conclusion": "success",
    "metrics": {"auc": 0.93, "test.f1": 0.8},
}
BAD: Mapping[str, Any] = {"outcome": "failure", "conclusion": "failure", "metrics": {}}
SKIPPED: Mapping[str, Any] = {"outcome": "skipped", "conclusion": "skipped", "metrics": {}}
MATRIX = StepInstance(group="train", values=(("model", "a"),))


def ask(condition: str, facts: StepFacts, *earlier: Step, **written: None) -> Condition:
    asking = step(
        "asking", condition=condition, env=(("MODE", "fast"),), strategy=MATRIX, position=9
    )
    around = ConditionContext(
        workflow=workflow(*(earlier or [step(name) for name in facts]), asking),
        github={"ref": "refs/heads/main"},
        facts=facts,
        hash_files=lambda patterns: "".join(patterns) if patterns != ("none",) else "",
    )
    return evaluate_condition(asking, around, written, ())


@pytest.mark.parametrize(
    "condition",
    [
        "steps.a.outcome == 'success'",
        "steps.a.metrics.auc > 0.9",
        "steps.a.metrics.test.f1 == 0.8",
        "steps.b.outcome == 'failure' && steps.b.metrics.auc == null",
        "steps.c.outcome == 'skipped'",
        "contains(steps.*.outcome, 'failure')",
        "env.MODE == 'fast' && matrix.model == 'a' && github.ref == 'refs/heads/main'",
        "hashFiles('x', 'y') == 'xy'",
        "hashFiles('none') == ''",
    ],
)
def test_what_is_known_is_used(condition: str) -> None:
    assert ask(condition, {"a": GOOD, "b": BAD, "c": SKIPPED}) == Condition(value=True)


def test_what_is_not_known_yet_is_waited_for() -> None:
    facts = {"a": GOOD, "b": None}
    assert ask("steps.a.outcome == 'success'", facts).waits_for == ()
    assert ask("steps.b.outcome == 'success'", facts).waits_for == ("if: asks how b ends",)
    assert ask("contains(steps.*.outcome, 'x')", facts).waits_for == ("if: asks how b ends",)
    waits = ask("hashFiles('x') != ''", facts, b=None).waits_for
    assert waits == ("if: hashes files after b has run",)


def test_a_matrix_is_asked_as_one() -> None:
    one = step("train-a", strategy=StepInstance(group="train", values=()))
    other = step("train-b", strategy=StepInstance(group="train", values=()))
    both = {"train-a": GOOD, "train-b": BAD}
    assert ask("steps.train.outcome == 'failure'", both, one, other).value
    assert ask("steps.train.metrics.auc == 0.93", both, one, other).value
    assert ask("steps.train-a.outcome == 'success'", both, one, other).value
    fine = {"train-a": GOOD, "train-b": GOOD}
    assert ask("steps.train.outcome == 'success'", fine, one, other).value
    part = {"train-a": GOOD, "train-b": None}
    waits = ask("steps.train.outcome == 'success'", part, one, other).waits_for
    assert waits == ("if: asks how train-b ends",)


def test_a_metric_that_is_not_there_is_a_slip() -> None:
    with pytest.raises(MlpipeError, match=r"steps\.a\.metrics has no 'auk'; did you mean 'auc'\?"):
        ask("steps.a.metrics.auk > 0.9", {"a": GOOD})
