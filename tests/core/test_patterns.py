"""Input patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.paths import is_glob
from mlpipe_ci.core.patterns import matches, may_match


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("a.csv", "a.csv", True),
        ("a.csv", "A.csv", False),
        ("data", "data/x/y.csv", True),
        ("data/", "data/x.csv", True),
        ("data", "database.csv", False),
        (".", "any/thing", True),
        ("data/*.csv", "data/a.csv", True),
        ("data/*.csv", "data/.hidden.csv", True),
        ("data/*.csv", "data/x/a.csv", False),
        ("data/**/*.csv", "data/a.csv", True),
        ("data/**/*.csv", "data/x/y/a.csv", True),
        ("src/**", "src/a/b.py", True),
        ("week-0[1-3].csv", "week-02.csv", True),
        ("week-0[1-3].csv", "week-04.csv", False),
        ("w?.csv", "w1.csv", True),
        ("w?.csv", "w/.csv", False),
        ("{a,b}.csv", "{a,b}.csv", True),
        ("a+(b).csv", "a+(b).csv", True),
    ],
)
def test_matches(pattern: str, path: str, matched: bool) -> None:
    assert matches(pattern, path) is matched


@pytest.mark.parametrize(
    ("pattern", "output", "may"),
    [
        ("models/a.pkl", "models/", True),
        ("models/*.pkl", "models/", True),
        ("models/*/x.pkl", "models/a/", True),
        ("**/*.pkl", "models/", True),
        ("data/*.csv", "models/", False),
        ("models/*.pkl", "models/a.pkl", True),
        ("models/*.pkl", "models/a.txt", False),
        ("models", "models/a.pkl", True),
        ("models/a.pkl", "models/b.pkl", False),
        ("model", "models/", False),
    ],
)
def test_may_match(pattern: str, output: str, may: bool) -> None:
    assert may_match(pattern, output) is may


names = st.text(st.sampled_from("ab.*?"), min_size=1, max_size=3).filter(lambda n: set(n) != {"."})
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@given(paths, paths.filter(lambda p: not is_glob(p)), st.booleans())
def test_what_matches_inside_of_an_output_may_match_it(p: str, path: str, deep: bool) -> None:
    output = path.split("/", maxsplit=1)[0] + "/" if deep and "/" in path else path
    if matches(p, path):
        assert may_match(p, output)
