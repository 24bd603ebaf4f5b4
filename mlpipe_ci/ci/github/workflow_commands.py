"""Workflow commands of GitHub Actions: groups, annotations, and the guard around a step's output.

Escapes as in actions/toolkit, packages/core/src/command.ts.
"""

from mlpipe_ci.core.errors import Diagnostic
from mlpipe_ci.report.wording import escape_controls


def group(title: str) -> str:
    """Open a folded group in the log."""
    return f"::group::{_data(title)}"


def end_group() -> str:
    """Close the group."""
    return "::endgroup::"


def stop_commands(token: str) -> str:
    """From here on no line is a command, so that a training log cannot give any."""
    return f"::stop-commands::{token}"


def resume_commands(token: str) -> str:
    """Lines are commands again."""
    return f"::{token}::"


def inert(line: str) -> str:
    """A line that the runner takes for no command, whatever a step, a branch or a file is called.

    It knows `::command::` after white space, and `##[command]` anywhere (ActionCommand.cs).
    """
    plain = line.replace("##[", "#\u200b#[")
    start = len(plain) - len(plain.lstrip())
    return f"{plain[:start]}\u200b{plain[start:]}" if plain.startswith("::", start) else plain


def diagnostic(found: Diagnostic) -> str:
    """An annotation on the line of a fault: an error, or a warning."""
    return error(found.message, found).replace("::error", f"::{found.level}", 1)


def error(message: str, diagnostic: Diagnostic | None = None) -> str:
    """An error annotation, on a line of a file where there is one."""
    if diagnostic is None:
        return f"::error title=mlpipe::{_data(message)}"
    path = f"file={_property(diagnostic.file)},line={diagnostic.line},col={diagnostic.column}"
    return f"::error {path},title=mlpipe::{_data(message)}"


def warning(message: str) -> str:
    """A warning annotation."""
    return f"::warning title=mlpipe::{_data(message)}"


def _data(text: str) -> str:
    kept = "\n".join(escape_controls(line) for line in text.split("\n"))
    return kept.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
