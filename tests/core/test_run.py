"""The result of a run."""

import pytest

from mlpipe_ci.core.run import Run, Status, StepOutcome
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
