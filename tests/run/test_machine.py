"""What this machine has."""

import pytest

from mlpipe_ci.run.machine import capacity, cores


@pytest.mark.parametrize(
    ("visible", "wanted"), [("", ()), ("-1", ()), ("3, 5", ("3", "5")), ("GPU-1f", ("GPU-1f",))]
)
def test_gpus_are_those_that_cuda_may_use(visible: str, wanted: tuple[str, ...]) -> None:
    assert capacity({"CUDA_VISIBLE_DEVICES": visible}).gpus == wanted


def test_this_machine_has_something() -> None:
    found = capacity({})
    assert found.cpus == cores() >= 1
    assert found.memory is None or found.memory > 1 << 28
