"""Any screen, on which reused items of one step that follow one another are one line."""

from dataclasses import replace

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report.screens.base import Screen
from mlpipe_ci.report.wording import FOLDED, whole


class GroupedScreen:
    """Passes all on to another screen, but for what waits to be shown with what follows it."""

    def __init__(self, inner: Screen) -> None:
        self._inner = inner
        self._alike: list[StepOutcome] = []
        self.output = inner.output
        self.progress = inner.progress

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """Say what is about to be run."""
        self._inner.head(workflow, comparison)

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided."""
        if decision.action is not Action.REUSE:
            self._flush()
        self._inner.start(decision, seconds)

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""
        name = whole(outcome.step)
        first = self._alike[0] if self._alike else None
        if first and (whole(first.step), first.notes) != (name, outcome.notes):
            self._flush()
        plain = outcome.status is Status.REUSED and not (
            outcome.measured.gates or outcome.measured.metrics
        )
        if name and plain:
            self._alike.append(outcome)
            return
        self._flush()
        self._inner.end(outcome)

    def message(self, text: str) -> None:
        """A word about the run itself."""
        self._flush()
        self._inner.message(text)

    def close(self) -> None:
        """Nothing runs any more."""
        self._flush()
        self._inner.close()

    def final(self, run: Run) -> None:
        """The verdict."""
        self._flush()
        self._inner.final(run)

    def _flush(self) -> None:
        alike, self._alike = self._alike, []
        if len(alike) >= FOLDED:
            step = alike[0].step
            named = replace(step, name=f"{whole(step)} ({len(alike)} items)")
            notes = tuple(f"{len(alike)} times: {note}" for note in alike[0].notes)
            alike = [replace(alike[0], step=named, notes=notes)]
        for outcome in alike:
            self._inner.end(outcome)
