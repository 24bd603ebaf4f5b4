"""An audit as lines of a terminal and as JSON; the line about audits in the report of a run."""

from collections.abc import Iterator
from typing import Any

from mlpipe_ci.core.audit import AuditReport, OutputDifference, StepAudit, Verdict
from mlpipe_ci.core.run import Run, Status
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.report.wording import escape_controls

VERSION = 1
SYMBOLS = {
    Verdict.IDENTICAL: "✔",
    Verdict.DIFFERENT: "✖",
    Verdict.FAILED: "✖",
    Verdict.LEFT_OUT: "–",
}
SHOWN = 10
LOG_LINES = 10


def audit_lines(report: AuditReport, now: float) -> list[str]:
    """One line for each step, then what differs, and the verdict. `now`: seconds since 1970."""
    width = max((len(escape_controls(step.name)) for step in report.steps), default=0)
    lines = [line for step in report.steps for line in _step_lines(step, width, now)]
    return [*lines, *_end(report)]


def _step_lines(step: StepAudit, width: int, now: float) -> Iterator[str]:
    word = "left out" if step.verdict is Verdict.LEFT_OUT else str(step.verdict)
    start = f"{SYMBOLS[step.verdict]} {escape_controls(step.name):<{width}}  {word}"
    parts = [escape_controls(step.why)] if step.why else []
    if step.verdict is Verdict.IDENTICAL:
        parts.append(f"{step.outputs} output{'' if step.outputs == 1 else 's'}")
    if step.runs:
        times = f" in {step.runs} runs" if step.runs > 1 else ""
        parts.append(f"{format_duration(step.seconds)}{times}")
    yield "  ".join([start, *parts])
    for one in step.differences[:SHOWN]:
        # A line that began with a path could be a command to GitHub's runner.
        yield f"    ≠ {escape_controls(one.path)}: {escape_controls(one.how)}"
        for cause in one.causes:
            yield f"      likely cause: {escape_controls(cause)}"
    if len(step.differences) > SHOWN:
        yield f"    and {len(step.differences) - SHOWN} more outputs"
    if step.verdict is Verdict.DIFFERENT:
        yield f"    {_made(step, now)}"
    yield from (f"    {escape_controls(note)}" for note in step.notes)
    yield from (f"    │ {escape_controls(line)}" for line in step.log_tail[-LOG_LINES:])


def _made(step: StepAudit, now: float) -> str:
    by = step.producer
    words = [f"commit {by.commit[:7]}" if by.commit else "", by.ref, by.run_url]
    origin = ", ".join(escape_controls(word) for word in words if word)
    ago = format_duration(max(0.0, now - step.made))
    return f"its result was made {ago} ago" + (f" by {origin}" if origin else "")


def _end(report: AuditReport) -> Iterator[str]:
    identical = report.count(Verdict.IDENTICAL)
    took = format_duration(report.seconds)
    name = escape_controls(report.workflow)
    if not report.audited:
        yield f"✖ {name}: nothing was audited · {took}"
        return
    symbol = "✔" if report.passed else "✖"
    yield f"{symbol} {name}: {identical} of {report.audited} identical · {took}"
    exact = "numbers in metrics may differ by " + f"{report.tolerance:g} of their value"
    yield f"  compared byte for byte{'; ' + exact if report.tolerance else ''}"


def audit_json(report: AuditReport) -> dict[str, Any]:
    """In the shape of schema/audit.schema.json."""
    return {
        "version": VERSION,
        "workflow": escape_controls(report.workflow),
        "file": escape_controls(report.file),
        "head": report.head or None,
        "passed": report.passed,
        "audited": report.audited,
        "identical": report.count(Verdict.IDENTICAL),
        "tolerance": report.tolerance,
        "seconds": round(report.seconds, 3),
        "steps": [_step_json(step) for step in report.steps],
    }


def _step_json(step: StepAudit) -> dict[str, Any]:
    by = step.producer
    made = {
        "key": step.key,
        "finished": round(step.made, 3),
        "commit": by.commit or None,
        "ref": escape_controls(by.ref) or None,
        "run_url": escape_controls(by.run_url) or None,
    }
    return {
        "id": step.id,
        "name": escape_controls(step.name),
        "verdict": str(step.verdict),
        "why": escape_controls(step.why) or None,
        "seconds": round(step.seconds, 3),
        "runs": step.runs,
        "outputs": step.outputs,
        "result": made if step.key else None,
        "differences": [_difference(one) for one in step.differences],
        "notes": [escape_controls(note) for note in step.notes],
        "log_tail": [escape_controls(line) for line in step.log_tail],
    }


def _difference(one: OutputDifference) -> dict[str, Any]:
    return {
        "path": escape_controls(one.path),
        "how": escape_controls(one.how),
        "causes": [escape_controls(cause) for cause in one.causes],
    }


def audited_words(run: Run) -> str:
    """`audited 3 days ago: 12 of 12 identical`; empty if no result of this run was audited.

    The age is that of the oldest of these audits.
    """
    reused = [one for one in run.outcomes if one.status is Status.REUSED]
    known = [(one.step.name, one.left.audited) for one in reused]
    audits = [audit for _, audit in known if audit is not None]
    if not audits:
        return ""
    ago = format_duration(max(audit.age for audit in audits))
    identical = sum(audit.identical for audit in audits)
    words = f"audited {ago} ago: {identical} of {len(reused)} identical"
    differing = [
        escape_controls(name) for name, audit in known if audit is not None and not audit.identical
    ]
    if differing:
        more = ", …" if len(differing) > SHOWN else ""
        words += (
            f"; {', '.join(differing[:SHOWN])}{more} {'was' if len(differing) == 1 else 'were'} not"
        )
    if rest := len(reused) - len(audits):
        words += f"; {rest} not audited yet"
    return words
