"""Which steps failed in a run, and what that means for the others."""

from collections.abc import Iterable

from mlpipe_ci.core.graph import behind
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.ordering import StepOrder


class Failures:
    """The steps that failed, or were ended because another combination of their matrix did.

    With `keep_going` a failure stops only what needs the step that failed.
    """

    def __init__(self, context: RunContext, step_order: StepOrder, *, keep_going: bool) -> None:
        self._steps, self._indexes = context.workflow.steps, context.workflow.index_by_id
        self._step_order, self._keep_going = step_order, keep_going
        self._failed: dict[int, Step] = {}
        self._stopped: dict[int, set[int]] = {}
        self._ended: set[int] = set()

    def add(self, outcome: StepOutcome) -> None:
        """A step is done; it counts if it did not succeed."""
        if outcome.fails_run or outcome.status is Status.CANCELLED:
            index = self._indexes[outcome.step.id]
            self._failed[index] = outcome.step
            self._stopped[index] = (
                behind(self._step_order.after, index) if self._keep_going else set()
            )

    def blocking(self, step: Step) -> tuple[str, ...]:
        """Names of steps that failed, for which this one does not run.

        Another combination of the same matrix does not count if `fail-fast` is false.
        """
        failed = {n: one for n, one in self._failed.items() if not _apart(step, one)}
        index = self._indexes[step.id]
        return tuple(
            one.name
            for n, one in failed.items()
            if not self._keep_going or index in self._stopped[n]
        )

    def siblings(self, failed: Step, running: Iterable[int]) -> list[int]:
        """Those of its matrix that run and have to end, as on GitHub, unless `fail-fast` is false.

        From now on `ends` knows them.
        """
        if not failed.strategy or not failed.strategy.fail_fast or self._keep_going:
            return []
        found = [index for index in running if self._steps[index].group == failed.group]
        self._ended |= set(found)
        return found

    def ends(self, index: int) -> bool:
        """True if the step is ended because another combination failed."""
        return index in self._ended

    def forget(self, index: int) -> set[int] | None:
        """It did not really fail. Returns the combinations that were ended for it; None if it had
        not failed at all.
        """
        if index not in self._failed:
            return None
        group = self._steps[index].group
        ended = {one for one in self._ended if self._steps[one].group == group}
        self._ended -= ended
        for one in (index, *ended):
            self._failed.pop(one, None)
        return ended


def _apart(step: Step, failed: Step) -> bool:
    same = step.strategy is not None and step.group == failed.group
    return same and step.strategy is not None and not step.strategy.fail_fast
