"""Plain lines, for a file, a pipe, or a terminal that can do no more."""

import io
import threading
from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report import terminal
from mlpipe_ci.report.screens.base import has_colour, print_or_drop
from mlpipe_ci.report.wording import escape_controls

LONGEST = 1 << 13
"""Bytes of a line that are held back until it ends."""
WIDEST = 24
"""Characters of a step's name before its lines."""


class PlainScreen:
    """What steps print goes through as it is; if `many` may run at once, each line has its step's
    name before it, and of a progress bar only the last state is shown. `quiet`: only failures.
    """

    def __init__(
        self, stream: TextIO, env: Mapping[str, str], *, quiet: bool = False, many: bool = False
    ) -> None:
        self._stream, self._quiet, self._many = stream, quiet, many
        self._colour = has_colour(stream, env)
        stream.flush()
        self._bytes = getattr(stream, "buffer", None) or io.BytesIO()
        self._lock = threading.Lock()
        self._unended = False
        self._names: dict[str, bytes] = {}
        self._rest: dict[str, bytes] = {}

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """Say what is about to be run."""
        self._print(terminal.head_line(workflow, comparison, colour=self._colour))
        longest = max((len(escape_controls(step.name)) for step in workflow.steps), default=0)
        for step in workflow.steps:
            name = escape_controls(step.name)[:WIDEST].ljust(min(longest, WIDEST))
            self._names[step.id] = f"{name} │ ".encode("utf-8", "replace")

    def start(self, decision: Decision, seconds: float | None) -> None:  # noqa: ARG002 - a line has no bar
        """A step has been decided; if it runs, what follows is its output."""
        if decision.action is Action.RUN:
            self._print(terminal.start_line(decision, colour=self._colour))

    def output(self, step: str, data: bytes) -> None:
        """What a step has printed."""
        if self._quiet:
            return
        if not self._many:
            self._unended = not data.endswith(b"\n")
        else:
            *lines, rest = (self._rest.get(step, b"") + data).split(b"\n")
            if len(rest) > LONGEST:
                lines, rest = [*lines, rest], b""
            self._rest[step] = rest
            data = b"".join(self._line(step, line) for line in lines)
        with self._lock:
            self._bytes.write(data)
            self._bytes.flush()

    def _line(self, step: str, line: bytes) -> bytes:
        last = line.rstrip(b"\r").rsplit(b"\r", 1)[-1]
        return self._names.get(step, b"") + last + b"\n"

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""
        if rest := self._rest.pop(outcome.step.id, b""):
            with self._lock:
                self._bytes.write(self._line(outcome.step.id, rest))
        if self._quiet and not outcome.fails_run:
            return
        for line in terminal.outcome_lines(outcome, colour=self._colour):
            self._print(line, always=outcome.fails_run)
        if self._quiet:
            for line in terminal.log_lines(outcome):
                self._print(line, always=True)

    def message(self, text: str) -> None:
        """A word about the run itself, such as a warning."""
        self._print(text, always=True)

    def progress(self, text: str) -> None:
        """What changes many times a second is no line."""

    def close(self) -> None:
        """Nothing was opened."""

    def final(self, run: Run) -> None:
        """The verdict."""
        for line in terminal.end_lines(run, colour=self._colour):
            self._print(line, always=True)

    def _print(self, line: str, *, always: bool = False) -> None:
        if always or not self._quiet:
            with self._lock:
                print_or_drop(f"\n{line}" if self._unended else line, self._stream)
            self._unended = False
