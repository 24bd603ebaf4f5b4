"""The parts of a report as GitHub Markdown, from what needs a person down to the footer."""

import re
from dataclasses import replace

from mlpipe_ci.core.plan import NOT_ASKED
from mlpipe_ci.core.run import BROKEN, Run, Status, StepOutcome
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.report import metric_tables
from mlpipe_ci.report.audit import audited_words
from mlpipe_ci.report.escape import code, fence, folded, link, plain
from mlpipe_ci.report.graph import coloured
from mlpipe_ci.report.metric_rows import rows, why_no_base
from mlpipe_ci.report.summary import gate_text
from mlpipe_ci.report.wording import (
    FOLDED,
    compared,
    family,
    many,
    names_of,
    transfer_words,
    undeclared,
)

ORDER = (Status.CANCELLED, Status.SUCCEEDED)
MARKS = {
    Status.FAILED: "❌",
    Status.TIMED_OUT: "⏱️",
    Status.CANCELLED: "🛑",
    Status.SUCCEEDED: "✅",
}
WORDS = {
    Status.FAILED: "failed",
    Status.TIMED_OUT: "took too long",
    Status.CANCELLED: "cancelled",
}
SHOWN_CHANGES = 50
RESTORED = "restored from the cache"
"""How a note ends that nobody has to read."""
SHOWN_REASONS = 3
SHOWN_REUSED = 20
SHOWN_METRICS = 15
SHOWN_FAILED = 5


def metrics(run: Run) -> str:
    """The numbers that the steps wrote, beside those of the base; how many gates passed."""
    count = sum(bool(gate.passed) for o in run.outcomes for gate in o.measured.gates)
    passed = f"✅ {count} gate{'' if count == 1 else 's'} passed" if count else ""
    unchecked = [
        (o.step.name, gate)
        for o in run.outcomes
        for gate in o.measured.gates
        if gate.passed is None
    ]
    known = {gate.why for _, gate in unchecked}
    why = tuple(text for text in why_no_base(run) if text not in known)
    table = metric_tables.markdown(rows(run), run.comparison.base, why, SHOWN_METRICS)
    notes = [f"➖ Not checked: {gate_text(gate)}" for _, gate in unchecked[:SHOWN_FAILED]]
    parts = (table, passed, "<br>".join(notes))
    return "\n\n".join(part for part in parts if part)


def steps(run: Run) -> str:
    """What ran, failed first, and why; what was reused or skipped in a line each."""
    asked = _together([o for o in run.outcomes if o.reasons != (NOT_ASKED,)])
    lines = [_row(o) for o in asked if o.status in BROKEN]
    lines += [_row(o) for o in asked if o.status in ORDER or (_above(o) and not o.failed)]
    table = "\n".join(["| step | why it ran | time |", "|---|---|--:|", *lines]) if lines else ""
    return "\n\n".join(filter(None, (table, _blocked(asked), _reused(run), _skipped(run))))


def _blocked(outcomes: list[StepOutcome]) -> str:
    """Steps that another one kept from running."""
    blocked = [outcome for outcome in outcomes if outcome.status is Status.BLOCKED]
    if not blocked:
        return ""
    names = ", ".join(code(outcome.step.name) for outcome in blocked[:SHOWN_REUSED])
    more = f" and {len(blocked) - SHOWN_REUSED} more" if len(blocked) > SHOWN_REUSED else ""
    why = f"<br><sub>{plain('; '.join(blocked[0].reasons))}</sub>"
    return f"⏸️ {len(blocked)} not run: {names}{more}{why}"


def _together(outcomes: list[StepOutcome]) -> list[StepOutcome]:
    """Items and combinations that ended alike and for the same reasons, as one."""
    found: dict[object, list[StepOutcome]] = {}
    for number, one in enumerate(outcomes):
        missed = one.measured.missed_gates
        alone = not family(one.step) or one.notes or one.failed or missed or undeclared(one)
        key = number if alone else (one.step.group, one.status, one.reasons)
        found.setdefault(key, []).append(one)
    return [one for alike in found.values() for one in _as_one(alike)]


def _as_one(alike: list[StepOutcome]) -> list[StepOutcome]:
    if len(alike) < FOLDED:
        return alike
    step = replace(alike[0].step, name=many(alike[0].step, len(alike)))
    seconds = sum(one.execution.seconds for one in alike)
    return [replace(alike[0], step=step, execution=replace(alike[0].execution, seconds=seconds))]


def _above(outcome: StepOutcome) -> bool:
    return bool(outcome.measured.missed_gates) and not outcome.failed


def _row(outcome: StepOutcome) -> str:
    why = plain("; ".join(outcome.reasons[:SHOWN_REASONS]))
    more = len(outcome.reasons) - SHOWN_REASONS
    why += f" and {more} more" if more > 0 else ""
    seen = undeclared(outcome)
    own = () if outcome.failed else outcome.notes  # they are in the alert
    notes = "".join(f"<br>{plain(note)}" for note in (*own, *((seen,) if seen else ())))
    seconds = outcome.execution.seconds
    time = format_duration(seconds).replace(" ", "&nbsp;") if seconds else ""
    word = "missed a gate" if _above(outcome) else WORDS.get(outcome.status, "")
    mark = "🚫" if _above(outcome) else MARKS[outcome.status]
    name = f"{mark} {code(outcome.step.name)}{f' {word}' if word else ''}"
    return f"| {name} | {why}{notes} | {time} |"


def _reused(run: Run) -> str:
    reused = [
        outcome
        for outcome in run.outcomes
        if outcome.status is Status.REUSED and not _above(outcome)
    ]
    if not reused:
        return ""
    called = names_of([outcome.step for outcome in reused])
    names = ", ".join(code(name) for name in called[:SHOWN_REUSED])
    more = len(called) - SHOWN_REUSED
    names += f" and {more} more" if more > 0 else ""
    line = f"↺ {len(reused)} reused: {names}"
    reasons = {whose(o.reasons): o.reasons[0] for o in reversed(reused) if o.reasons}
    why = next(iter(reasons.values()), "").partition(", saved")[0]
    line = f"{line}<br><sub>{plain(why)}</sub>" if len(reasons) == 1 else line
    notes = dict.fromkeys(note for o in reused for note in o.notes if not note.endswith(RESTORED))
    return "<br>".join((line, *(f"⚠️ {plain(note)}" for note in list(notes)[:SHOWN_REASONS])))


def whose(reasons: tuple[str, ...]) -> str:
    """Why a step was reused, but for when and how long it took."""
    return re.sub(r" as .* ago|, saved .*", "", "; ".join(reasons))


def _skipped(run: Run) -> str:
    """Steps whose `if` is false."""
    skipped = [o for o in run.outcomes if o.status is Status.SKIPPED and o.reasons != (NOT_ASKED,)]
    if not skipped:
        return ""
    called = names_of([outcome.step for outcome in skipped])
    names = ", ".join(code(name) for name in called[:SHOWN_REUSED])
    more = f" and {len(called) - SHOWN_REUSED} more" if len(called) > SHOWN_REUSED else ""
    reasons = {"; ".join(outcome.reasons) for outcome in skipped}
    reason = re.sub(
        r"^if: (.*) is false$", r"runs only if \1", next(iter(reasons)), flags=re.DOTALL
    )
    why = f"<br><sub>{plain(reason)}</sub>" if len(reasons) == 1 else ""
    return f"⏭️ {len(skipped)} skipped: {names}{more}{why}"


def logs(run: Run) -> str:
    """The last lines of each step that failed, folded."""
    tails = [(o.step.name, o.execution.log_tail) for o in run.outcomes if o.execution.log_tail]
    return "\n\n".join(folded(f"Log of {code(name)}", fence(tail)) for name, tail in tails)


def why_reused(run: Run) -> str:
    """Whose result each reused step has, folded."""
    reused = [o for o in run.outcomes if o.status is Status.REUSED and o.reasons]
    if len({whose(outcome.reasons) for outcome in reused}) < 2:  # noqa: PLR2004 - it is said above
        return ""
    lines = [
        f"| {code(o.step.name)} | {plain('; '.join(o.reasons))} |" for o in reused[:SHOWN_CHANGES]
    ]
    table = "\n".join(["| step | reused |", "|---|---|", *lines])
    return folded("Why each step was reused", table)


def changes(run: Run) -> str:
    """What differs from the base, folded."""
    changed = run.comparison.changed or ()
    if not changed:
        return ""
    lines = [f"{c.change:<9} {c.path}" for c in changed[:SHOWN_CHANGES]]
    if len(changed) > SHOWN_CHANGES:
        lines.append(f"… and {len(changed) - SHOWN_CHANGES:,} more")
    title = f"{len(changed):,} changed path{'' if len(changed) == 1 else 's'}"
    return folded(title, fence(tuple(lines)))


def graph(run: Run) -> str:
    """The steps and what each needs, folded; nothing where it would be too large to be read."""
    drawn = coloured(run)
    return folded("Graph", f"```mermaid\n{drawn}\n```") if drawn else ""


def footer(run: Run) -> str:
    """Warnings, what went over the network, and what was compared with what."""
    head = f"Commit {run.comparison.head[:7]}, " if run.comparison.head else ""
    has_trigger = (
        run.comparison.trigger and run.comparison.base is None
    )  # above, as what started it
    against = "" if has_trigger else compared(run.comparison)
    parts = [
        f"{head}{plain(against)}".removesuffix(", "),
        format_duration(run.seconds),
        link("log of the run", run.url) if run.url else "",
        "mlpipe",
    ]
    lines = [
        *(f"<sub>⚠️ {plain(text)}</sub>" for text in run.comparison.warnings),
        *(f"<sub>{plain(line)}</sub>" for line in transfer_words(run.transfers)),
        *(f"<sub>{plain(line)}</sub>" for line in (audited_words(run),) if line),
        f"<sub>{' · '.join(part for part in parts if part)}</sub>",
    ]
    return "<br>".join(lines)
