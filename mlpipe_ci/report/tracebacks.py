"""What GitHub shows beside the lines of a change: failed steps, at the line that did if known."""

import posixpath

from mlpipe_ci.core.errors import Diagnostic
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.run import GateResult, Run, StepOutcome
from mlpipe_ci.report.metric_rows import gate_words

MOST = 10
"""GitHub shows so many of each kind for one step of a job."""
FRAME = regex(r'^\s*File "([^"\n]+)", line (\d{1,7})')
"""A line of a Python traceback: https://docs.python.org/3/library/traceback.html."""
ELSEWHERE = ("site-packages/", ".venv/", "venv/", "lib/python")
SHOWN_LINES = 12


def failures(run: Run) -> tuple[Diagnostic, ...]:
    """One for each step that failed or missed a gate, the first ten; a warning where the failure is
    allowed.
    """
    failed = [_fault(run, outcome) for outcome in run.outcomes if outcome.failed]
    missed = [_missed(run, o, gate) for o in run.outcomes for gate in o.measured.missed_gates]
    lost = [
        Diagnostic(file=run.workflow.file, line=1, column=1, message=f"{name}: {gate_words(gate)}")
        for name, gate in run.removed_gates
    ]
    return (*failed, *missed, *lost)[:MOST]


def _missed(run: Run, outcome: StepOutcome, gate: GateResult) -> Diagnostic:
    message = f"step '{outcome.step.name}' missed a gate: {gate_words(gate)}"
    level = "warning" if outcome.tolerated else "error"
    line = outcome.step.line
    return Diagnostic(file=run.workflow.file, line=line, column=1, message=message, level=level)


def _fault(run: Run, outcome: StepOutcome) -> Diagnostic:
    tail = outcome.execution.log_tail
    file, line = frame(tail, run.root) or (run.workflow.file, outcome.step.line)
    why = "; ".join(outcome.notes) or str(outcome.status)
    lines = [f"step '{outcome.step.name}' failed: {why}", *tail[-SHOWN_LINES:]]
    level = "warning" if outcome.tolerated else "error"
    return Diagnostic(file=file, line=line, column=1, message="\n".join(lines), level=level)


def frame(lines: tuple[str, ...], root: str) -> tuple[str, int] | None:
    """The innermost frame of the last traceback that is in a file of the repository."""
    for text in reversed(lines):
        found = FRAME.match(text)
        if found and (path := _inside(found[1], root)):
            return path, int(found[2])
    return None


def shown_tail(lines: tuple[str, ...], root: str, most: int) -> tuple[str, ...]:
    """The last lines of a log; of a traceback, those at the repository's own frame, and the end."""
    at = [n for n, text in enumerate(lines) if (m := FRAME.match(text)) and _inside(m[1], root)]
    short = tuple(line.replace(f"{root}/", "") if root else line for line in lines)
    if not at or len(lines) - at[-1] <= most:
        return short[-most:]
    return (*short[at[-1] : at[-1] + most - 2], "  …", short[-1])


def _inside(path: str, root: str) -> str:
    """A path below the root, relative to it; empty if it is elsewhere, or a package's."""
    plain = posixpath.normpath(path)
    if plain.startswith("/"):
        if not root or not plain.startswith(f"{root.rstrip('/')}/"):
            return ""
        plain = plain[len(root.rstrip("/")) + 1 :]
    if plain.startswith(("../", "<")) or any(part in plain for part in ELSEWHERE):
        return ""
    return plain
