"""The log of GitHub Actions: each step's output is folded, and inert."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.ci.github import workflow_commands
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.report import terminal, tracebacks
from mlpipe_ci.report.screens.plain import PlainScreen


class ActionsScreen(PlainScreen):
    """As plain lines; a step's output is a group in which no workflow command counts.

    If many run at once, a step's output is shown when it has ended.
    """

    _token = ""
    _warned = 0

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided; if it runs, what follows is its output."""
        if self._many:
            super().start(decision, seconds)
        elif decision.action is Action.RUN:
            self._open(f"{decision.step.name}: {terminal.reasons(decision.reasons)}")

    def output(self, step: str, data: bytes) -> None:
        """What a step has printed."""
        if not self._many:
            super().output(step, data)

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""
        if self._many and outcome.execution.exit_code is not None and not self._quiet:
            self._open(outcome.step.name)
            with suppress(OSError), Path(outcome.execution.log).open("rb") as log:
                shutil.copyfileobj(log, self._bytes)
                self._bytes.flush()
        self.close()
        super().end(outcome)

    def close(self) -> None:
        """Close what `start` opened, if anything."""
        if self._token:
            # A command counts at the start of a line only, and the step may have left one open.
            self._unended = False
            self._command("\n" + workflow_commands.resume_commands(self._token))
            if not self._quiet:
                self._command(workflow_commands.end_group())
            self._token = ""

    def message(self, text: str) -> None:
        """A word about the run itself; a warning becomes an annotation."""
        if text.startswith("warning: "):
            self._warned += 1
            if self._warned <= tracebacks.MOST:
                self._command(workflow_commands.warning(text.removeprefix("warning: ")))
                return
        super().message(text)

    def final(self, run: Run) -> None:
        """The verdict, and what failed at its line."""
        for diagnostic in tracebacks.failures(run):
            self._command(workflow_commands.diagnostic(diagnostic))
        super().final(run)

    def _open(self, title: str) -> None:
        self._token = os.urandom(16).hex()
        if not self._quiet:
            self._command(workflow_commands.group(title))
        self._command(workflow_commands.stop_commands(self._token))

    def _command(self, text: str) -> None:
        super()._print(text, always=True)

    def _print(self, line: str, *, always: bool = False) -> None:
        super()._print(workflow_commands.inert(line), always=always)
