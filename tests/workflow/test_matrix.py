"""Matrices: what the cases in cases/ do not show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.workflow.matrix import MatrixError, combinations, ids, suffix

axes = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)
)


@given(axes)
def test_without_include_and_exclude_it_is_the_product(matrix: dict[str, list[int]]) -> None:
    if not matrix:
        with pytest.raises(MatrixError):
            combinations(matrix)
        return
    found = combinations(matrix)
    size = 1
    for values in matrix.values():
        size *= len(values)
    assert len(found) == size
    assert len({suffix(one) for one in found}) == size
    assert len(set(ids("train", found))) == size


@given(axes.filter(bool), st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3))))
def test_include_changes_no_original_value(
    matrix: dict[str, list[int]], include: list[dict[str, int]]
) -> None:
    plain = combinations(matrix)
    found = combinations({**matrix, "include": include})
    assert [{key: one[key] for key in matrix} for one in found[: len(plain)]] == plain
    for entry in include:
        assert any(entry.items() <= one.items() or entry.keys() <= one.keys() for one in found)


def test_exclude_of_everything_but_an_include() -> None:
    found = combinations({"a": [1], "exclude": [{"a": 1}], "include": [{"a": 2}]})
    assert found == [{"a": 2}]


def test_true_is_not_1() -> None:
    assert combinations({"a": [True, 1], "exclude": [{"a": 1}]}) == [{"a": True}]


def test_a_long_value_is_cut_in_the_name() -> None:
    assert suffix({"a": list(range(40))}) == "(a=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1…)"


def test_ids_are_short_enough_for_the_name_of_a_file() -> None:
    found = ids("train", [{"a": "x" * 500}, {"a": "x" * 500 + "y"}, {"a": {"name": "z" * 500}}])
    assert len(set(found)) == 3
    assert max(len(name) for name in found) < 80
    assert suffix({"a": "x" * 500}) == f"(a={'x' * 40}…)"
