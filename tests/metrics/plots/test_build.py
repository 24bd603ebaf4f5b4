"""Plots of a step: bounded memory, and notes instead of failures."""

from pathlib import Path

import pytest

from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Plot, Step
from mlpipe_ci.metrics.plots.build import PlotBuilder


def test_100_mb_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write("epoch,loss\n")
        for block in range(100):
            file.write("".join(f"{block * 9000 + n},0.1234567890123456789\n" for n in range(9000)))
    outcome = StepOutcome(
        step=Step(id="e", name="e", run="e", plots=(Plot(path="big.csv", x="epoch"),)),
        status=Status.SUCCEEDED,
    )
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 30).plots_of(outcome)
    assert len(plot.series[0].points) <= 401
    assert plot.series[0].points[-1][0] == 899_999
    assert "of 900,000 points" in plot.notes[0]
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 20).plots_of(outcome)
    assert "--html draws it" in plot.notes[0]


ODD = {
    "gone.csv": "it is not here",
    "a.txt": "no picture",
    "big.png": "is left out",
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_drawn_is_a_note(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "big.png").write_bytes(b"x" * 600_000)
    kind = None if name.endswith("csv") else "image"
    step = Step(id="e", name="e", run="e", plots=(Plot(path=name, kind=kind),))
    outcome = StepOutcome(step=step, status=Status.SUCCEEDED)
    (plot,) = PlotBuilder(tmp_path, None, 1, 1 << 30).plots_of(outcome)
    assert ODD[name] in plot.notes[0]
    assert plot.series == ()
