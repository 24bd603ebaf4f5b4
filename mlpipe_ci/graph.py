"""Which step needs which: edges from declared paths, from `needs`, and from order alone. Pure."""

from dataclasses import dataclass

from mlpipe_ci.workflow import Step, Workflow
from mlpipe_ci.writers import Writers


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`after` needs `before` (ids of steps). `kind`: `data` through `paths`, `needs`, or `order`.

    `order`: one of the two does not say what it reads or writes, so only the order of the file
    holds them apart.
    """

    before: str
    after: str
    kind: str
    paths: tuple[str, ...] = ()


def edges(workflow: Workflow) -> tuple[Edge, ...]:
    """All edges, in the order of the steps that need."""
    writers = Writers(workflow.steps)
    found: list[Edge] = []
    barrier: Step | None = None
    leaves: dict[str, None] = {}
    for index, step in enumerate(workflow.steps):
        own = _declared(workflow, writers, index)
        before = {edge.before for edge in own}
        if step.undeclared:
            own += [_order(other, step) for other in leaves if other not in before]
        elif barrier and not own:
            own.append(_order(barrier.id, step))
        barrier = step if step.undeclared else barrier
        found += own
        for edge in own:
            leaves.pop(edge.before, None)
        leaves[step.id] = None
    return tuple(found)


def _order(before: str, step: Step) -> Edge:
    return Edge(before=before, after=step.id, kind="order")


def _declared(workflow: Workflow, writers: Writers, index: int) -> list[Edge]:
    step = workflow.steps[index]
    paths: dict[str, dict[str, None]] = {}
    for pattern in step.reads:
        for write in () if pattern.startswith("!") else writers.meant_by(pattern):
            if write.step < index:
                paths.setdefault(workflow.steps[write.step].id, {})[write.path] = None
    found = [
        Edge(before=before, after=step.id, kind="data", paths=tuple(through))
        for before, through in paths.items()
    ]
    for other in workflow.steps[:index] if step.needs else ():
        if other.id not in paths and (other.id in step.needs or other.group in step.needs):
            found += [Edge(before=other.id, after=step.id, kind="needs")]
    return found
