"""Steps of a run that are told as one: items that ended alike, and what was reused.

One that failed or missed a gate always stands alone.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.plan import NOT_ASKED
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.report.wording import FOLDED, family, many, names_of

KINDS = {Status.SUCCEEDED: "succeeded", Status.REUSED: "reused"}


@frozen
class Fold:
    """Steps that are told as one. `kind`: `failed`, `succeeded`, `reused`, `other`."""

    name: str
    kind: str
    outcomes: tuple[StepOutcome, ...]


def is_bad(outcome: StepOutcome) -> bool:
    """True if it failed or missed a gate."""
    return outcome.failed or bool(outcome.measured.missed_gates)


def kind_of(outcome: StepOutcome) -> str:
    """By which class a step is coloured."""
    return "failed" if is_bad(outcome) else KINDS.get(outcome.status, "other")


def folds(outcomes: Iterable[StepOutcome]) -> list[Fold]:
    """The steps in their order; items and combinations of one step that ended alike where the first
    is.
    """
    found: dict[object, list[StepOutcome]] = {}
    for number, one in enumerate(outcomes):
        alone = not family(one.step) or is_bad(one)
        found.setdefault(number if alone else (one.step.group, one.status), []).append(one)
    return [fold for alike in found.values() for fold in _as_one(alike)]


def _as_one(alike: list[StepOutcome]) -> list[Fold]:
    first = alike[0]
    if len(alike) < FOLDED:
        return [Fold(name=o.step.name, kind=kind_of(o), outcomes=(o,)) for o in alike]
    name = many(first.step, len(alike))
    return [Fold(name=name, kind=kind_of(first), outcomes=tuple(alike))]


def rows(run: Run) -> tuple[list[Fold], list[Fold]]:
    """What is told of the steps that were asked for; and apart from that what was reused, if that
    is several.
    """
    told = folds(one for one in run.outcomes if one.reasons != (NOT_ASKED,))
    reused = [one for one in told if one.kind == "reused"]
    if len(reused) < FOLDED:
        return told, []
    return [one for one in told if one.kind != "reused"], reused


def graph(run: Run) -> tuple[list[Fold], list[tuple[int, int, str]]]:
    """The nodes of a graph, and its edges: numbers of nodes, and the kind.

    Reused steps that need only reused ones are one node, unless there is nothing else to see.
    """
    nodes = folds(run.outcomes)
    edges = _edges(nodes, run.edges)
    early = _early(nodes, edges)
    if FOLDED <= len(early) < len(nodes):
        outcomes = tuple(one for number in early for one in nodes[number].outcomes)
        names = ", ".join(names_of([one.step for one in outcomes]))
        whole = Fold(name=f"{len(outcomes)} reused: {names}", kind="reused", outcomes=outcomes)
        nodes = [whole, *(one for number, one in enumerate(nodes) if number not in early)]
        edges = _edges(nodes, run.edges)
    return nodes, edges


def _edges(nodes: list[Fold], edges: tuple[Edge, ...]) -> list[tuple[int, int, str]]:
    """Edges between nodes, each once; none back to what has an item before it."""
    number = {one.step.id: at for at, node in enumerate(nodes) for one in node.outcomes}
    found: dict[tuple[int, int], str] = {}
    for edge in edges:
        before, after = number.get(edge.before, 0), number.get(edge.after, 0)
        if before < after and (found.get((before, after)) or "order") == "order":
            found[before, after] = edge.kind
    return [(before, after, kind) for (before, after), kind in found.items()]


def _early(nodes: list[Fold], edges: list[tuple[int, int, str]]) -> list[int]:
    """Reused nodes that need none but such."""
    late: set[int] = set()
    for number, node in enumerate(nodes):
        needs_late = any(after == number and before in late for before, after, _ in edges)
        if node.kind != "reused" or needs_late:
            late.add(number)
    return [number for number in range(len(nodes)) if number not in late]


def of_workflow(workflow: Workflow, edges: tuple[Edge, ...]) -> tuple[Workflow, tuple[Edge, ...]]:
    """A workflow in which all items, or combinations, of a step are one, and its edges."""
    sizes = Counter(step.group for step in workflow.steps if family(step))
    called = {s.id: s.group if sizes[s.group] >= FOLDED else s.id for s in workflow.steps}
    first: dict[str, Step] = {}
    for step in workflow.steps:
        first.setdefault(called[step.id], step)
    steps = [
        replace(one, name=many(one, sizes[name])) if sizes[name] >= FOLDED else one
        for name, one in first.items()
    ]
    stands = {id_: first[name].id for id_, name in called.items()}
    found: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        pair = stands[edge.before], stands[edge.after]
        if pair[0] != pair[1]:
            before = found.get(pair)
            paths = dict.fromkeys((*(before.paths if before else ()), *edge.paths))
            kind = edge.kind if before is None or before.kind == "order" else before.kind
            found[pair] = Edge(before=pair[0], after=pair[1], kind=kind, paths=tuple(paths))
    return replace(workflow, steps=tuple(steps)), tuple(found.values())
