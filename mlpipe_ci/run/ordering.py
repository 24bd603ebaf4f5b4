"""In which order the steps of a run may be carried out."""

from functools import cached_property

from mlpipe_ci.run.conflicts import Touched, in_listed_order, longest_first, predecessors
from mlpipe_ci.run.context import Bench
from mlpipe_ci.run.file_access import touched_before
from mlpipe_ci.run.resources import kind
from mlpipe_ci.run.scheduler import Schedule


class Order:
    """Which step needs which, as far as it is known before the run. Found out when it is asked for:
    a run of one step at a time in which nothing fails needs none of it.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def schedule(self, jobs: int) -> Schedule:
        """The listed order for one job at a time; for more what is independent, longest first."""
        steps = len(self._bench.workflow.steps)
        if jobs == 1:
            return Schedule(in_listed_order(self._bench.workflow), [0.0] * steps)
        kinds = [kind(step) for step in self._bench.workflow.steps]
        took = self._bench.state.durations(self._bench.workflow.file)
        places = self._bench.workflow.places
        seconds = {places[step]: one for step, one in took.items() if step in places}
        return Schedule(self.before, longest_first(self.before, seconds), kinds)

    @cached_property
    def touched(self) -> list[Touched]:
        """What each step touched beyond what it declares, when it last succeeded."""
        return [touched_before(self._bench, step) for step in self._bench.workflow.steps]

    @cached_property
    def before(self) -> list[set[int]]:
        """For each step (its place) those that have to end before it begins."""
        return predecessors(self._bench.workflow, self.touched)

    @cached_property
    def after(self) -> list[set[int]]:
        """For each step those that have to wait for it."""
        found: list[set[int]] = [set() for _ in self.before]
        for place, others in enumerate(self.before):
            for other in others:
                found[other].add(place)
        return found
