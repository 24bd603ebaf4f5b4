"""Shows a run on the screen, and opens the commit status once there is something to run."""

from mlpipe_ci.ci.github.publisher import Publisher
from mlpipe_ci.core.plan import Action, Plan
from mlpipe_ci.report.screens.base import Screen


class RunListener:
    """A `run.listener.Listener`: all but `planned` is the screen's. `head`: the commit."""

    def __init__(self, screen: Screen, publisher: Publisher, head: str | None) -> None:
        self.head, self.start, self.end = screen.head, screen.start, screen.end
        self.output, self.message, self.close = screen.output, screen.message, screen.close
        self._publisher, self._head = publisher, head

    def planned(self, plan: Plan) -> None:
        """The commit is said to be worked on only if a step may run."""
        if any(one.action not in {Action.REUSE, Action.SKIP} for one in plan.decisions):
            self._publisher.started(plan.workflow.name, self._head)
