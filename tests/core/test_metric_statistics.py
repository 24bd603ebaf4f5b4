"""How far repeated metrics scatter."""

import math
import random

import pytest

from mlpipe_ci.core.metric_statistics import means, sample_stddev, samples_by_metric, standard_error
from tests.support.repository import ROOT


def test_means_and_deviations() -> None:
    samples = samples_by_metric([{"a": 1.0, "b": 1.0}, {"a": 3.0}, {"a": 5.0, "b": math.nan}])
    assert samples[0] == ("a", (1.0, 3.0, 5.0))
    assert dict(means(samples)) == pytest.approx({"a": 3.0, "b": math.nan}, nan_ok=True)
    assert sample_stddev((1.0, 3.0, 5.0)) == 2.0
    assert sample_stddev((1.0,)) is None
    assert sample_stddev((1.0, math.nan)) is None
    assert standard_error((1.0, 3.0, 5.0), (1.0, 3.0, 5.0)) == pytest.approx(math.sqrt(8 / 3))
    assert standard_error((1.0, 3.0, 5.0), (9.0,)) == pytest.approx(math.hypot(2 / 3**0.5, 2))
    assert standard_error((1.0,), (1.0,)) is None


@pytest.mark.parametrize(("count", "stated"), [(3, 0.058), (5, 0.040), (10, 0.030)])
def test_equal_code_raises_a_false_alarm_as_often_as_stated(count: int, stated: float) -> None:
    """Student's t, one-sided, beyond 2 with 2n-2 degrees of freedom; docs/metrics.md says so."""
    chance = random.Random(count)  # noqa: S311
    tries, alarms = 4000, 0
    for _ in range(tries):
        head, base = ([chance.gauss(0.94, 0.02) for _ in range(count)] for _ in range(2))
        error = standard_error(head, base)
        assert error is not None
        alarms += sum(base) / count - sum(head) / count > 2 * error
    sigma = math.sqrt(stated * (1 - stated) / tries)
    assert abs(alarms / tries - stated) < 4 * sigma
    assert f"{stated:.1%}" in (ROOT / "docs" / "metrics.md").read_text()
