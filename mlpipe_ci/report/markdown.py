"""A run as GitHub Markdown: the job summary and the pull request comment."""

from mlpipe_ci.core.errors import MlpipeError, WorkflowError
from mlpipe_ci.core.run import Run
from mlpipe_ci.report import plots, sections, summary
from mlpipe_ci.report.escape import fence, plain

MAX_UNITS = 58_000
MAX_BYTES = 175_000
"""A comment has hidden lines besides: see `report/comment.py`."""
NEEDED = (
    summary.headline,
    summary.why_ran,
    summary.next_steps,
    sections.metrics,
    sections.steps,
)
OPTIONAL = (plots.section, sections.logs, sections.why_reused, sections.changes, sections.graph)
"""In the order in which they are left out of a report that is too long."""
SHOWN_FAULTS = 20


def report(run: Run) -> str:
    """The whole report. If it would be too long, whole sections are left out, and it says so."""
    needed, optional = [make(run) for make in NEEDED], [make(run) for make in OPTIONAL]
    footer = sections.footer(run)
    dropped = ""
    while True:
        text = _joined([*needed, *optional, dropped, footer])
        if _fits(text) or not (optional or needed[1:]):
            return text
        (optional or needed).pop(-1 if not optional else 0)
        dropped = "_Shortened: the whole report is in the log of the run._"


def of_fork(text: str) -> str:
    """A report that says where its values come from."""
    return f"{text}\n<sub>This run was a fork's: its numbers are what the fork says.</sub>\n"


def broken(name: str, error: MlpipeError) -> str:
    """What to post where no step could run: the workflow file is wrong, or git refused."""
    diagnostics = error.diagnostics if isinstance(error, WorkflowError) else ()
    lines = [f"{f.file}:{f.line}:{f.column}: {f.message}" for f in diagnostics[:SHOWN_FAULTS]]
    if len(diagnostics) > SHOWN_FAULTS:
        lines.append(f"… and {len(diagnostics) - SHOWN_FAULTS} more")
    lines = lines or str(error).splitlines()[:SHOWN_FAULTS]
    alert = "> [!CAUTION]\n> No step was run. To reproduce it: `mlpipe validate`, `mlpipe plan`"
    return _joined([f"### ❌ {plain(name)}: could not start", alert, fence(tuple(lines))])


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _fits(text: str) -> bool:
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return units <= MAX_UNITS and len(text.encode("utf-8", "surrogatepass")) <= MAX_BYTES
