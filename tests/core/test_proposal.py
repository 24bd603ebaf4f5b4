"""Proposals are lines that a person would write, and mean all that was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.proposal import input_patterns, output_paths

NAME = st.text("ab*[é ", min_size=1, max_size=3)
PATHS = st.sets(
    st.builds(
        lambda parts, suffix: "/".join(parts) + suffix,
        st.lists(NAME, min_size=1, max_size=3),
        st.sampled_from(["", ".csv", ".py"]),
    )
)


@pytest.mark.parametrize(
    ("paths", "patterns"),
    [
        (("src/a.py",), ("src/a.py",)),
        (("data/1.csv", "data/2.csv", "data/3.csv", "data/x.txt"), ("data/*.csv", "data/x.txt")),
        (tuple(f"src/{d}/{n}.py" for d in "ab" for n in "123"), ("src/**/*.py",)),
        (("a.csv", "b.csv", "c.csv"), ("a.csv", "b.csv", "c.csv")),
        (("data/[1].csv",), ("data/[[]1].csv",)),
    ],
)
def test_files_as_patterns(paths: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    assert input_patterns(paths) == patterns


@given(PATHS)
def test_each_path_is_meant_by_a_pattern(paths: set[str]) -> None:
    found = input_patterns(paths)
    for path in paths:
        assert any(matches(pattern, path) for pattern in found), (path, found)


@pytest.mark.parametrize(
    ("paths", "others", "outputs"),
    [
        (("m/a", "m/b"), (), ("m/",)),
        (("m/a", "m/b"), ("m/code.py",), ("m/a", "m/b")),
        (("m/x/a", "m/x/b", "m/y"), (), ("m/",)),
        (("model.pkl",), ("train.py",), ("model.pkl",)),
    ],
)
def test_files_as_outputs(
    paths: tuple[str, ...], others: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    assert output_paths(paths, others) == outputs
