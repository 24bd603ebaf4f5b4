"""Who follows a run: a screen, or a program that uses mlpipe as a library."""

from typing import Protocol

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.mask import Mask
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


class MaskedListener:
    """Passes all on to another listener, with the secrets masked; output is masked as it comes."""

    def __init__(self, inner: Listener, mask: Mask) -> None:
        self._inner, self._mask = inner, mask
        self.output, self.close = inner.output, inner.close

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """The run begins."""
        self._inner.head(self._mask.value(workflow), self._mask.value(comparison))

    def planned(self, plan: Plan) -> None:
        """The plan is made; no command has run yet."""
        self._inner.planned(self._mask.value(plan))

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided."""
        self._inner.start(self._mask.value(decision), seconds)

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""
        self._inner.end(self._mask.value(outcome))

    def message(self, text: str) -> None:
        """A note about the run itself."""
        self._inner.message(self._mask.text(text))


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
