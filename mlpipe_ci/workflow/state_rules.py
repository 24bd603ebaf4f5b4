"""What must hold of `state`: a path in the repository, and no output of any step. Pure."""

from collections.abc import Iterator, Sequence

from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.core.yaml.parse import Problem
from mlpipe_ci.workflow.rules import Position


def state_problems(
    state: Sequence[str], steps: tuple[Step, ...], position: Position
) -> list[Problem]:
    """All faults of the file's `state` and of each step's; of a matrix, each once."""
    declared = DeclaredOutputs(steps)
    found: dict[tuple[int, int], Problem] = {}
    for number, path in enumerate(state):
        for text in _faults(path, declared, steps):
            where = position(("state", number))
            found.setdefault(where, Problem(*where, text, "state"))
    for step in steps:
        for number, path in enumerate(step.state):
            for text in _faults(path, declared, steps):
                where = position(("steps", step.position, "state", number))
                found.setdefault(where, Problem(*where, f"step '{step.name}': {text}", "state"))
    return list(found.values())


def _faults(path: str, declared: DeclaredOutputs, steps: tuple[Step, ...]) -> Iterator[str]:
    if fault := path_fault(path):
        yield fault
    elif path.rstrip("/") in {".", "*", "**"}:
        yield "the whole repository as state; name what a tool keeps for itself"
    elif found := declared.matching(path):
        write = found[0]
        yield (
            f"state '{path}' and the output '{write.path}' of step '{steps[write.step].name}' "
            "overlap: an output is made anew and comes back, state stays as it is; name it once"
        )
