"""Durations in words."""

import pytest

from mlpipe_ci.core.units import format_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (0.042, "0.04 s"),
        (4.24, "4.2 s"),
        (12.3, "12 s"),
        (119, "119 s"),
        (2460, "41 min"),
        (9000, "2.5 h"),
        (3 * 86400, "3 days"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words
