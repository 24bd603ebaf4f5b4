"""In which order the steps of a run may be carried out, and which a failure stops."""

from functools import cached_property

from mlpipe_ci.bench import Bench
from mlpipe_ci.footprint import touched_before
from mlpipe_ci.graph import behind
from mlpipe_ci.overlap import Touched, in_listed_order, longest_first, predecessors
from mlpipe_ci.schedule import Schedule
from mlpipe_ci.workflow import Step


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
        took = self._bench.state.durations(self._bench.workflow.file)
        places = self._bench.workflow.places
        seconds = {places[step]: one for step, one in took.items() if step in places}
        return Schedule(self.before, longest_first(self.before, seconds))

    @cached_property
    def touched(self) -> list[Touched]:
        """What each step touched beyond what it declares, when it last succeeded."""
        return [touched_before(self._bench, step) for step in self._bench.workflow.steps]

    @cached_property
    def before(self) -> list[set[int]]:
        """For each step (its place) those that have to end before it begins."""
        return predecessors(self._bench.workflow, self.touched)

    def stopped_by(self, step: Step, failed: list[Step], *, needed_only: bool) -> list[Step]:
        """Steps that failed, and for that this one must not run. `needed_only`: with --keep-going.

        Another combination of the same matrix does not count if `fail-fast` is false.
        """
        found = [one for one in failed if not _apart(step, one)]
        if found and needed_only:
            places = self._bench.workflow.places
            needed = behind(self.before, places[step.id])
            found = [one for one in found if places[one.id] in needed]
        return found


def _apart(step: Step, failed: Step) -> bool:
    same = step.strategy is not None and step.group == failed.group
    return same and step.strategy is not None and not step.strategy.fail_fast
