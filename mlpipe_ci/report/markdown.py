"""A run as GitHub Markdown: the job summary and the pull request comment."""

import re

from mlpipe_ci.decide import NOT_ASKED, in_words
from mlpipe_ci.report.words import (
    SYMBOLS,
    compared,
    number,
    shown,
    transfer_words,
    undeclared,
    verdict,
    watched,
)
from mlpipe_ci.run import BROKEN, Run, Status, StepOutcome

MAX_UNITS = 60_000
MAX_BYTES = 180_000
"""GitHub refuses a comment over 65,536 characters; how it counts them is not written down."""
ORDER = (*BROKEN, Status.CANCELLED, Status.SUCCEEDED, Status.BLOCKED, Status.SKIPPED)
SHOWN_CHANGES = 50
LINE_LENGTH = 400


def marker(workflow_file: str) -> str:
    """The hidden first line by which a comment is found again. One for each workflow file."""
    key = re.sub(r"[^A-Za-z0-9._/-]", "_", workflow_file)
    return f"<!-- mlpipe:report key={key} v=1 -->"


def run_marker(run_id: int) -> str:
    """The hidden second line of a comment: the run that wrote it. Later runs have larger ids."""
    return f"<!-- mlpipe:run id={run_id} -->"


def run_of(comment: str) -> int:
    """Id of the run that wrote a comment of ours; 0 if it does not say."""
    found = re.match(r"[^\n]*\n<!-- mlpipe:run id=(\d{1,20}) -->", comment)
    return int(found[1]) if found else 0


def report(run: Run) -> str:
    """The whole report. If it would be too long, whole sections are left out, and it says so."""
    needed = [_headline(run), _action(run), _metrics(run), _steps(run)]
    optional = [_logs(run), _changes(run)]
    footer = "\n\n".join(part for part in (_warnings(run), _transfers(run), _footer(run)) if part)
    dropped = ""
    while True:
        text = "\n\n".join(part for part in [*needed, *optional, dropped, footer] if part) + "\n"
        if _fits(text) or not (optional or needed[1:]):
            return text
        (optional or needed).pop(-1 if not optional else 0)
        dropped = "_Shortened: the whole report is in the log of the run._"


def code(text: str) -> str:
    """Text from outside as code: nothing in it is Markdown, HTML, a mention or a reference."""
    return f"<code>{_escape(text)}</code>"


def plain(text: str) -> str:
    """Text from outside within a sentence: as `code`, without the look of code."""
    guarded = _escape(text).replace("&#64;", "&#64;&#8203;")
    return re.sub(r"&#35;(?=\w)", "&#35;&#8203;", guarded)


def fence(lines: tuple[str, ...]) -> str:
    """Lines in a code block whose fence is longer than any run of backticks in them."""
    text = "\n".join(shown(line)[:LINE_LENGTH] for line in lines)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{text}\n{ticks}"


def _escape(text: str) -> str:
    return re.sub(
        r"[^\w\s.,:/()=+→·'-]|_", lambda m: f"&#{ord(m[0])};", shown(text), flags=re.ASCII
    )


def _headline(run: Run) -> str:
    return f"### {SYMBOLS[run.result]} {plain(verdict(run))}"


def _action(run: Run) -> str:
    """What needs a person: the failed steps, their last lines, how to see it at a desk."""
    parts = []
    for outcome in run.outcomes:
        if outcome.status in BROKEN:
            why = plain("; ".join(outcome.notes))
            alert, allowed = ("NOTE", ", as allowed") if outcome.forgiven else ("CAUTION", "")
            name = code(outcome.step.name)
            parts.append(f"> [!{alert}]\n> **{name}** failed{allowed}: {why}")
            parts.append(fence(outcome.log_tail[-5:]) if outcome.log_tail else "")
            parts.append("To see it at a desk: `mlpipe run`")
    return "\n\n".join(part for part in parts if part)


def _metrics(run: Run) -> str:
    if not run.metrics:
        return ""
    rows = [f"| {code(name)} | {number(value)} |" for name, value in list(run.metrics.items())[:15]]
    return "\n".join(["| metric | value |", "|---|--:|", *rows])


def _steps(run: Run) -> str:
    asked = [o for o in run.outcomes if o.reasons != (NOT_ASKED,)]
    rows = [_row(o) for status in ORDER for o in asked if o.status is status]
    reused = [code(o.step.name) for o in run.outcomes if o.status is Status.REUSED]
    table = "\n".join(["| step | | why | time |", "|---|---|---|--:|", *rows]) if rows else ""
    line = f"{len(reused)} reused: {', '.join(reused)}" if reused else ""
    return "\n\n".join(part for part in (table, line) if part)


def _row(outcome: StepOutcome) -> str:
    why = plain("; ".join(outcome.reasons[:3]))
    more = len(outcome.reasons) - 3
    why += f" and {more} more" if more > 0 else ""
    seen = undeclared(outcome)
    notes = "".join(f"<br>{plain(note)}" for note in (*outcome.notes, *((seen,) if seen else ())))
    time = in_words(outcome.seconds) if outcome.seconds else ""
    return f"| {code(outcome.step.name)} | {outcome.status} | {why}{notes} | {time} |"


def _logs(run: Run) -> str:
    tails = [o for o in run.outcomes if o.log_tail]
    return "\n\n".join(_folded(f"Log of {code(o.step.name)}", fence(o.log_tail)) for o in tails)


def _changes(run: Run) -> str:
    changed = run.comparison.changed or ()
    if not changed:
        return ""
    lines = [f"{c.change:<9} {c.path}" for c in changed[:SHOWN_CHANGES]]
    if len(changed) > SHOWN_CHANGES:
        lines.append(f"… and {len(changed) - SHOWN_CHANGES:,} more")
    title = f"{len(changed):,} changed path{'' if len(changed) == 1 else 's'}"
    return _folded(title, fence(tuple(lines)))


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _warnings(run: Run) -> str:
    return "\n\n".join(f"<sub>⚠️ {plain(text)}</sub>" for text in run.comparison.warnings)


def _transfers(run: Run) -> str:
    return "<br>\n".join(f"<sub>{plain(line)}</sub>" for line in transfer_words(run.transfers))


def _footer(run: Run) -> str:
    head = f"Commit {run.comparison.head[:7]}, " if run.comparison.head else ""
    parts = [f"{head}{plain(compared(run.comparison))}", in_words(run.seconds), watched(run)]
    return f"<sub>{' · '.join(part for part in (*parts, 'mlpipe') if part)}</sub>"


def _fits(text: str) -> bool:
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return units <= MAX_UNITS and len(text.encode("utf-8", "surrogatepass")) <= MAX_BYTES
