"""The parts of a report as GitHub Markdown, from what needs a person down to the footer."""

import shlex
from collections.abc import Iterator

from mlpipe_ci.decide import NOT_ASKED, in_words
from mlpipe_ci.report import tables
from mlpipe_ci.report.escape import code, fence, folded, link, plain
from mlpipe_ci.report.graph import coloured
from mlpipe_ci.report.measures import gate_words, rows, verdict, why_no_base
from mlpipe_ci.report.words import (
    SYMBOLS,
    compared,
    names_of,
    transfer_words,
    undeclared,
    watched,
)
from mlpipe_ci.run import BROKEN, Held, Run, Status, StepOutcome

ORDER = (*BROKEN, Status.CANCELLED, Status.SUCCEEDED, Status.BLOCKED, Status.SKIPPED)
MARKS = {
    Status.FAILED: "❌",
    Status.TIMED_OUT: "⏱️",
    Status.CANCELLED: "🛑",
    Status.SUCCEEDED: "✅",
    Status.BLOCKED: "⏸️",
    Status.SKIPPED: "⏭️",
}
WORDS = {
    Status.FAILED: "failed",
    Status.TIMED_OUT: "took too long",
    Status.CANCELLED: "cancelled",
    Status.BLOCKED: "not run",
    Status.SKIPPED: "skipped",
}
SHOWN_CHANGES = 50
SHOWN_REASONS = 3
SHOWN_REUSED = 20
SHOWN_METRICS = 15
SHOWN_FAILED = 5
LAST_LINES = 5


def headline(run: Run) -> str:
    """The verdict. It fits a phone."""
    return f"### {SYMBOLS[run.result]} {plain(verdict(run))}"


def action(run: Run) -> str:
    """What needs a person: the failed steps, their last lines, how to see it at a desk."""
    failed = [outcome for outcome in run.outcomes if outcome.failed]
    parts = [_failure(run, outcome) for outcome in failed[:SHOWN_FAILED]]
    if len(failed) > SHOWN_FAILED:
        parts.append(f"{len(failed) - SHOWN_FAILED} more failed: see the table below.")
    return "\n\n".join((*parts, *_gates(run)))


def _gates(run: Run) -> Iterator[str]:
    """Gates that were missed; then those that passed though they could not be held, or that a
    change takes away.
    """
    held = [(o.step.name, o.forgiven, gate) for o in run.outcomes for gate in o.gates]
    held += [(name, False, gate) for name, gate in run.lost]
    missed = [one for one in held if one[2].passed is False]
    for name, forgiven, gate in missed[:SHOWN_FAILED]:
        alert, allowed = ("NOTE", ", as allowed") if forgiven else ("CAUTION", "")
        yield f"> [!{alert}]\n> **{code(name)}** missed a gate{allowed}: {_gate(gate)}"
    if len(missed) > SHOWN_FAILED:
        yield f"{len(missed) - SHOWN_FAILED} more gates were missed."
    odd = [(n, g) for n, _, g in held if g.passed is None or (g.passed and g.origin == "base")]
    for name, gate in odd[:SHOWN_FAILED]:
        word = "held" if gate.passed else "passed, but could not be held"
        yield f"> [!WARNING]\n> Gate of {code(name)} {word}: {_gate(gate)}"


def _gate(gate: Held) -> str:
    return f"{code(gate.gate)}{plain(gate_words(gate).removeprefix(gate.gate))}"


def _failure(run: Run, outcome: StepOutcome) -> str:
    why = plain("; ".join(outcome.notes))
    alert, allowed = ("NOTE", ", as allowed") if outcome.forgiven else ("CAUTION", "")
    parts = [f"> [!{alert}]\n> **{code(outcome.step.name)}** failed{allowed}: {why}"]
    if outcome.log_tail:
        parts.append(fence(outcome.log_tail[-LAST_LINES:]))
    words = ["mlpipe", "run", outcome.step.id]
    if run.workflow.file != "mlpipe.yml":
        words += ["--file", run.workflow.file]
    parts.append(f"To see it at a desk: {code(shlex.join(words))}")
    return "\n\n".join(parts)


def metrics(run: Run) -> str:
    """The numbers that the steps wrote, beside those of the base; how many gates held."""
    held = sum(bool(gate.passed) for o in run.outcomes for gate in o.gates)
    passed = f"✅ {held} gate{'' if held == 1 else 's'} held" if held else ""
    table = tables.markdown(rows(run), run.comparison.base, why_no_base(run), SHOWN_METRICS)
    return "\n\n".join(part for part in (table, passed) if part)


def steps(run: Run) -> str:
    """What ran, failed first, and why; what was reused in one line."""
    asked = [o for o in run.outcomes if o.reasons != (NOT_ASKED,)]
    first = [_row(o) for o in asked if _above(o)]
    lines = first + [_row(o) for s in ORDER for o in asked if o.status is s and not _above(o)]
    table = "\n".join(["| step | why | time |", "|---|---|--:|", *lines]) if lines else ""
    return "\n\n".join(part for part in (table, _reused(run)) if part)


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
    reasons = dict.fromkeys(outcome.reasons[0] for outcome in reused if outcome.reasons)
    return f"{line}<br><sub>{plain(next(iter(reasons)))}</sub>" if len(reasons) == 1 else line


def logs(run: Run) -> str:
    """The last lines of each step that failed, folded."""
    tails = [o for o in run.outcomes if o.log_tail]
    return "\n\n".join(folded(f"Log of {code(o.step.name)}", fence(o.log_tail)) for o in tails)


def why_reused(run: Run) -> str:
    """Whose result each reused step has, folded."""
    reused = [o for o in run.outcomes if o.status is Status.REUSED and o.reasons]
    if len({outcome.reasons for outcome in reused}) < 2:  # noqa: PLR2004 - it is said above
        return ""
    lines = [f"| {code(o.step.name)} | {plain('; '.join(o.reasons))} |" for o in reused]
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
        watched(run),
        link("log of the run", run.url) if run.url else "",
        "mlpipe",
    ]
    lines = [
        *(f"<sub>⚠️ {plain(text)}</sub>" for text in run.comparison.warnings),
        *(f"<sub>{plain(line)}</sub>" for line in transfer_words(run.transfers)),
        f"<sub>{' · '.join(part for part in parts if part)}</sub>",
    ]
    return "<br>".join(lines)
