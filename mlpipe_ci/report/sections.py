"""The parts of a report as GitHub Markdown, from what needs a person down to the footer."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from mlpipe_ci.decide import NO_RESULT, NOT_ASKED, in_words
from mlpipe_ci.report import tables
from mlpipe_ci.report.annotations import frame, telling
from mlpipe_ci.report.escape import code, fence, folded, link, plain
from mlpipe_ci.report.graph import coloured
from mlpipe_ci.report.measures import gate_words, rows, verdict, why_no_base
from mlpipe_ci.report.words import (
    FOLDED,
    RAN,
    SYMBOLS,
    compared,
    family,
    many,
    names_of,
    transfer_words,
    undeclared,
)
from mlpipe_ci.run import BROKEN, Held, Run, Status, StepOutcome

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
SHOWN_REASONS = 3
SHOWN_REUSED = 20
SHOWN_METRICS = 15
SHOWN_FAILED = 5
LONGEST_ERROR = 200
LAST_LINES = 5


def headline(run: Run) -> str:
    """The verdict. It fits a phone."""
    return f"### {SYMBOLS[run.result]} {plain(verdict(run))}"


def cause(run: Run) -> str:
    """Why anything ran, in one sentence; or that nothing had to."""
    asked = [o for o in run.outcomes if o.reasons != (NOT_ASKED,)]
    ran = [o for o in asked if o.status in RAN and o.reasons]
    if not ran:
        return _untouched(run)
    if all(one.reasons == (NO_RESULT,) for one in ran):
        return "First run of these steps: there was no result to reuse."
    first = next((one for one in ran if one.reasons != (NO_RESULT,)), ran[0])
    more = sum(family(one.step) == family(first.step) != "" for one in ran)
    name = many(first.step, more) if more >= FOLDED else first.step.name
    return f"{code(name)} ran: {plain(first.reasons[0])}"


def _untouched(run: Run) -> str:
    changed = run.comparison.changed
    if not changed or not run.count(Status.REUSED):
        return ""
    names = ", ".join(code(one.path) for one in changed[:SHOWN_REASONS])
    more = f" and {len(changed) - SHOWN_REASONS:,} more" if len(changed) > SHOWN_REASONS else ""
    return f"No step reads what changed: {names}{more}"


def action(run: Run) -> str:
    """What needs a person: the failed steps, their last lines, how to see it at a desk."""
    alike: dict[object, list[StepOutcome]] = {}
    for number, one in enumerate(outcome for outcome in run.outcomes if outcome.failed):
        place = frame(one.log_tail, run.root)
        alike.setdefault((family(one.step), place) if place else number, []).append(one)
    parts = [_failure(run, group) for group in list(alike.values())[:SHOWN_FAILED]]
    more = sum(map(len, list(alike.values())[SHOWN_FAILED:]))
    parts += [f"{more} more failed: see the table below."] if more else []
    return "\n\n".join((*parts, *_gates(run)))


def _gates(run: Run) -> Iterator[str]:
    """Gates that were missed; then those that held, and that the change takes away."""
    held = [(o.step.name, o.forgiven, gate) for o in run.outcomes for gate in o.gates]
    held += [(name, False, gate) for name, gate in run.lost]
    missed = [one for one in held if one[2].passed is False]
    for name, forgiven, gate in missed[:SHOWN_FAILED]:
        alert, allowed = ("NOTE", ", as allowed") if forgiven else ("CAUTION", "")
        yield f"> [!{alert}]\n> **{code(name)}** missed a gate{allowed}: {_gate(gate)}"
    if len(missed) > SHOWN_FAILED:
        yield f"{len(missed) - SHOWN_FAILED} more gates were missed."
    taken = [(name, gate) for name, _, gate in held if gate.passed and gate.origin == "base"]
    for name, gate in taken[:SHOWN_FAILED]:
        yield f"> [!WARNING]\n> Gate of {code(name)} held: {_gate(gate)}"


def _gate(gate: Held) -> str:
    return f"{code(gate.gate)}{plain(gate_words(gate).removeprefix(gate.gate))}"


def _failure(run: Run, alike: list[StepOutcome]) -> str:
    """A failure, and those of the same step at the same place."""
    outcome = alike[0]
    why = plain("; ".join(outcome.notes))
    place = frame(outcome.log_tail, run.root)
    where = f", at {code(f'{place[0]}:{place[1]}')}" if place else ""
    where += f": {plain(outcome.log_tail[-1][:LONGEST_ERROR])}" if place else ""
    others = ", ".join(code(one.step.name) for one in alike[1:SHOWN_REUSED])
    also = f"<br>At the same place: {others}" if others else ""
    alert, allowed = ("NOTE", ", as allowed") if outcome.forgiven else ("CAUTION", "")
    parts = [f"> [!{alert}]\n> **{code(outcome.step.name)}** failed{allowed}: {why}{where}{also}"]
    if outcome.log_tail:
        parts.append(fence(telling(outcome.log_tail, run.root, LAST_LINES)))
    words = ["mlpipe", "run", outcome.step.id]
    if run.workflow.file != "mlpipe.yml":
        words += ["--file", run.workflow.file]
    parts.append(f"To reproduce it: {code(shlex.join(words))}")
    return "\n\n".join(parts)


def metrics(run: Run) -> str:
    """The numbers that the steps wrote, beside those of the base; how many gates held."""
    held = sum(bool(gate.passed) for o in run.outcomes for gate in o.gates)
    passed = f"✅ {held} gate{'' if held == 1 else 's'} passed" if held else ""
    unheld = [(o.step.name, gate) for o in run.outcomes for gate in o.gates if gate.passed is None]
    told = {gate.why for _, gate in unheld}
    why = tuple(text for text in why_no_base(run) if text not in told)
    table = tables.markdown(rows(run), run.comparison.base, why, SHOWN_METRICS)
    notes = [f"➖ Not checked: {_gate(gate)}" for _, gate in unheld[:SHOWN_FAILED]]
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
        alone = not family(one.step) or one.notes or one.failed or one.missed or undeclared(one)
        key = number if alone else (one.step.group, one.status, one.reasons)
        found.setdefault(key, []).append(one)
    return [one for alike in found.values() for one in _as_one(alike)]


def _as_one(alike: list[StepOutcome]) -> list[StepOutcome]:
    if len(alike) < FOLDED:
        return alike
    step = replace(alike[0].step, name=many(alike[0].step, len(alike)))
    return [replace(alike[0], step=step, seconds=sum(one.seconds for one in alike))]


def _above(outcome: StepOutcome) -> bool:
    return bool(outcome.missed) and not outcome.failed


def _row(outcome: StepOutcome) -> str:
    why = plain("; ".join(outcome.reasons[:SHOWN_REASONS]))
    more = len(outcome.reasons) - SHOWN_REASONS
    why += f" and {more} more" if more > 0 else ""
    seen = undeclared(outcome)
    notes = "".join(f"<br>{plain(note)}" for note in (*outcome.notes, *((seen,) if seen else ())))
    time = in_words(outcome.seconds).replace(" ", "&nbsp;") if outcome.seconds else ""
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
    reasons = {_whose(o.reasons): o.reasons[0] for o in reversed(reused) if o.reasons}
    why = next(iter(reasons.values()), "").partition(", saved")[0]
    return f"{line}<br><sub>{plain(why)}</sub>" if len(reasons) == 1 else line


def _whose(reasons: tuple[str, ...]) -> str:
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
    tails = [o for o in run.outcomes if o.log_tail]
    return "\n\n".join(folded(f"Log of {code(o.step.name)}", fence(o.log_tail)) for o in tails)


def why_reused(run: Run) -> str:
    """Whose result each reused step has, folded."""
    reused = [o for o in run.outcomes if o.status is Status.REUSED and o.reasons]
    if len({_whose(outcome.reasons) for outcome in reused}) < 2:  # noqa: PLR2004 - it is said above
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
    parts = [
        f"{head}{plain(compared(run.comparison))}",
        in_words(run.seconds),
        link("log of the run", run.url) if run.url else "",
        "mlpipe",
    ]
    lines = [
        *(f"<sub>⚠️ {plain(text)}</sub>" for text in run.comparison.warnings),
        *(f"<sub>{plain(line)}</sub>" for line in transfer_words(run.transfers)),
        f"<sub>{' · '.join(part for part in parts if part)}</sub>",
    ]
    return "<br>".join(lines)
