"""The log of GitHub Actions: each step's output is folded, and inert."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.decide import Action, Decision
from mlpipe_ci.report import actions, terminal
from mlpipe_ci.run import StepOutcome
from mlpipe_ci.screens.plain import Plain


class InActions(Plain):
    """As plain lines; a step's output is a group in which no workflow command counts.

    If many run at once, a step's output is shown when it has ended.
    """

    _token = ""

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided; if it runs, what follows is its output."""
        if self._many:
            super().start(decision, seconds)
        elif decision.action is Action.RUN:
            self._open(f"{decision.step.name}: {terminal.reasons(decision.reasons)}")

    def printed(self, step: str, data: bytes) -> None:
        """What a step has printed."""
        if not self._many:
            super().printed(step, data)

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""
        if self._many and outcome.exit_code is not None and not self._quiet:
            self._open(outcome.step.name)
            with suppress(OSError), Path(outcome.log).open("rb") as log:
                shutil.copyfileobj(log, self._bytes)
                self._bytes.flush()
        self.close()
        super().end(outcome)

    def close(self) -> None:
        """Close what `start` opened, if anything."""
        if self._token:
            # A command counts at the start of a line only, and the step may have left one open.
            self._unended = False
            self._print("\n" + actions.resume_commands(self._token), always=True)
            self._print(actions.end_group())
            self._token = ""

    def say(self, text: str) -> None:
        """A word about the run itself; a warning becomes an annotation."""
        if text.startswith("warning: "):
            text = actions.warning(text.removeprefix("warning: "))
        super().say(text)

    def _open(self, title: str) -> None:
        self._token = os.urandom(16).hex()
        self._print(actions.group(title))
        self._print(actions.stop_commands(self._token), always=True)
