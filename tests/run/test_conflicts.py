"""Which steps may not run at once."""

import pytest

from mlpipe_ci.core.graph import behind
from mlpipe_ci.core.workflow import Step, StepInstance
from mlpipe_ci.run.conflicts import (
    FileAccess,
    conflict,
    dependencies,
    in_listed_order,
)
from tests.support.fakes import step, workflow

KNOWN = FileAccess(known=True)


A = step("a", inputs=("in",), outputs=("a.txt",))
B = step("b", inputs=("in",), outputs=("b/",))
READS_A = step("c", inputs=("a.txt", "x/*.csv"), outputs=("c",))
NEEDS = step("d", inputs=("in",), outputs=("d",), needs=("b",))
ASKS = step("e", inputs=("in",), outputs=("e",), condition="success()")
UNKNOWN = step("u")


@pytest.mark.parametrize(
    ("steps", "touched", "wanted"),
    [
        ((A, B), {}, [set(), set()]),
        ((A, B, READS_A), {}, [set(), set(), {0}]),
        ((A, B, NEEDS), {}, [set(), set(), {1}]),
        ((A, B, ASKS, READS_A), {}, [set(), set(), {0, 1}, {0}]),
        ((A, UNKNOWN, B), {}, [set(), {0}, {1}]),
        ((A, UNKNOWN, B, ASKS, UNKNOWN), {}, [set(), {0}, {1}, {1, 2}, {3}]),
        ((A, UNKNOWN, B), {1: KNOWN}, [set(), set(), set()]),
        ((A, B), {1: FileAccess(reads=frozenset({"a.txt"}))}, [set(), {0}]),
        ((A, B), {0: FileAccess(reads=frozenset({"b/x"}))}, [set(), {0}]),
        ((A, B), {0: FileAccess(reads=frozenset({"./"}))}, [set(), {0}]),
        ((A, B), {1: FileAccess(reads=frozenset({"a.txt.bak"}))}, [set(), set()]),
        ((A, B), {n: FileAccess(writes=frozenset({"log"})) for n in (0, 1)}, [set(), {0}]),
        ((A, READS_A), {0: FileAccess(writes=frozenset({"x/more.csv"}))}, [set(), {0}]),
        ((READS_A, B), {1: FileAccess(writes=frozenset({"x/b.csv"}))}, [set(), {0}]),
        ((UNKNOWN, step("v", outputs=("v",))), {}, [set(), {0}]),
        ((step("v", outputs=("v",)), B), {}, [set(), set()]),
        ((A, step("v", outputs=("v",))), {}, [set(), {0}]),
    ],
)
def test_what_has_to_end_first(
    steps: tuple[Step, ...], touched: dict[int, FileAccess], wanted: list[set[int]]
) -> None:
    known = [touched.get(index, FileAccess()) for index in range(len(steps))]
    assert dependencies(workflow(*steps), known) == wanted


def test_one_job_keeps_the_listed_order() -> None:
    of = step("m", strategy=StepInstance(group="g", values=()))
    assert in_listed_order(workflow(A, B, of)) == [set(), {0}, {1}]
    assert behind([set(), {0}, set(), {1, 2}], 3) == {0, 1, 2}


@pytest.mark.parametrize(
    ("reads", "writes", "wanted"),
    [
        ({"b/x"}, set(), "b/x"),
        ({"b"}, set(), "b"),
        ({"b.txt"}, set(), ""),
        ({"x"}, {"x"}, "x"),
        ({"d/"}, {"d/x"}, "d"),
        ({"d"}, {"d/x"}, ""),  # that the directory is there was true before
        (set(), {"in"}, "in"),
        ({"./"}, {"new"}, "b/"),
    ],
)
def test_a_collision_is_seen(reads: set[str], writes: set[str], wanted: str) -> None:
    seen, wrote = FileAccess(reads=frozenset(reads)), FileAccess(writes=frozenset(writes))
    assert conflict(A, seen, B, wrote) == wanted
