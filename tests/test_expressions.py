"""GitHub's expression language, as far as `if` needs it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.expressions import (
    STATUS_FUNCTIONS,
    ExpressionError,
    condition,
    fault,
    number,
    string,
    truth,
)

CONTEXTS: dict[str, Any] = {
    "github": {
        "ref": "refs/heads/main",
        "event": {"number": 7, "draft": False, "labels": ["Train", "gpu"], "none": None},
    },
    "env": {"MODE": "Fast", "COUNT": "3"},
}
TRUE = [
    "true",
    "github.ref == 'refs/heads/main'",
    "GITHUB.REF == 'REFS/heads/MAIN'",
    "github['ref'] == 'refs/heads/main'",
    "${{ github.ref == 'refs/heads/main' }}",
    "github.event.number == 7",
    "github.event.number == '7'",
    "github.event.number == ' 0x7 '",
    "github.event.labels[0] == 'train'",
    "contains(github.event.labels, 'GPU')",
    "contains(github.ref, 'HEADS')",
    "contains('abc', '')",
    "startsWith(github.ref, 'refs/')",
    "StartsWith(github.ref, 'REFS/')",
    "endsWith(github.ref, 'main')",
    "env.MODE == 'fast' && env.COUNT > 2",
    "github.event.draft || env.MODE",
    "!github.event.draft",
    "!(github.event.draft && true)",
    "github.event.none == 0",
    "github.event.none == ''",
    "github.event.nothing.at.all == null",
    "github.event.labels[9] == null",
    "'it''s' == 'IT''S'",
    "1 < 2 == true",
    "true && false || true",
    "-1.5e1 == -15",
    "0xff == 255",
    "0o17 == 15",
    ".5 < 1",
    "'b' > 'A'",
    "2 >= 2 && 2 <= 2 && 1 != 2",
    "always()",
    "success()",
    "!cancelled()",
    "null == false",
    "'' == 0",
    "github == github",
]
FALSE = [
    "false",
    "''",
    "0",
    "null",
    "-0",
    "nan",
    "nan == nan",
    "'abc' == 0",
    "github == env",
    "github.event.labels == 'Train'",
    "github.ref == 'refs/heads/dev'",
    "failure()",
    "cancelled()",
    "'a' < 'B' && false",
    "github < env",
    "!!''",
]


@pytest.mark.parametrize("text", TRUE)
def test_true(text: str) -> None:
    assert fault(text) is None
    assert condition(text, CONTEXTS, succeeded=True)


@pytest.mark.parametrize("text", FALSE)
def test_false(text: str) -> None:
    assert fault(text) is None
    assert not condition(text, CONTEXTS, succeeded=True)


@pytest.mark.parametrize(
    ("text", "after_failure"),
    [("true", False), ("always()", True), ("failure()", True), ("success()", False)],
)
def test_success_is_meant_unless_a_status_function_is_named(text: str, after_failure: bool) -> None:
    assert condition(text, CONTEXTS, succeeded=False) is after_failure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("github.ref ==", "at its end"),
        ("", "at its end"),
        ("github.ref = 'x'", "at '= 'x''"),
        ("main", "unknown name 'main'"),
        ("secrets.TOKEN != ''", "unknown name 'secrets'"),
        ("succes()", "unknown function 'succes'"),
        ("contains('a')", "does not take 1 values"),
        ("github.reff == 'x'", "github has no 'reff'; did you mean 'ref'?"),
        ("github.token != ''", "github has no 'token'; known are actor, "),
        ('"double"', "cannot be read at '\"double\"'"),
        ("(" * 9000 + "1" + ")" * 9000, None),
        ("!" * 60 + "1", "nested deeper"),
        ("1" * 30_000, "30,000 characters"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str | None) -> None:
    assert (message or "") in (fault(text) or "")
    assert (fault(text) is None) == (message is None)


def test_a_fault_that_only_values_show_is_raised() -> None:
    with pytest.raises(ExpressionError):
        condition("contains('a')", CONTEXTS, succeeded=True)


@given(st.text(max_size=30) | st.lists(st.sampled_from(TRUE + FALSE), max_size=3).map(" && ".join))
def test_no_text_crashes_the_parser(text: str) -> None:
    if fault(text) is None:
        assert isinstance(condition(text, CONTEXTS, succeeded=True), bool)


@given(st.sampled_from(TRUE), st.sampled_from(FALSE))
def test_and_or_not_are_those_of_logic(one: str, other: str) -> None:
    if not any(name in one + other for name in STATUS_FUNCTIONS):
        assert condition(
            f"({one}) || ({other})".replace("${{", "").replace("}}", ""), CONTEXTS, succeeded=True
        )
        assert not condition(
            f"({one}) && ({other})".replace("${{", "").replace("}}", ""), CONTEXTS, succeeded=True
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (1.5, "1.5"), (7, "7"), ([], "Array"), ({}, "Object"), ("x", "x")],
)
def test_text_of_values(value: object, text: str) -> None:
    assert string(value) == text


def test_numbers_and_truth_of_lists_and_maps() -> None:
    assert str(number([])) == "nan"
    assert truth([])
    assert truth({})
