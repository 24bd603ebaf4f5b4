"""The result of a run."""

import pytest

from mlpipe_ci.core.run import NOT_STORED, NOT_STORED_AGAIN, Run, Status, StepOutcome
from tests.support.sample_runs import (
    FAILED,
    GOOD,
    OUTCOMES,
    TRAIN,
    run_of,
)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (GOOD, "success"),
        (FAILED, "failure"),
        (run_of(*OUTCOMES, cancelled=True), "cancelled"),
        (run_of(StepOutcome(step=TRAIN, status=Status.CANCELLED)), "cancelled"),
    ],
)
def test_the_result_of_a_run(run: Run, words: str) -> None:
    assert run.result == words


@pytest.mark.parametrize(
    ("reasons", "notes", "why"),
    [
        (("a changed",), (f"{NOT_STORED}: it removes a",), "it removes a"),
        (("it removes a",), (NOT_STORED_AGAIN,), "it removes a"),
        (("tracing is off, so it runs each time",), (), "tracing is off, so it runs each time"),
        (("a changed",), ("made b",), ""),
    ],
)
def test_why_a_step_left_no_result(
    reasons: tuple[str, ...], notes: tuple[str, ...], why: str
) -> None:
    outcome = StepOutcome(step=TRAIN, status=Status.SUCCEEDED, reasons=reasons, notes=notes)
    assert outcome.why_not_stored == why
