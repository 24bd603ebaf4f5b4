"""The verdict of a run."""

from mlpipe_ci.report.metric_rows import verdict
from tests.support.sample_runs import FAILED, GOOD


def test_the_verdict() -> None:
    assert verdict(GOOD) == "demo: 1 ran · auc 0.9342"
    assert verdict(FAILED) == "demo: 1 failed · 1 reused · 1 not run · saved 41 min"
