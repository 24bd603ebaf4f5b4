"""What only a step itself and later ones write is out of its sight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.paths import above
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites

PATHS = ["a", "b/", "b/c", "b/d/", "b/d/e", "f/g/h", "f/g/"]


def writes(*pairs: tuple[int, str]) -> LaterWrites:
    found = LaterWrites()
    for index, path in pairs:
        found.add(index, [path])
    return found


@pytest.mark.parametrize(
    ("path", "hidden"), [("out/a", True), ("out", True), ("out/b", False), ("other", False)]
)
def test_a_file_of_a_later_step(path: str, hidden: bool) -> None:
    assert writes((2, "out/a")).hides(path, 1) == hidden


def test_what_an_earlier_step_writes_too_is_seen() -> None:
    assert not writes((0, "out/"), (2, "out/a")).hides("out/a", 1)
    assert not writes((0, "out/b"), (2, "out/a")).hides("out", 1)
    assert writes((0, "out/b"), (2, "out/a")).names("out", 1) == {"a"}


def test_what_a_step_declares_is_its_own_and_no_file_in_it() -> None:
    found = LaterWrites()
    found.declare(1, ["a", "b/"])
    assert found.is_declared("a", 1)
    assert not found.is_declared("a", 0)
    assert not found.is_declared("b", 1)
    assert not found.is_declared("b/c", 1)
    assert found.hides("b/c", 0)


def test_its_own_is_not_hidden_but_no_news() -> None:
    found = writes((1, "out/a"))
    assert not found.hides("out/a", 1)
    assert found.names("out", 1) == {"a"}
    assert found.names("", 1) == {"out"}
    assert found.names("", 2) == set()


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(PATHS)), max_size=5))
def test_against_the_plain_rule(pairs: list[tuple[int, str]]) -> None:
    found = writes(*pairs)
    for path in ("a", "b", "b/c", "b/d", "b/d/e", "b/x", "f", "f/g", "f/g/h", "f/g/x", "z"):
        for index in range(4):
            writers = [
                number
                for number, one in pairs
                if path == one.rstrip("/")
                or path in above(one.rstrip("/"))
                or (one.endswith("/") and path.startswith(one))
            ]
            assert found.hides(path, index) == (bool(writers) and min(writers) > index)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sets(st.sampled_from(PATHS)), st.booleans())),
    st.sets(st.sampled_from(PATHS)),
)
def test_what_a_step_writes_no_more_is_not_its_own(
    changes: list[tuple[int, set[str], bool]], declared: set[str]
) -> None:
    found = LaterWrites()
    found.declare(1, declared)
    now: dict[int, set[str]] = {0: set(), 1: set(), 2: set()}
    for index, paths, whole in changes:
        (found.replace if whole else found.add)(index, paths)
        now[index] = paths if whole else now[index] | paths
    fresh = writes(*((index, path) for index, paths in now.items() for path in paths))
    fresh.declare(1, declared)
    for path in ("a", "b", "b/c", "b/d", "b/d/e", "f", "f/g", "f/g/h", "z"):
        for index in range(4):
            assert found.hides(path, index) == fresh.hides(path, index)
            assert found.is_earlier(path, index) == fresh.is_earlier(path, index)
            assert found.may_write(path, index) == fresh.may_write(path, index)
            assert found.names(path, index) == fresh.names(path, index)


def test_who_may_have_written() -> None:
    known = LaterWrites()
    known.add(1, ["runs/a", "db"])
    known.add(3, ["db"])
    assert [i for i in range(5) if known.may_write("db", i)] == [1, 2, 3]
    assert [i for i in range(5) if known.may_write("runs/", i)] == [1]
    assert not known.may_write("else", 1)
