"""Words that all renderings share: the verdict line, counts, paths as they can be shown."""

import math
from collections import Counter

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import NOT_ASKED
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.result import plain_number
from mlpipe_ci.core.run import BROKEN, Run, Status, StepOutcome, Transfers
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.core.workflow import Step

SYMBOLS = {"success": "✅", "failure": "❌", "gate-missed": "❌", "cancelled": "🛑"}
RAN = (Status.SUCCEEDED, *BROKEN, Status.CANCELLED)
LONE = regex("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters, which JSON can hold and no file name can."""
IDLE = (Status.REUSED, Status.SKIPPED)
SHOWN_PATHS = 3
FOLDED = 3
"""So many items of one step are shown together, if all are alike."""


def escape_controls(text: str) -> str:
    r"""A text with undecodable bytes written as `\xe9`, and control characters as `\x1b`."""
    if text.isprintable():
        return text
    whole = LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    plain = whole.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def escape_control_lines(text: str) -> str:
    """The same of a text of several lines, which stay."""
    return "\n".join(escape_controls(line) for line in text.split("\n"))


def result_words(run: Run) -> list[str]:
    """What is to be said before all else: what failed or was missed, or that nothing is new."""
    idle = run.outcomes and not any(
        o.status not in IDLE or o.measured.missed_gates for o in run.outcomes
    )
    new = not (idle and run.count(Status.REUSED) and not run.removed_gates)
    parts = [
        _count(sum(o.fails_run and o.failed for o in run.outcomes), "failed"),
        _count(sum(outcome.tolerated for outcome in run.outcomes), "failed as allowed"),
        _gates(run),
        "" if new else "nothing new",
    ]
    return [part for part in parts if part]


def status_words(outcome: StepOutcome) -> str:
    """How a step ended; one that missed a gate has not just succeeded."""
    missed = outcome.measured.missed_gates and not outcome.failed
    return "missed a gate" if missed else str(outcome.status)


def count_words(run: Run) -> list[str]:
    """What became of the steps, each part as `2 ran`."""
    skipped = [outcome for outcome in run.outcomes if outcome.status is Status.SKIPPED]
    parts = [
        _count(run.count(Status.SUCCEEDED), "ran"),
        _count(run.count(Status.REUSED), "reused"),
        _count(sum(o.reasons != (NOT_ASKED,) for o in skipped), "skipped"),
        _count(run.count(Status.BLOCKED), "not run"),
        _count(run.count(Status.CANCELLED), "cancelled"),
    ]
    parts.append(f"saved {format_duration(run.saved_seconds)}" if run.saved_seconds else "")
    return [part for part in parts if part]


def _gates(run: Run) -> str:
    missed = (len(o.measured.missed_gates) for o in run.outcomes if o.fails_run)
    count = len(run.removed_gates) + sum(missed)
    return f"{count} gate{'' if count == 1 else 's'} missed" if count else ""


def number(value: float, digits: int = 4) -> str:
    """A metric with so many significant digits, or whole where it is whole: `0.934`, `5998`."""
    if not math.isfinite(value):
        return str(plain_number(value))
    whole = value == int(value) and abs(value) < 1e9  # noqa: PLR2004
    return f"{value:.0f}" if whole else f"{value:.{digits}g}"


def clock(seconds: float) -> str:
    """A duration that is being counted: `0:41`, `1:02:03`."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def compared(comparison: Comparison) -> str:
    """What was compared with what, and how much differs."""
    if comparison.base is None and comparison.trigger:
        return f"started by {escape_controls(comparison.trigger)}"
    if comparison.base is None:
        return f"no base ({comparison.how}), so decided by keys alone"
    if comparison.changed is None:
        return f"base {comparison.base[:7]} ({comparison.how}), which cannot be read"
    count = len(comparison.changed)
    what = f"{count} path{'' if count == 1 else 's'} changed" if count else "nothing changed"
    return f"base {comparison.base[:7]} ({comparison.how}): {what}"


def whole(step: Step) -> str:
    """The name of a step without its item, if it runs for each of many; else empty."""
    if step.strategy is None or not step.strategy.each:
        return ""
    return step.name.removesuffix(f" {step.strategy.shown}")


def family(step: Step) -> str:
    """The name of a step without its item or combination; empty if it has neither."""
    if step.strategy is None:
        return ""
    return whole(step) or step.name.removesuffix(f" {step.strategy.shown}")


def many(step: Step, count: int) -> str:
    """How so many items or combinations of a step are called: `clean (7 items)`."""
    return f"{family(step)} ({count} {'items' if whole(step) else 'combinations'})"


def names_of(steps: list[Step]) -> list[str]:
    """The names of steps; several of one family as `clean (7 items)`, where the first is."""
    counts = Counter(name for step in steps if (name := family(step)))
    called = (
        many(step, counts[family(step)]) if counts[family(step)] >= FOLDED else step.name
        for step in steps
    )
    return list(dict.fromkeys(called))


def watched(run: Run) -> str:
    """By which means the steps that ran were watched; said once."""
    names = sorted({outcome.execution.tracer for outcome in run.outcomes} - {""})
    return f"watched by {', '.join(names)}" if names else ""


def undeclared(outcome: StepOutcome) -> str:
    """What a step was seen to read or write and does not declare, if it declares anything."""
    step = outcome.step
    if step.declares_nothing or not step.inputs:
        return ""
    reads, writes = outcome.discovered.reads, outcome.discovered.writes
    variables = outcome.discovered.variables
    parts = [f"reads {_some(reads)}" if reads else ""]
    parts.append(f"writes {_some(writes)}" if writes else "")
    parts.append(f"reads ${', $'.join(variables[:SHOWN_PATHS])}" if variables else "")
    found = " and ".join(part for part in parts if part)
    return f"{found}, which it does not declare (mlpipe trace)" if found else ""


def _some(paths: tuple[str, ...]) -> str:
    more = len(paths) - SHOWN_PATHS
    return ", ".join(paths[:SHOWN_PATHS]) + (f" and {more} more" if more > 0 else "")


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count else ""


def transfer_words(transfers: Transfers | None) -> list[str]:
    """What a run had to do with a remote store, if anything: a line, and one for failed writes."""
    if transfers is None:
        return []
    done = (
        ("fetched", transfers.fetched, transfers.fetched_bytes),
        ("sent", transfers.stored, transfers.stored_bytes),
    )
    parts = [f"{verb} {count} ({size_words(size)})" for verb, count, size in done if count]
    if transfers.stored and transfers.scope:
        parts[-1] += f" to scope {escape_controls(transfers.scope)}"
    lines = [f"{escape_controls(transfers.remote)}: {', '.join(parts)}"] if parts else []
    if transfers.failed:
        lines.append(f"{transfers.failed} writes to it failed: those results are not shared")
    return lines


def size_words(count: int) -> str:
    """Bytes in decimal units, with three digits at most: `4.2 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1000
    return f"{value:.1f} TB"
