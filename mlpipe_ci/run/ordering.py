"""In which order the steps of a run may be carried out."""

from functools import cached_property

from mlpipe_ci.run.conflicts import FileAccess, dependencies, in_listed_order, longest_first
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.file_access import access_of_last_success
from mlpipe_ci.run.resources import kind
from mlpipe_ci.run.scheduler import Scheduler


class StepOrder:
    """Which step needs which, as far as it is known before the run. Found out when it is asked for:
    a run of one step at a time in which nothing fails needs none of it.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def schedule(self, jobs: int) -> Scheduler:
        """The listed order for one job at a time; for more what is independent, longest first."""
        steps = len(self._context.workflow.steps)
        if jobs == 1:
            return Scheduler(in_listed_order(self._context.workflow), [0.0] * steps)
        kinds = [kind(step) for step in self._context.workflow.steps]
        took = self._context.cache.state.durations(self._context.workflow.file)
        indexes = self._context.workflow.index_by_id
        seconds = {indexes[step]: one for step, one in took.items() if step in indexes}
        return Scheduler(self.before, longest_first(self.before, seconds), kinds)

    @cached_property
    def touched(self) -> list[FileAccess]:
        """What each step touched without declaring it, when it last succeeded."""
        return [
            access_of_last_success(self._context, step) for step in self._context.workflow.steps
        ]

    @cached_property
    def before(self) -> list[set[int]]:
        """For each step (its place) those that have to end before it begins."""
        return dependencies(self._context.workflow, self.touched)

    @cached_property
    def after(self) -> list[set[int]]:
        """For each step those that have to wait for it."""
        found: list[set[int]] = [set() for _ in self.before]
        for index, others in enumerate(self.before):
            for other in others:
                found[other].add(index)
        return found
