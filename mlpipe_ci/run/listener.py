"""Who follows a run: a screen, or a program that uses mlpipe as a library."""

from typing import Protocol

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.run import StepOutcome
from mlpipe_ci.core.workflow import Workflow


class Listener(Protocol):
    """Gets what happens. `output` is called from several threads, the rest from one."""

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """The run begins."""

    def planned(self, plan: Plan) -> None:
        """The plan is made; no command has run yet."""

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided; if it runs, it took so many `seconds` last time."""

    def output(self, step: str, data: bytes) -> None:
        """A step (its id) has printed something."""

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""

    def message(self, text: str) -> None:
        """A note about the run itself, such as a warning."""

    def close(self) -> None:
        """No command runs any more. May be called twice."""


class SilentListener:
    """Ignores all."""

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """Do nothing."""

    def planned(self, plan: Plan) -> None:
        """Do nothing."""

    def start(self, decision: Decision, seconds: float | None) -> None:
        """Do nothing."""

    def output(self, step: str, data: bytes) -> None:
        """Do nothing."""

    def end(self, outcome: StepOutcome) -> None:
        """Do nothing."""

    def message(self, text: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
