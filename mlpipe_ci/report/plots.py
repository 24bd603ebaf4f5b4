"""Plots in Markdown: a line of blocks for each series, and Mermaid's xychart folded."""

import math
from collections.abc import Iterator
from itertools import pairwise

from mlpipe_ci.core.plot_data import PlotData, Point, Series
from mlpipe_ci.core.run import Run
from mlpipe_ci.report.escape import code, folded, plain
from mlpipe_ci.report.wording import escape_controls, number

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 24
SHOWN = 6
CHARTS = 4
CELLS = 36
LARGEST = 1e15
LINES = ("line", "scatter", "bar", "histogram")


def section(run: Run) -> str:
    """All plots, folded; the first few as charts."""
    plots = [plot for outcome in run.outcomes for plot in outcome.measured.plots]
    if not plots:
        return ""
    parts = [_plot(plot, charted=index < CHARTS) for index, plot in enumerate(plots[:SHOWN])]
    more = len(plots) - SHOWN
    parts += [f"{more} more plots are in the HTML report."] if more > 0 else []
    return folded(f"{len(plots)} plot{'' if len(plots) == 1 else 's'}", "\n\n".join(parts))


def _plot(plot: PlotData, *, charted: bool) -> str:
    head = f"**{code(plot.title)}**"
    notes = "<br>".join(f"<sub>{plain(note)}</sub>" for note in plot.notes)
    if plot.kind == "confusion":
        body = _matrix(plot)
    elif plot.kind in LINES and plot.series:
        body = "<br>".join(_line(one) for one in plot.series)
        body += f"\n\n{chart(plot)}" if charted and chart(plot) else ""
    else:
        body = "<sub>drawn in the HTML report</sub>" if plot.picture or plot.spec else ""
    return "\n\n".join(part for part in (head, body, notes) if part)


def _line(one: Series) -> str:
    values = resampled(one.points)
    if not values:
        return f"{code(one.name)} {one.side}: no numbers"
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    blocks = "".join(BLOCKS[min(7, int((v - low) / span * 8))] for v in values)
    return f"{code(one.name)} {one.side} `{blocks}` {number(values[0])} → {number(values[-1])}"


def resampled(points: tuple[Point, ...]) -> list[float]:
    """The y of points at places with the same distance, at most WIDTH; of words, one each."""
    numbers = [(x, y) for x, y in points if isinstance(x, int | float)]
    if len(numbers) < len(points):
        return [y for _, y in points[:WIDTH]]
    numbers.sort()
    if not numbers or (len(numbers) <= WIDTH and _is_even(numbers)):
        return [y for _, y in numbers]
    left, right = numbers[0][0], numbers[-1][0]
    wanted = [left + (right - left) * index / (WIDTH - 1) for index in range(WIDTH)]
    return [_at(numbers, x) for x in wanted]


def _is_even(points: list[tuple[float, float]]) -> bool:
    steps = [b[0] - a[0] for a, b in pairwise(points)]
    return not steps or max(steps) <= 1.001 * min(steps)


def _at(points: list[tuple[float, float]], x: float) -> float:
    """Between the two nearest points on a straight line."""
    before = max((p for p in points if p[0] <= x), default=points[0])
    after = min((p for p in points if p[0] >= x), default=points[-1])
    if after[0] == before[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (x - before[0]) / (after[0] - before[0])


def chart(plot: PlotData) -> str:
    """Mermaid's xychart of the first column: the base's line, then the one of here."""
    first = [one for one in plot.series if one.name == plot.series[0].name]
    both = {one.side: resampled(one.points) for one in first}
    known = {
        side: values for side, values in both.items() if values and all(map(math.isfinite, values))
    }
    if "here" not in known or len({len(values) for values in known.values()}) > 1:
        known = {"here": known["here"]} if "here" in known else {}
    if not known:
        return ""
    kind = "bar" if plot.kind in {"bar", "histogram"} else "line"
    lines = ["xychart-beta", f'  title "{_quoted(plot.title)}"']
    axis = _range(first[0].points)
    lines += [f'  x-axis "{_quoted(plot.x_label)}" {axis}'] if axis else []
    lines += [f'  y-axis "{_quoted(plot.y_label or first[0].name)}"']
    order = [side for side in ("base", "here") if side in known]
    lines += [f"  {kind} [{', '.join(map(_fixed, known[side]))}]" for side in order]
    words = " first, then ".join(order) if len(order) > 1 else order[0]
    return "```mermaid\n" + "\n".join(lines) + f"\n```\n<sub>{words}</sub>"


def _range(points: tuple[Point, ...]) -> str:
    numbers = [x for x, _ in points if isinstance(x, int | float)]
    if len(numbers) < len(points) or not numbers or min(numbers) == max(numbers):
        return ""
    if not all(map(_is_plain, numbers)):
        return ""
    low, high = _fixed(min(numbers)), _fixed(max(numbers))
    return f"{low} --> {high}" if low != high else ""


def _is_plain(value: float) -> bool:
    """Mermaid takes no exponents, so there is a largest and a smallest number."""
    return math.isfinite(value) and abs(value) < LARGEST


def _fixed(value: float) -> str:
    """Five significant digits, twelve after the point at most: `0.00012346`."""
    return f"{float(f'{value:.5g}'):.12f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    plain_text = "".join(c if c.isalnum() or c in " .,-_()" else " " for c in escape_controls(text))
    return plain_text.strip()[:60] or "value"


def _matrix(plot: PlotData) -> str:
    """A confusion matrix: rows are actual classes, columns predicted ones; here, then the base."""
    return "\n\n".join(_one_matrix(one) for one in plot.series if len(one.points) <= CELLS * 4)


def _one_matrix(one: Series) -> str:
    counts = {tuple(str(x).split(" → ", 1)): y for x, y in one.points}
    classes = list(dict.fromkeys(actual for actual, *_ in counts))
    head = "| " + " | ".join([f"{one.side}: actual ↓", *map(code, classes)]) + " |"
    rows = [head, "|---|" + "--:|" * len(classes), *_rows(counts, classes)]
    return "\n".join(rows)


def _rows(counts: dict[tuple[str, ...], float], classes: list[str]) -> Iterator[str]:
    for actual in classes:
        cells = [number(counts.get((actual, other), 0.0)) for other in classes]
        yield "| " + " | ".join([code(actual), *cells]) + " |"
