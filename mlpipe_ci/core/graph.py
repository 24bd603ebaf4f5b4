"""Which step needs which: edges from declared paths, from `needs`, and from order alone. Pure."""

import re
from collections.abc import Iterable, Sequence

from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.workflow import Step, Workflow

ASKED = regex(r"\bsteps\.([a-z0-9_-]+)", re.IGNORECASE)
"""Names a step in an `if`."""


@frozen
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
    writers = DeclaredOutputs(workflow.steps)
    found: list[Edge] = []
    barrier: Step | None = None
    leaves: dict[str, None] = {}
    for index, step in enumerate(workflow.steps):
        own = declared(workflow, writers, index)
        before = {edge.before for edge in own}
        if step.declares_nothing:
            own += [_order(other, step) for other in leaves if other not in before]
        elif barrier and not own:
            own.append(_order(barrier.id, step))
        barrier = step if step.declares_nothing else barrier
        found += own
        for edge in own:
            leaves.pop(edge.before, None)
        leaves[step.id] = None
    return tuple(found)


def _order(before: str, step: Step) -> Edge:
    return Edge(before=before, after=step.id, kind="order")


def declared(workflow: Workflow, declared: DeclaredOutputs, index: int) -> list[Edge]:
    """The edges from steps that this one needs by what it says itself."""
    step = workflow.steps[index]
    paths: dict[str, dict[str, None]] = {}
    for pattern in step.reads:
        for write in () if pattern.startswith("!") else declared.matching(pattern):
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


def with_needed(workflow: Workflow, ids: Iterable[str]) -> frozenset[str]:
    """Ids of these steps, and of all that they need, directly or through others."""
    return _closure(_pairs(workflow), ids)


def with_dependent(workflow: Workflow, ids: Iterable[str]) -> frozenset[str]:
    """Ids of these steps, and of all that need them, directly or through others."""
    return _closure([(after, before) for before, after in _pairs(workflow)], ids)


def _pairs(workflow: Workflow) -> list[tuple[str, str]]:
    """(before, after) of all edges, and of steps that an `if` asks for."""
    known = {step.id for step in workflow.steps}
    asked = [
        (name, step.id)
        for step in workflow.steps
        for name in ASKED.findall(step.condition or "")
        if name in known
    ]
    return [(edge.before, edge.after) for edge in edges(workflow)] + asked


def _closure(pairs: list[tuple[str, str]], ids: Iterable[str]) -> frozenset[str]:
    behind: dict[str, list[str]] = {}
    for before, after in pairs:
        behind.setdefault(after, []).append(before)
    found: set[str] = set()
    open_ = list(ids)
    while open_:
        one = open_.pop()
        if one not in found:
            found.add(one)
            open_ += behind.get(one, ())
    return frozenset(found)


def behind(before: Sequence[set[int]], index: int) -> set[int]:
    """All steps that have to end before this one, directly or through others."""
    found: set[int] = set()
    left = [*before[index]]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += before[one]
    return found
