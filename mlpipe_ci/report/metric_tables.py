"""Tables of metrics beside those of the base: for a terminal, as Markdown, CSV and JSON."""

import csv
import io
import re
from typing import Any

from mlpipe_ci.core.cache_key import Difference
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.result import plain_number
from mlpipe_ci.report.escape import code, plain
from mlpipe_ci.report.metric_rows import (
    FEW,
    MetricRow,
    change_words,
    changed_rows,
    rows_to_show,
    value_words,
)
from mlpipe_ci.report.wording import escape_controls

VERSION = 1
BETTER = {True: "better", False: "worse", None: ""}
MARKS = {True: "🟢 ", False: "🔴 ", None: ""}
COLOURS = {True: "32", False: "31", None: ""}
LEGEND = "↑ higher is better, ↓ lower is better"
SHOWN_PARAMS = 20


def markdown(rows: tuple[MetricRow, ...], base: str | None, why: tuple[str, ...], most: int) -> str:
    """At most so many rows; `base`: its commit; `why`: reasons why nothing is known of it."""
    if rows and not any(row.differs for row in rows):
        return _unchanged(rows, base)
    changed, same = changed_rows(rows)
    some, more = rows_to_show(changed, most)
    if not some:
        return ""
    notes = [f"<sub>{plain(text[:1].upper() + text[1:])}.</sub>" for text in why]
    if any(row.base is not None for row in some):
        of = f" {code(base[:7])}" if base else ""
        lines = [f"| metric | change | base{of} → here |", "|---|:--|:--|"]
        lines += map(_compared, some)
        notes += [f"<sub>{text}</sub>" for text in legend(some)]
    else:
        lines = ["| metric | value |", "|---|--:|", *map(_alone, some)]
    rest = f"{more:,} more metrics are in the report. " if more else ""
    rest += f"{same:,} metric{'' if same == 1 else 's'} did not change." if same else ""
    return "\n\n".join(part for part in ("\n".join(lines), rest, "<br>".join(notes)) if part)


def _unchanged(rows: tuple[MetricRow, ...], base: str | None) -> str:
    of = f" {code(base[:7])}" if base else ""
    some = " · ".join(f"{label(row.label)}&nbsp;{_value(row)}" for row in rows[:FEW])
    more = f" and {len(rows) - FEW:,} more" if len(rows) > FEW else ""
    return f"Same as for the base{of}: {some}{more}"


def _value(row: MetricRow) -> str:
    return value_words(row.value, row.spread).replace(" ", "&nbsp;")


def label(text: str) -> str:
    """The name of a metric, which may be broken where a phone has no room for it."""
    return re.sub(r"(&#95;|[./:])(?=\w)", r"\1<wbr>", code(text)).replace("</<wbr>", "</")


def _alone(row: MetricRow) -> str:
    return f"| {label(row.label)} | {_value(row)} |"


def _compared(row: MetricRow) -> str:
    """One metric: its direction, the base's value, this run's, the difference and what it is."""
    arrow = f"&nbsp;{row.direction.arrow}" if row.direction.arrow else ""
    change = f"{MARKS[row.better]}{change_words(row)}".replace(" ", "&nbsp;")
    change += " (within noise)" if row.is_noise else ""
    base, here = value_words(row.base, row.base_spread), value_words(row.value, row.spread)
    return f"| {label(row.label)}{arrow} | {change} | {base}&nbsp;→ {here} |"


def legend(some: tuple[MetricRow, ...]) -> list[str]:
    """What the arrows say, and how that is known; nothing where there is none."""
    known = [row.direction for row in some if row.direction.arrow]
    if not known:
        return []
    by_name = "" if all(one.said for one in known) else ", by its name where the file does not say"
    return [f"{LEGEND}{by_name}"]


def lines(
    rows: tuple[MetricRow, ...], params: list[Difference], *, colour: bool = False
) -> list[str]:
    """For a terminal: each metric, then the params that differ."""
    cells = [("metric", "base", "here", "change")] + [
        (
            f"{escape_controls(row.label)} {row.direction.arrow}".rstrip(),
            value_words(row.base, row.base_spread),
            value_words(row.value, row.spread),
            " ".join(
                part
                for part in (change_words(row), BETTER[row.better], "noise" * row.is_noise)
                if part
            ),
        )
        for row in rows
    ]
    widths = [max(len(one[index]) for one in cells) for index in range(3)]
    codes = ["2"] + [COLOURS[row.better] for row in rows]
    found = [
        _line(one, widths, code_ if colour else "") for one, code_ in zip(cells, codes, strict=True)
    ]
    found = (found if rows else []) + legend(rows)
    found += [
        f"params.{escape_controls(path)} {before or 'none'} → {after or 'none'}"
        for path, before, after in params[:SHOWN_PARAMS]
    ]
    more = len(params) - SHOWN_PARAMS
    return found + ([f"and {more} more params differ"] if more > 0 else [])


def _line(cells: tuple[str, str, str, str], widths: list[int], colour: str) -> str:
    name, base, here, change = cells
    text = f"{name:<{widths[0]}}  {base:>{widths[1]}}  {here:>{widths[2]}}  {change}".rstrip()
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def as_csv(rows: tuple[MetricRow, ...]) -> str:
    """One line for each metric, with all digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("step", "metric", "base", "here", "change", "better"))
    for row in rows:
        numbers = (_plain(row.base), _plain(row.value), _plain(row.change))
        writer.writerow(
            (escape_controls(row.step), escape_controls(row.name), *numbers, BETTER[row.better])
        )
    return out.getvalue()


def as_json(
    comparison: Comparison, rows: tuple[MetricRow, ...], params: list[Difference], notes: list[str]
) -> dict[str, Any]:
    """In the shape of schema/metrics.schema.json."""
    base = {"sha": comparison.base, "how": comparison.how} if comparison.base else None
    return {
        "version": VERSION,
        "head": comparison.head,
        "base": base,
        "metrics": [_record(row) for row in rows],
        "params": [
            {"path": escape_controls(p), "base": old, "here": new} for p, old, new in params
        ],
        "notes": [escape_controls(note) for note in notes],
    }


def _record(row: MetricRow) -> dict[str, Any]:
    return {
        "step": escape_controls(row.step),
        "name": escape_controls(row.name),
        "base": _plain(row.base),
        "here": _plain(row.value),
        "change": _plain(row.change),
        "better": row.better,
        "direction": row.direction.better or None,
        "noise": row.is_noise,
    }


def _plain(value: float | None) -> float | str | None:
    return None if value is None else plain_number(value)
