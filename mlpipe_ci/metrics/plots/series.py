"""From the rows of a table to a few points that show the same. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

from mlpipe_ci.core.plot_data import Point, Series
from mlpipe_ci.core.workflow import Plot
from mlpipe_ci.metrics.plots.tables import UNNAMED, PlotError, Row

MOST_COLUMNS = 5
BINS = 20
CLASSES = 12
SAMPLE = 20_000
LABEL = 60


Item = TypeVar("Item")


class Thinned(Generic[Item]):
    """The points of a series of any length, every so many of them: twice `most` at any time."""

    def __init__(self, most: int) -> None:
        self._most, self._stride, self.count = most, 1, 0
        self._points: list[Item] = []
        self._last: Item | None = None

    def add(self, point: Item) -> None:
        """One more point."""
        if self.count % self._stride == 0:
            self._points.append(point)
            if len(self._points) >= 2 * self._most:
                self._points = self._points[::2]
                self._stride *= 2
        self.count += 1
        self._last = point

    def points(self) -> tuple[Item, ...]:
        """At most `most` of them, the first and the last with them."""
        stride = -(-len(self._points) // self._most)
        kept = self._points[::stride] if stride > 1 else self._points
        ends = [self._last] if self._last is not None and kept[-1:] != [self._last] else []
        return (*kept, *ends)


def thinned(rows: Iterable[Row], most: int) -> list[Row]:
    """At most so many rows, the first and the last with them. Raises PlotError."""
    kept: Thinned[Row] = Thinned(most)
    for row in rows:
        kept.add(row)
    return list(kept.points())


def drawn_series(
    plot: Plot, kind: str, rows: Iterable[Row], side: str, most: int
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """The series of a plot, and what was left out, in words. Raises PlotError."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise PlotError("it has no rows")
    everything = chain([first], rows)
    if kind == "confusion":
        return _confusion(plot, everything, first, side)
    columns = _columns(plot, first, kind)
    if kind == "histogram":
        return _histograms(columns, everything, side)
    return _lines(plot, columns, everything, side, most)


def _columns(plot: Plot, first: Row, kind: str) -> tuple[str, ...]:
    wanted = plot.y or ((plot.x,) if kind == "histogram" and plot.x else ())
    missing = next((n for n in (plot.x, *wanted) if n is not None and n not in first), None)
    if missing is not None:
        known = ", ".join(map(str, list(first)[:10]))
        raise PlotError(f"it has no column '{missing}'; it has {known}")
    if wanted:
        return tuple(wanted)
    numeric = [n for n, value in first.items() if n != plot.x and _number(value) is not None]
    if not numeric:
        raise PlotError("it has no column of numbers to draw; name one with y")
    named = [n for n in numeric if not n.startswith(UNNAMED)]
    return tuple((named or numeric)[:MOST_COLUMNS])


def _lines(
    plot: Plot, columns: tuple[str, ...], rows: Iterable[Row], side: str, most: int
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    kept: dict[str, Thinned[Point]] = {name: Thinned(most) for name in columns}
    for index, row in enumerate(rows):
        x = index if plot.x is None else _plain(row.get(plot.x))
        for name, one in kept.items():
            y = _number(row.get(name))
            if y is not None and math.isfinite(y) and x is not None:
                one.add((x, y))
    series = tuple(Series(name=n, side=side, points=one.points()) for n, one in kept.items())
    cut = [
        f"{n}: {len(s.points):,} of {kept[n].count:,} points"
        for n, s in _named(series)
        if len(s.points) < kept[n].count
    ]
    return series, tuple(cut)


def _named(series: tuple[Series, ...]) -> Iterator[tuple[str, Series]]:
    return ((one.name, one) for one in series)


def _histograms(
    columns: tuple[str, ...], rows: Iterable[Row], side: str
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    values: dict[str, Thinned[float]] = {name: Thinned(SAMPLE) for name in columns}
    for row in rows:
        for name, one in values.items():
            y = _number(row.get(name))
            if y is not None and math.isfinite(y):
                one.add(y)
    series = tuple(
        Series(name=name, side=side, points=_binned(list(one.points())))
        for name, one in values.items()
    )
    cut = [
        f"{n}: a sample of {one.count:,} values" for n, one in values.items() if one.count > SAMPLE
    ]
    return series, tuple(cut)


def _binned(values: list[float]) -> tuple[Point, ...]:
    if not values:
        return ()
    low, high = min(values), max(values)
    width = (high - low) / BINS or 1.0
    counts = Counter(min(BINS - 1, int((value - low) / width)) for value in values)
    return tuple((low + (index + 0.5) * width, float(counts[index])) for index in range(BINS))


def _confusion(
    plot: Plot, rows: Iterable[Row], first: Row, side: str
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    actual = plot.x or "actual"
    predicted = plot.y[0] if plot.y else "predicted"
    missing = next((name for name in (actual, predicted) if name not in first), None)
    if missing:
        raise PlotError(
            f"it has no column '{missing}'; name those of a confusion matrix with x and y"
        )
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[(_label(row.get(actual)), _label(row.get(predicted)))] += 1
    sizes: Counter[str] = Counter()
    for pair, count in counts.items():
        sizes.update(dict.fromkeys(pair, count))
    kept = {name for name, _ in sizes.most_common(CLASSES)}
    points = tuple(
        (f"{one} → {other}", float(counts[(one, other)]))
        for one in sorted(kept)
        for other in sorted(kept)
    )
    cut = (f"{CLASSES} of {len(sizes)} classes",) if len(sizes) > CLASSES else ()
    return (Series(name="count", side=side, points=points),), cut


def _label(value: Any) -> str:
    return str(value)[:LABEL]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _plain(value: Any) -> float | str | None:
    number = _number(value)
    if number is not None:
        return number if math.isfinite(number) else None
    return None if value is None else _label(value)
