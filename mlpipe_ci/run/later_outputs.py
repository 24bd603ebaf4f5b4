"""Keeps what later steps have left out of sight while an earlier one runs: see `hidden_outputs`."""

from collections.abc import Collection, Iterable

from mlpipe_ci.cache.hidden_outputs import HiddenOutputs
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.context import RunContext


class LaterOutputs:
    """Of one run. `visible`: places of the steps whose outputs are in sight: of those that were
    taken; of the others nothing is hidden before the first command starts.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._hidden = HiddenOutputs(context.repo.root, context.transaction)
        self._begun = False
        self._visible: set[int] = set()

    def hide(self, index: int, in_use: Collection[int]) -> None:
        """A step begins: what the steps after it have left is not there, but for those in use.

        Raises OSError.
        """
        steps = self._context.workflow.steps
        late = {other for other in self._visible if other > index}
        if not self._begun:
            late |= set(range(index + 1, len(steps)))
            self._begun = True
        changed = False
        for other in sorted(late.difference(in_use)):
            paths = left_behind(self._context, steps[other])
            changed |= bool(paths) and self._hidden.hide(steps[other].id, paths)
            self._visible.discard(other)
        if changed:
            self._context.repo.tree.forget()

    def show(self, indexes: Iterable[int]) -> None:
        """What these steps have left counts from now on. Raises OSError."""
        changed = False
        for index in indexes:
            self._visible.add(index)
            changed |= self._hidden.bring_back(self._context.workflow.steps[index].id)
        if changed:
            self._context.repo.tree.forget()


def left_behind(context: RunContext, step: Step) -> tuple[str, ...]:
    """What a step declares to write or has written last, where that is not git's or a person's."""
    tree, state = context.repo.tree, context.cache.state
    declared = [
        path
        for path in step.writes
        if not tree.tracked(path.rstrip("/")) and not tree.tracked(f"{path.rstrip('/')}/")
    ]
    record, last = context.stale_outputs.record, state.last_trace(context.workflow.file, step.id)
    changed = record.of(step).changed  # was there before the step
    added = (*last.logs, *record.of(step).history)
    found = [path for path in added if not (path_fault(path) or tree.tracked(path))]
    for path, digest in last.wrote:
        if not path_fault(path) and path not in changed and not tree.tracked(path):
            now = tree.known(path)
            later = (left.paths[path] for left in record.left_by(path).values())
            if now is not None and now.digest in {digest, *later}:
                found.append(path)
    return (*declared, *dict.fromkeys(found))
