"""The verdict of a run, and why there is nothing to compare with."""

from dataclasses import replace

import pytest

from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import BaseMetrics, GateResult, Measurements, Run, Status, StepOutcome
from mlpipe_ci.report.metric_rows import MINUS, verdict, why_no_base
from mlpipe_ci.report.terminal import outcome_lines
from tests.support.fakes import step
from tests.support.sample_runs import FAILED, GOOD, run_of


def test_the_verdict() -> None:
    assert verdict(GOOD) == "demo: auc 0.9342 · 1 ran"
    assert verdict(FAILED) == "demo: 1 failed · 1 reused · 1 not run · saved 41 min"


GATE = GateResult(gate="metrics.auc >= 0.9", passed=False, why="metrics.auc is 0.5")
MISSED = Measurements(
    metrics=(("loss", 0.2), ("auc", 0.5)),
    base=BaseMetrics(metrics=(("loss", 0.1), ("auc", 0.5))),
    gates=(GATE,),
)


def measured(measurements: Measurements, status: Status = Status.SUCCEEDED) -> Run:
    return run_of(StepOutcome(step=step("evaluate"), status=status, measured=measurements))


def test_the_verdict_of_a_missed_gate_has_its_metric() -> None:
    assert verdict(measured(MISSED)) == "demo: 1 gate missed · auc 0.5 · 1 ran"


@pytest.mark.parametrize(
    ("base", "value", "shown"),
    [
        (0.9222, 0.9157303, "auc 0.9157 (−0.0065)"),
        (0.922, 0.8, "auc 0.8 (−0.122)"),
        (0.91, 0.9100004, "auc 0.91 (+4e-07)"),
        (90.0, 87.0, "auc 87 (−3)"),
    ],
)
def test_a_difference_is_as_exact_as_its_value(base: float, value: float, shown: str) -> None:
    before = BaseMetrics(metrics=(("auc", base),))
    run = measured(Measurements(metrics=(("auc", value),), base=before))
    assert verdict(run) == f"demo: {shown} · 1 ran".replace("−", MINUS)


def test_the_verdict_of_a_run_without_news_has_its_metric_before_the_counts() -> None:
    alone = Measurements(metrics=(("auc", 0.5),))
    assert verdict(measured(alone, Status.REUSED)) == "demo: nothing new · auc 0.5 · 1 reused"


def test_a_step_that_missed_a_gate_has_not_just_succeeded() -> None:
    for status in (Status.SUCCEEDED, Status.REUSED):
        line = outcome_lines(measured(MISSED, status).outcomes[0])[0]
        assert line.startswith("✖ evaluate  missed a gate  ")


def test_a_step_that_only_has_plots_needs_no_base() -> None:
    base = BaseMetrics(source="no base: draw wrote no metrics on 4be1c02")
    plot = PlotData(path="a.csv", kind="line", title="a")
    drawn = Measurements(plots=(plot,), base=base)
    assert why_no_base(measured(drawn)) == ()
    assert why_no_base(measured(replace(drawn, metrics=(("auc", 0.5),)))) == (base.source,)
