"""Expressions: conditions, what may be named where, faults in words, templates.

What the values are is tested beside GitHub's own implementation, in test_github_expressions.py.
"""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.expressions import (
    STATUS_FUNCTIONS,
    ExpressionError,
    ExpressionScope,
    Name,
    bare,
    condition,
    evaluate,
    missing_key,
    names,
    number,
    number_text,
    parse,
    pieces,
    text,
    truth,
)
from mlpipe_ci.workflow.contexts import KnownNames, problem_with_expression

CONTEXTS: dict[str, Any] = {
    "github": {
        "ref": "refs/heads/main",
        "event": {"number": 7, "draft": False, "labels": ["Train", "gpu"], "none": None},
    },
    "env": {"MODE": "Fast", "COUNT": "3"},
    "params": {"train": {"rate": 0.1, "layers": [64, 32]}, "Odd Key": 1},
    "matrix": {},
    "steps": {},
}
KNOWN = KnownNames(
    params=CONTEXTS["params"], env=CONTEXTS["env"], before=("prep",), after=("later",)
)
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
    "NaN",
    "NaN == NaN",
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


def holds(source: str, *, succeeded: bool = True) -> bool:
    return condition(source, ExpressionScope(contexts=CONTEXTS), succeeded=succeeded)


@pytest.mark.parametrize("source", TRUE)
def test_true(source: str) -> None:
    assert problem_with_expression(bare(source), "if", KNOWN) is None
    assert holds(source)


@pytest.mark.parametrize("source", FALSE)
def test_false(source: str) -> None:
    assert problem_with_expression(bare(source), "if", KNOWN) is None
    assert not holds(source)


@pytest.mark.parametrize(
    ("source", "after_failure"),
    [("true", False), ("always()", True), ("failure()", True), ("success()", False)],
)
def test_success_is_meant_unless_a_status_function_is_named(
    source: str, after_failure: bool
) -> None:
    assert holds(source, succeeded=False) is after_failure


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("github.ref ==", "at its end"),
        ("", "the expression is empty"),
        ("github.ref = 'x'", "at '= 'x''; equality is =="),
        ("main", "unknown name 'main'; known are params, matrix, each, env, steps, github"),
        ("succes()", "unknown function 'succes'; did you mean 'success'?"),
        ("contains('a')", "does not take 1 values; it takes 2"),
        ("github.reff == 'x'", "github has no 'reff'; did you mean 'ref'?"),
        ("github.token != ''", "github has no 'token'; it has actor, "),
        ('"double"', "at '\"double\"'; a text stands in single quotes"),
        ("'it's'", "a quote is not closed"),
        ("true or false", "for 'or' write ||"),
        ("not true", "for 'not' write !"),
        ("(" * 9000 + "1" + ")" * 9000, "nested deeper"),
        ("!" * 60 + "1", "nested deeper"),
        ("1" * 30_000, "30,000 characters"),
        ("steps.later.outcome", "comes later"),
        ("steps.pre.outcome", "no earlier step has the id 'pre'; did you mean 'prep'?"),
        ("steps", "name a step"),
        ("params.train.rates", "params.train has no 'rates'; did you mean 'rate'?"),
        ("params.rate", "params has no 'rate'; there is 'train.rate'"),
        ("params.train.layers[2]", "params.train.layers has no '2'; it is a list of 2 items"),
        ("params['odd key']", None),
        ("params.train[matrix.x]", "the step has no strategy.matrix"),
        ("env.mode", None),
    ],
)
def test_what_is_wrong_is_said(source: str, message: str | None) -> None:
    found = problem_with_expression(source, "if", KNOWN)
    assert (found is None) == (message is None)
    assert (message or "") in (found or "")


@pytest.mark.parametrize("source", ["contains('a')", "nosuch()", "nosuch", "fromJSON('[')", "1/0"])
def test_a_fault_that_is_met_only_now_is_raised(source: str) -> None:
    with pytest.raises(ExpressionError):
        holds(source)


@given(st.text(max_size=30) | st.lists(st.sampled_from(TRUE + FALSE), max_size=3).map(" && ".join))
def test_no_text_crashes_the_parser(source: str) -> None:
    if problem_with_expression(bare(source), "if", KNOWN) is None:
        with contextlib.suppress(ExpressionError):  # what is met only now, as a division by zero
            assert isinstance(holds(source), bool)


@given(st.sampled_from(TRUE), st.sampled_from(FALSE))
def test_and_or_not_are_those_of_logic(one: str, other: str) -> None:
    if not any(name in one + other for name in STATUS_FUNCTIONS):
        assert holds(f"({bare(one)}) || ({bare(other)})")
        assert not holds(f"({bare(one)}) && ({bare(other)})")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((None, ""), (True, "true"), (1.5, "1.5"), (7, "7"), ([], "Array"), ({}, "Object")),
        *(("x", "x"), (0.1 + 0.2, "0.3"), (1e-16, "1e-16"), (1e21, "1e+21"), (42.0, "42")),
        *((-0.0, "0"), (10**30, "1" + "0" * 30), (0.1234567890123456, "0.1234567890123456")),
    ],
)
def test_text_of_values(value: object, shown: str) -> None:
    assert text(value) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_text(value: float) -> None:
    assert float(number_text(value)) == value
    assert number(text(value)) == pytest.approx(value, rel=1e-15, abs=0)


def test_numbers_and_truth_of_lists_and_maps() -> None:
    assert str(number([])) == "nan"
    assert truth([])
    assert truth({})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("2 + 3 * 4 - 1", 13),
        ("(2 + 3) * 4", 20),
        ("7 / 2", 3.5),
        ("8 / 2", 4),
        ("-params.train.rate", -0.1),
        ("10 - -3", 13),
        ("'3' * 2", 6),
        ("9007199254740993 + 0", 9007199254740993),
        ("1 + 1 == 2", True),
        ("params.train.layers.* == null", False),
    ],
)
def test_arithmetic(source: str, value: object) -> None:
    assert evaluate(source, ExpressionScope(contexts=CONTEXTS)) == value


@pytest.mark.parametrize(
    "source", ["true + 1", "null - 1", "'x' * 1", "'' + 1", "1 / 0", "params.train + 1"]
)
def test_arithmetic_on_what_is_no_number_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, ExpressionScope(contexts=CONTEXTS))


def test_a_number_cannot_grow_without_end() -> None:
    with pytest.raises(ExpressionError, match="more than 300 digits"):
        evaluate(" * ".join(["9" * 250] * 40), ExpressionScope(contexts={}))


@pytest.mark.parametrize(
    "source", [f"1 / 0x{'1' * 500}", f"0x{'1' * 500} / 3", f"0x{'1' * 500} * 1.5", "1e308 * 10 - 1"]
)
def test_numbers_that_no_float_holds(source: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert text(evaluate(source, ExpressionScope(contexts={})))


@pytest.mark.parametrize("source", ["'abc'[0x{}]", "fromJSON('[1]')[0x{}]", "toJSON(0x{}) == ''"])
def test_a_huge_index_is_none(source: str) -> None:
    tried = source.replace("'abc'[", "('abc')[").replace("{}", "1" * 500)
    assert not truth(evaluate(tried, ExpressionScope(contexts={})))


def test_what_was_used_of_strict_contexts_is_told() -> None:
    scope = ExpressionScope(
        contexts=CONTEXTS | {"matrix": {"k": "rate"}}, strict=frozenset({"params"})
    )
    evaluate("params.train[matrix.k] + params['train'].layers[1]", scope)
    evaluate("false && params.train", scope)
    evaluate("join(params.train.layers.*)", scope)
    assert scope.used == {
        ("params", "train", "rate"): 0.1,
        ("params", "train", "layers", "1"): 32,
        ("params", "train", "layers"): [64, 32],
    }
    with pytest.raises(ExpressionError, match=r"params\.train has no 'rat'; did you mean 'rate'"):
        evaluate("params.train[format('ra{0}', 't')]", scope)


def test_names_of_an_expression() -> None:
    found = list(names(parse("a.b['c'].d && x[y.z].w || e.*.f || (g).h || contains(i[0], j)")))
    assert Name("a", ("b", "c", "d"), whole=True) in found
    assert Name("x", (), whole=False) in found
    assert Name("y", ("z",), whole=True) in found
    assert Name("e", (), whole=False) in found
    assert Name("g", (), whole=True) in found
    assert Name("i", ("0",), whole=True) in found
    assert Name("j", (), whole=True) in found


def test_a_key_elsewhere_is_named() -> None:
    name = Name("params", ("b",), whole=True)
    assert missing_key({"a": {"b": 1}}, name) == "params has no 'b'; there is 'a.b'"
    assert missing_key({"b": 0}, name) is None
    assert missing_key(5, name) == "params has no 'b'; it is one value"
    assert missing_key({}, name) == "params has no 'b'; it is empty"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("plain", [("plain", False)]),
        ("a ${{ b }} c", [("a ", False), (" b ", True), (" c", False)]),
        ("${{ '}}' }}", [(" '}}' ", True)]),
        ("${{ 'it''s }}' }}", [(" 'it''s }}' ", True)]),
        ("${{a}}${{b}}", [("a", True), ("b", True)]),
        ("${ {x} } $x {{ y }}", [("${ {x} } $x {{ y }}", False)]),
        ("", []),
    ],
)
def test_a_template_is_split_at_its_expressions(source: str, found: list[tuple[str, bool]]) -> None:
    assert [(piece.text, piece.expression) for piece in pieces(source)] == found


@pytest.mark.parametrize("source", ["${{ a", "${{ 'a }}", "x ${{ a }} ${{", "${{ '" + "''" * 10**5])
def test_an_expression_that_is_not_closed_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError, match="never closed"):
        pieces(source)
