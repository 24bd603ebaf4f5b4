"""Words of reports."""

import pytest

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.report.wording import compared, escape_controls, number
from tests.support.sample_runs import COMPARISON, SHA


def test_what_was_compared() -> None:
    assert compared(COMPARISON) == "base 4be1c02 (the commit before this push): 1 path changed"
    assert (
        compared(Comparison(how="no commit yet"))
        == "no base (no commit yet), so decided by keys alone"
    )
    assert compared(Comparison(base=SHA, how="x")).endswith("which cannot be read")
    assert compared(Comparison(base=SHA, how="x", changed=())).endswith("nothing changed")


def test_what_cannot_be_printed_is_shown_as_its_code() -> None:
    assert escape_controls("caf\udce9 \x1b[31m é 数") == "caf\\xe9 \\x1b[31m é 数"


@pytest.mark.parametrize(
    ("value", "text"), [(0.934159, "0.9342"), (87.0, "87"), (1e-9, "1e-09"), (1e20, "1e+20")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
