"""A moment of fuzzing; `make fuzz` goes on for longer."""

import resource
import sys

import pytest

from tests.models.fuzz import fuzz

MEGABYTES_500 = 500 * 1024
"""What ru_maxrss counts in: kilobytes on Linux."""


def test_changed_files_and_expressions_make_no_crash() -> None:
    counts = fuzz(seconds=8, seed=2026)
    assert counts["loader"].tried > 50
    assert counts["expression"].tried > 100
    assert min(count.valid for count in counts.values()) > 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
def test_a_minute_of_fuzzing_stays_small() -> None:
    counts = fuzz(seconds=60, seed=7)
    assert sum(count.tried for count in counts.values()) > 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEGABYTES_500
