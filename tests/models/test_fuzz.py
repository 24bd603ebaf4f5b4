"""A moment of fuzzing; `make fuzz` goes on for longer."""

import resource
import sys

import pytest

from tests.models.fuzz import fuzz
from tests.support.random_cases import seed

MEGABYTES_500 = 500 * 1024
"""What ru_maxrss counts in: kilobytes on Linux."""


@pytest.mark.random("make a file of the input in tests/cases/invalid, or a test of it")
def test_changed_files_and_expressions_make_no_crash() -> None:
    counts = fuzz(seed(2026), tries=2000)
    assert min(count.valid for count in counts.values()) > 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
def test_a_minute_of_fuzzing_stays_small() -> None:
    fuzz(7, tries=15_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEGABYTES_500
