"""The steps of a run as boxes with arrows, and the history of a metric as a line: for SVG."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from mlpipe_ci.core.run import Run, Status
from mlpipe_ci.report.wording import escape_controls

MOST_STEPS = 40
HEIGHT, GAP, SPACE = 32, 14, 46
LETTER, LONGEST = 8, 24
KINDS = {Status.SUCCEEDED: "succeeded", Status.REUSED: "reused"}
WIDE, HIGH, MARGIN = 100, 24, 3


def kind_of(status: Status, *, failed: bool) -> str:
    """By which class a step is coloured."""
    return "failed" if failed else KINDS.get(status, "other")


def graph(run: Run) -> dict[str, Any] | None:
    """Boxes in columns, each step right of all that it needs; None if there is nothing to see."""
    steps = run.outcomes
    if not run.edges or len(steps) > MOST_STEPS:
        return None
    column: dict[str, int] = {}
    for outcome in steps:  # a step stands after those that it needs
        before = [e.before for e in run.edges if e.after == outcome.step.id]
        column[outcome.step.id] = max((column.get(one, -1) + 1 for one in before), default=0)
    names = {o.step.id: _short(escape_controls(o.step.name)) for o in steps}
    widths = [0] * (max(column.values()) + 1)
    for step, index in column.items():
        widths[index] = max(widths[index], len(names[step]) * LETTER + 20)
    lefts = [sum(widths[:position]) + SPACE * position for position in range(len(widths))]
    nodes: dict[str, dict[str, Any]] = {}
    filled = [0] * len(widths)
    for outcome in steps:
        index, step = column[outcome.step.id], outcome.step.id
        x, y = lefts[index] + 2, filled[index] * (HEIGHT + GAP) + 2
        filled[index] += 1
        bad = outcome.failed or bool(outcome.measured.missed_gates)
        nodes[step] = {
            "name": names[step],
            "kind": kind_of(outcome.status, failed=bad),
            "x": x,
            "y": y,
            "width": widths[index],
            "height": HEIGHT,
            "tx": x + widths[index] / 2,
            "ty": y + HEIGHT / 2,
        }
    known = [e for e in run.edges if e.before in nodes and e.after in nodes]
    return {
        "nodes": list(nodes.values()),
        "edges": [_curve(nodes[e.before], nodes[e.after]) for e in known],
        "width": lefts[-1] + widths[-1] + 4,
        "height": max(filled) * (HEIGHT + GAP),
        "words": "; ".join(f"{names[e.after]} needs {names[e.before]}" for e in known),
    }


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _curve(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    x, y, end, low = one["x"] + one["width"], one["ty"], other["x"], other["ty"]
    middle = (x + end) / 2
    return f"M{x} {y} C{middle} {y} {middle} {low} {end} {low}"


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
