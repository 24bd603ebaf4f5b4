"""Which values of a params file a step uses. What becomes of it: tests/scenarios."""

import pytest

from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.read_before import uses


@pytest.mark.parametrize(
    ("named", "path", "used"),
    [
        (("lr",), "lr", True),
        (("LR",), "lr", True),
        (("train",), "train.lr", True),
        (("train.layers.0",), "train.layers", True),
        (("*",), "train.lr", True),
        (("train",), "trainer", False),
        (("train.lr",), "train.rounds", False),
        ((), "lr", True),
    ],
)
def test_what_a_step_names_its_parts_and_its_wholes(
    named: tuple[str, ...], path: str, used: bool
) -> None:
    params = tuple((one, "1") for one in named)
    step = Step(id="s", name="s", run="x", params=params, names_params=bool(named))
    assert uses(step, path) == used
