"""The steps of a run as boxes with arrows, and the history of a metric as a line: for SVG."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import Run
from mlpipe_ci.report import fold
from mlpipe_ci.report.wording import escape_controls

MOST_NODES, MOST_EDGES = 40, 200
HEIGHT, GAP, SPACE = 32, 14, 46
LANE = 14
"""Height of the way of an edge past a column of boxes."""
LETTER, LONGEST = 8, 24
WIDE, HIGH, MARGIN = 100, 24, 3


@frozen
class _Place:
    """Where a box stands, or where an edge passes a column: its left side, and its middle."""

    x: float
    middle: float
    width: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width


def graph(run: Run) -> dict[str, Any] | None:
    """Boxes in columns, each step right of all that it needs; None if there is nothing to see."""
    nodes, edges = fold.graph(run)
    if not edges or len(nodes) > MOST_NODES or len(edges) > MOST_EDGES:
        return None
    column: list[int] = []
    for number in range(len(nodes)):  # a step stands after those that it needs
        before = (column[one] for one, after, _ in edges if after == number)
        column.append(max((one + 1 for one in before), default=0))
    names = [escape_controls(node.name) for node in nodes]
    shown = [_short(name) for name in names]
    widths = [0] * (max(column) + 1)
    for number, index in enumerate(column):
        widths[index] = max(widths[index], len(shown[number]) * LETTER + 20)
    places, height = _places(column, widths, edges)
    return {
        "nodes": [
            {
                "name": shown[number],
                "title": names[number],
                "kind": node.kind,
                "x": places[number,].x,
                "y": places[number,].middle - HEIGHT / 2,
                "width": places[number,].width,
                "height": HEIGHT,
                "tx": places[number,].x + places[number,].width / 2,
                "ty": places[number,].middle,
            }
            for number, node in enumerate(nodes)
        ],
        "edges": [
            {"path": _path(_way(before, after, column, places)), "kind": kind}
            for before, after, kind in edges
        ],
        "width": sum(widths) + SPACE * (len(widths) - 1) + 4,
        "height": height,
        "words": "; ".join(f"{names[after]} needs {names[before]}" for before, after, _ in edges),
    }


def _places(
    column: list[int], widths: list[int], edges: list[tuple[int, int, str]]
) -> tuple[dict[tuple[int, ...], _Place], float]:
    """Where each node `(number,)` stands, and `(before, after, column)` where an edge passes one;
    and the height of all. Each is about as high as what leads to it.
    """
    found: dict[tuple[int, ...], _Place] = {}
    left, highest = 2.0, 0.0
    for index, width in enumerate(widths):
        leading: dict[tuple[int, ...], list[float]] = {
            (number,): [] for number, own in enumerate(column) if own == index
        }
        for before, after, _ in edges:
            if column[before] < index <= column[after]:
                key = _place_of(before, after, index, column)
                earlier = _place_of(before, after, index - 1, column)
                leading.setdefault(key, []).append(found[earlier].middle)
        top = 2.0
        for key in sorted(leading, key=lambda one: sum(leading[one]) / (len(leading[one]) or 1)):
            height = HEIGHT if len(key) == 1 else LANE
            found[key] = _Place(x=left, middle=top + height / 2, width=width)
            top += height + GAP
        highest = max(highest, top)
        left += width + SPACE
    return found, highest - GAP + 2


def _place_of(before: int, after: int, index: int, column: list[int]) -> tuple[int, ...]:
    """What an edge has in a column: the node where it begins or ends, or its way."""
    end = next((one for one in (before, after) if column[one] == index), None)
    return (before, after, index) if end is None else (end,)


def _way(
    before: int, after: int, column: list[int], places: dict[tuple[int, ...], _Place]
) -> list[_Place]:
    """Where an edge begins, passes columns, and ends."""
    between = range(column[before] + 1, column[after])
    return [
        places[before,],
        *(places[before, after, index] for index in between),
        places[after,],
    ]


def _path(way: list[_Place]) -> str:
    """A curve from column to column, and straight past the columns between."""
    parts = [f"M{way[0].right:g} {way[0].middle:g}"]
    for one, other in pairwise(way):
        bend = (one.right + other.x) / 2
        parts.append(
            f"C{bend:g} {one.middle:g} {bend:g} {other.middle:g} {other.x:g} {other.middle:g}"
        )
        if other is not way[-1]:
            parts.append(f"L{other.right:g} {other.middle:g}")
    return " ".join(parts)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def line(values: Sequence[float]) -> list[tuple[float, float]]:
    """Points of a line in a box of 100 by 24; none for fewer than two numbers."""
    kept = [value for value in values if isfinite(value)]
    if len(kept) < 2:  # noqa: PLR2004 - a point is no line
        return []
    low, high = min(kept), max(kept)
    span, step = (high - low) or 1.0, (WIDE - 2 * MARGIN) / (len(kept) - 1)
    return [
        (
            round(MARGIN + index * step, 1),
            round(HIGH - MARGIN - (value / span - low / span) * (HIGH - 2 * MARGIN), 1),
        )
        for index, value in enumerate(kept)
    ]
