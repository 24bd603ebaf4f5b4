"""Which metrics are better higher."""

import pytest

from mlpipe_ci.core.metric_direction import direction

DIRECTIONS = {
    "auc": "higher",
    "test.recall_at_100": "higher",
    "valLoss": "lower",
    "neg_log_loss": "higher",
    "neg_mean_squared_error": "higher",
    "rmse": "lower",
    "latency_ms": "lower",
    "accuracy_error": "",
    "transactions": "",
    "loss.auc": "higher",
    "F1": "higher",
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_directions_by_name(name: str) -> None:
    assert direction(name, ()).better == DIRECTIONS[name]


def test_the_file_has_the_last_word() -> None:
    said = (("*.loss", "higher"), ("alerts", "lower"))
    assert direction("test.loss", said).better == "higher"
    assert direction("alerts", said).said
    assert direction("loss", said).better == "lower"
    assert direction("loss", ()).judge(-1) is True
    assert direction("auc", ()).judge(-1) is False
    assert direction("auc", ()).judge(0) is None
    assert direction("rows", ()).judge(1) is None
