"""`each`: names and ids of items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.step_contexts import facts
from mlpipe_ci.core.workflow import StepInstance
from mlpipe_ci.workflow.each import ItemError, Strategy, instances, shell_fault

NAMES = st.text(alphabet="abAB.-_ é", min_size=1, max_size=70).filter(lambda n: n.strip(". "))
PATHS = st.sets(NAMES, min_size=1, max_size=12).map(
    lambda names: tuple(sorted(f"data/{name}" for name in names))
)


def made(*paths: str, patterns: tuple[str, ...] = ("data/*",)) -> dict[str, StepInstance]:
    return dict(instances("clean", patterns, paths, Strategy()))


@given(PATHS)
def test_each_item_has_an_id_of_its_own_that_can_be_a_file(paths: tuple[str, ...]) -> None:
    found = made(*paths)
    assert [one.each for one in found.values()] == list(paths)
    assert all(len(name) < 90 and "/" not in name for name in found)


@given(PATHS, NAMES)
def test_another_item_that_is_called_otherwise_changes_no_id(
    paths: tuple[str, ...], name: str
) -> None:
    def told(all_paths: tuple[str, ...]) -> dict[str, str]:
        return {one.each: key for key, one in made(*all_paths).items()}

    before, after = told(paths), told(tuple(sorted({*paths, f"data/{name}.new item"})))
    assert {path: after[path] for path in paths} == before


def test_what_each_tells_of_an_item() -> None:
    assert facts("data/week.9.csv") == {
        "path": "data/week.9.csv",
        "name": "week.9.csv",
        "stem": "week.9",
        "dir": "data",
    }
    assert facts("a")["dir"] == "."


def test_an_item_is_called_by_what_tells_it_from_the_others() -> None:
    named = made("data/a/x.csv", "data/b/x.csv", patterns=("data/**/*.csv", "!data/c/*"))
    assert [one.shown for one in named.values()] == ["(a/x.csv)", "(b/x.csv)"]
    assert [name[:11] for name in named] == ["clean-a-x-c", "clean-b-x-c"]
    assert list(made("data/a b", "data/a-b")) != list(made("data/a-b"))


@pytest.mark.parametrize("name", ["a[1].csv", "a*", "a\nb", "a\\b", "a\x1bb", "\udcff"])
def test_a_name_that_would_be_a_pattern_is_no_item(name: str) -> None:
    with pytest.raises(ItemError, match="rename the file"):
        made(f"data/{name}")


def test_more_items_than_can_be_are_refused() -> None:
    with pytest.raises(ItemError, match="100,001 files match; 100,000 is the most"):
        made(*(str(number) for number in range(100_001)))


@pytest.mark.parametrize(
    "name", ["$(x)", "`x`", "a;b", "a&b", "a|b", "a'b", 'a"b', "a>b", "-rf", "(1)", "~x", "#x"]
)
def test_a_name_that_a_shell_acts_on_is_told(name: str) -> None:
    assert shell_fault(name)


@pytest.mark.parametrize("name", ["week-9.csv", "a b.csv", "données/ä_1.csv", "a+b@c=d,e:f%.x"])
def test_an_ordinary_name_may_stand_in_a_command(name: str) -> None:
    assert shell_fault(name) == ""
