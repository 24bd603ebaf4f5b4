"""What a step left: what of it is declared, and which objects it needs."""

import math

import pytest

from mlpipe_ci.core.result import Output, needs, plain_number, undeclared
from tests.support.fakes import result, step


def output(path: str, kind: str = "file", **more: object) -> Output:
    return Output(path=path, kind=kind, digest=f"blake3:{path}", size=1, **more)  # type: ignore[arg-type]


def test_what_is_not_declared() -> None:
    of = step("s", outputs=("model", "plots/"), metrics=("m.json",))
    paths = ("model", "plots/a/b", "m.json", "model2", "plots2/a", "plot", "x/model", "plots")
    found = undeclared(of, tuple(map(output, paths)))
    assert [one.path for one in found] == ["model2", "plots2/a", "plot", "x/model"]
    assert undeclared(step("any"), found) == found


@pytest.mark.parametrize(
    ("mode", "executable"), [(0o644, False), (0o755, True), (0o611, False), (0o100, True)]
)
def test_executable_is_what_its_owner_may_run(mode: int, *, executable: bool) -> None:
    assert output("x", mode=mode).executable is executable


def test_order_says_nothing_about_what_is_in_it() -> None:
    assert output("x", order=1) == output("x", order=2)
    assert output("x", mode=0o600) != output("x")


def test_needed_are_contents_or_their_packs_and_the_log() -> None:
    outputs = (
        output("a"),
        output("b", pack="blake3:p"),
        output("c", pack="blake3:p"),
        output("d", kind="link"),
        output("e", kind="directory"),
    )
    assert needs(result(step("s"), outputs=outputs, log="blake3:l")) == ("a", "p", "l")


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (1, 1)]
)
def test_a_metric_as_json_takes_it(value: float, text: object) -> None:
    assert plain_number(value) == text
