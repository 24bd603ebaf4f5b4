"""Metrics beside those of the base: what changed, for the better or not, and what may be chance."""

import math
from collections import Counter
from collections.abc import Iterator

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.metric_direction import Direction, direction
from mlpipe_ci.core.metric_statistics import STANDARD_ERRORS, sample_stddev, standard_error
from mlpipe_ci.core.run import BaseMetrics, GateResult, Run, Status, StepOutcome
from mlpipe_ci.report.wording import count_words, escape_controls, number, result_words

MINUS = "\u2212"
WELL = (Status.SUCCEEDED, Status.REUSED)
FEW = 8
"""Metrics that are shown with their values though they did not change."""
DIGITS, BRIEF = 5, 4
"""Significant digits of a value in a table, and on a line."""
CLOSE = 0.05
"""Of a difference: so much it may lose where it is rounded as the value beside it."""
SHOWN_METRICS = 5
"""On a step's line; the verdict has the first alone, so that it fits a phone."""


@frozen
class MetricRow:
    """One metric. `label`: its name, with its step's where two steps have the name. `value` is None
    where only the base has it, `base` where only this run has it. `error`: standard error of the
    difference, None where nothing was repeated.
    """

    step: str
    label: str
    name: str
    value: float | None
    base: float | None
    direction: Direction
    spread: float | None = None
    base_spread: float | None = None
    error: float | None = None

    @property
    def change(self) -> float | None:
        """The difference from the base, None if there is none to be shown."""
        if self.value is None or self.base is None:
            return None
        change = self.value - self.base
        return change if math.isfinite(change) else None

    @property
    def is_noise(self) -> bool:
        """True if the difference may well be chance."""
        change = self.change
        if change is None or self.error is None or not change:
            return False
        return abs(change) <= STANDARD_ERRORS * self.error

    @property
    def better(self) -> bool | None:
        """True for a change for the better; None if there is none, or it is not known."""
        change = self.change
        return None if change is None or self.is_noise else self.direction.judge(change)

    @property
    def differs(self) -> bool:
        """True if it is not the same as the base's."""
        same = self.value == self.base
        both = self.value is not None and self.base is not None
        return not same and not (
            both and math.isnan(self.value or 0) and math.isnan(self.base or 0)
        )


def rows(run: Run) -> tuple[MetricRow, ...]:
    """All metrics of a run in the order of its steps, with what the base had for them."""
    names = Counter(name for outcome in run.outcomes for name in _names(outcome))
    return tuple(row for outcome in run.outcomes for row in _rows(outcome, names))


def _names(outcome: StepOutcome) -> dict[str, None]:
    measured = outcome.measured
    base = measured.base.metrics if measured.base and outcome.status in WELL else ()
    return dict.fromkeys(name for name, _ in (*measured.metrics, *base))


def _rows(outcome: StepOutcome, names: Counter[str]) -> Iterator[MetricRow]:
    measured = outcome.measured
    base = measured.base or BaseMetrics()
    values, before = dict(measured.metrics), dict(base.metrics)
    many, earlier = dict(measured.samples), dict(base.samples)
    for name in _names(outcome):
        apart = f"{outcome.step.name}: {name}" if names[name] > 1 else name
        head, then = many.get(name, ()), earlier.get(name, ())
        repeated = bool(head or then) and name in values and name in before
        yield MetricRow(
            step=outcome.step.name,
            label=apart,
            name=name,
            value=values.get(name),
            base=before.get(name),
            direction=direction(name, outcome.step.directions),
            spread=sample_stddev(head),
            base_spread=sample_stddev(then),
            error=standard_error(head or (values[name],), then or (before[name],))
            if repeated
            else None,
        )


def verdict(run: Run) -> str:
    """The line that says it all: `fraud-detection: auc 0.934 (+0.012) · 2 ran · 3 reused`."""
    parts = [*result_words(run), *headline_metric(run), *count_words(run)]
    return f"{escape_controls(run.workflow.name)}: {' · '.join(parts)}"


def headline_metric(run: Run) -> list[str]:
    """The metric that counts most, if one does: of a missed gate, else one that differs."""
    missed = " ".join(gate.gate for one in run.outcomes for gate in one.measured.missed_gates)
    known = (row for row in rows(run) if row.value is not None)
    first = min(
        known,
        key=lambda row: (row.name not in missed, not row.differs, row.label != row.name),
        default=None,
    )
    return [brief(first)] if first and run.result != "failure" else []


def metric_words(outcome: StepOutcome) -> str:
    """The first few metrics of a step on one line."""
    some = list(_rows(outcome, Counter()))[:SHOWN_METRICS]
    return " · ".join(brief(row) for row in some if row.value is not None)


def why_no_base(run: Run) -> tuple[str, ...]:
    """Why steps have nothing to be compared with, each reason once."""
    bases = (one.measured.base for one in run.outcomes if not _has_only_plots(one))
    found = (base.source for base in bases if base and not base.metrics)
    return tuple(dict.fromkeys(text for text in found if text))


def _has_only_plots(outcome: StepOutcome) -> bool:
    step, measured = outcome.step, outcome.measured
    has_metrics = step.metrics or measured.metrics or measured.gates
    return bool((step.plots or measured.plots) and not has_metrics)


def value_words(value: float | None, spread: float | None, digits: int = DIGITS) -> str:
    """A value, `0.934 ± 0.004` where it was repeated, or a dash where there is none."""
    if value is None:
        return "–"
    return number(value, digits) + (f" ± {number(spread, 2)}" if spread is not None else "")


def change_words(row: MetricRow) -> str:
    """The difference with its sign: `+0.012`; `new`, `gone` where one side is missing."""
    if row.value is None or row.base is None:
        return "gone" if row.value is None else "new"
    if row.change is None:
        return "" if not row.differs else "not a number"
    if not row.change:
        return "="
    sign = "+" if row.change > 0 else MINUS
    return f"{sign}{number(abs(row.change), 3)}"


def brief(row: MetricRow) -> str:
    """On one line: `auc 0.934 (+0.012)`."""
    value = value_words(row.value, None, BRIEF)
    words = change_words(row) if row.change or (row.base is not None and row.differs) else ""
    if row.change and (short := _as_exact_as(row.change, value)):
        words = words[0] + short
    extra = f" ({words}{', noise' if row.is_noise else ''})" if words else ""
    return f"{escape_controls(row.label)} {value}{extra}"


def _as_exact_as(change: float, value: str) -> str:
    """A difference without more decimals than the value; empty where that says less, or is no
    shorter.
    """
    whole, point, decimals = value.partition(".")
    if not point or not (whole.lstrip("-") + decimals).isdecimal():
        return ""
    text = f"{abs(change):.{len(decimals)}f}"
    close = abs(float(text) - abs(change)) <= CLOSE * abs(change)
    return text if close and len(text) < len(number(abs(change), 3)) else ""


def rows_to_show(rows_: tuple[MetricRow, ...], most: int) -> tuple[tuple[MetricRow, ...], int]:
    """The rows to show first, and how many more there are: what is worse, then what differs."""
    ordered = sorted(rows_, key=lambda row: (row.better is not False, not row.differs))
    kept = set(map(id, ordered[:most]))
    return tuple(row for row in rows_ if id(row) in kept), max(0, len(rows_) - most)


def changed_rows(rows_: tuple[MetricRow, ...]) -> tuple[tuple[MetricRow, ...], int]:
    """Of many rows those that differ from the base, and how many do not; of a few, all."""
    changed = tuple(row for row in rows_ if row.differs or row.base is None)
    return (rows_, 0) if len(rows_) <= FEW else (changed, len(rows_) - len(changed))


def gate_words(gate: GateResult) -> str:
    """What is to be said of a gate that is missed, or is not as it should be."""
    why = f" ({gate.why})" if gate.why else ""
    ends = {
        "base": "; the base branch has this gate, and this change takes it away or alters it",
        "new": "; this change brings this gate",
    }
    return f"{gate.gate}{why}{ends.get(gate.origin, '')}"
