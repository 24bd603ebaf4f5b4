"""The graph of the page: no edge runs through a box."""

import re
from typing import Any

from hypothesis import given

from mlpipe_ci.core.run import Run
from mlpipe_ci.report import svg
from tests.report.test_fold import data, plain, runs
from tests.support.sample_runs import run_of

NUMBER = re.compile(r"-?[0-9.]+")


def crossed(drawn: dict[str, Any], path: str) -> list[str]:
    """Names of boxes that a path runs through; it may touch their sides."""
    found = []
    x = y = 0.0
    for kind, text in re.findall(r"([MCL])([^MCL]*)", path):
        numbers = [float(one) for one in NUMBER.findall(text)]
        points = [(x, y)] if kind != "M" else []
        points += list(zip(numbers[::2], numbers[1::2], strict=True))
        left, right = min(p[0] for p in points), max(p[0] for p in points)
        top, bottom = min(p[1] for p in points), max(p[1] for p in points)
        for box in drawn["nodes"]:
            apart = (right <= box["x"] or left >= box["x"] + box["width"]) or (
                bottom < box["y"] or top > box["y"] + box["height"]
            )
            if not apart and kind != "M":
                found.append(box["name"])
        x, y = points[-1]
    return found


@given(runs())
def test_no_edge_runs_through_a_box(run: Run) -> None:
    drawn = svg.graph(run)
    if drawn is None:
        return
    assert [crossed(drawn, one["path"]) for one in drawn["edges"]] == [[]] * len(drawn["edges"])
    boxes = drawn["nodes"]
    for one in boxes:
        assert 0 <= one["x"] <= drawn["width"] - one["width"]
        assert 0 <= one["y"] <= drawn["height"] - one["height"]
        others = [b for b in boxes if b is not one and b["x"] == one["x"]]
        assert all(abs(b["y"] - one["y"]) >= svg.HEIGHT for b in others)


def test_an_edge_past_a_column_goes_around_it() -> None:
    run = run_of(*map(plain, "abc"), edges=data("a>b", "b>c", "a>c"))
    drawn = svg.graph(run)
    assert drawn is not None
    paths = [one["path"] for one in drawn["edges"]]
    assert [path.count("L") for path in paths] == [0, 0, 1]
    assert crossed(drawn, "M0 18 L500 18") == ["a", "b", "c"]
