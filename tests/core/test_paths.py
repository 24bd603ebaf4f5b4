"""Paths of the file: which are refused, and how they are spelled."""

import pytest

from mlpipe_ci.core.paths import is_under, literal_prefix, normal, path_fault
from mlpipe_ci.core.workflow import slug


def test_prefix_spelling_and_slug() -> None:
    assert literal_prefix("data/*/x.csv") == "data"
    assert literal_prefix("*.csv") == ""
    assert literal_prefix("a/b/c.csv") == "a/b/c.csv"
    assert normal("./a//b/../c/") == "a/c/"
    assert is_under("a/b", "a/")
    assert not is_under("ab", "a")
    assert slug("Train the model (v2)!") == "train-the-model-v2"


@pytest.mark.parametrize(
    "path", ["/x", "~/x", "../x", "a/../../x", ".git/x", "a/.git/b", " ", "\0"]
)
def test_refused_paths(path: str) -> None:
    assert path_fault(path)


@pytest.mark.parametrize("path", ["x", "..x/y", "a/../b", ".github/x", "a b/ü.csv"])
def test_good_paths(path: str) -> None:
    assert path_fault(path) is None
