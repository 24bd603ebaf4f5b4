"""Whether the state that a step keeps is where later steps that read it would look for it.

State is not stored. So a step whose state a later one reads is reused only while what it left of it
is in place, as it left it or as a later step has left it since.
"""

from collections.abc import Callable, Iterable

from mlpipe_ci.cache.left_record import LeftRecord
from mlpipe_ci.cache.store import name_of
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.tracing.discovery.kinds import KEEPS, STATE


def result_id(result: Result) -> str:
    """What names a result among all: its key, and its place among those of the key."""
    return f"{result.key}/{name_of(result)}"


@frozen
class KeptState:
    """`results`: stored results of a step, whatever their key; `seen`: paths of state that its last
    run here saw; `digest`: of what is at a path now, None for nothing.
    """

    workflow: Workflow
    record: LeftRecord
    results: Callable[[Step], Iterable[Result]]
    seen: Callable[[Step], Iterable[str]]
    digest: Callable[[str], str | None]

    def why_lacking(self, step: Step, result: Result) -> str:
        """Why a result cannot be used, in words; empty if it can."""
        tops = tuple(item.path for item in result.discovered if item.digest == KEEPS)
        if not tops or self._is_in_place(step, result):
            return ""
        for other in self.workflow.steps[self.workflow.index_by_id[step.id] + 1 :]:
            for path in self._seen_by(other):
                top = next((top for top in tops if is_under(path.rstrip("/"), top)), "")
                if top:
                    return f"'{other.name}' reads its state {top}, which is not as it left it"
        return ""

    def _is_in_place(self, step: Step, result: Result) -> bool:
        left = self.record.of(step)
        if left.result != result_id(result):
            return False
        later = self.workflow.steps[self.workflow.index_by_id[step.id] + 1 :]
        for path, digest in left.state.items():
            now = self.digest(path)
            if now is None or (
                now != digest and all(self.record.of(one).state.get(path) != now for one in later)
            ):
                return False
        return True

    def _seen_by(self, step: Step) -> Iterable[str]:
        yield from self.seen(step)
        for result in self.results(step):
            yield from (item.path for item in result.discovered if item.digest.startswith(STATE))
