"""How much of the machine the running steps take, and whether there is room for another. Pure.

Only what steps declare in `resources` is counted. One that asks for more than there is runs alone
among those that ask for the same.
"""

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.workflow import Resources, Step

NOTHING = Resources()
GIB = 1 << 30
ENOUGH = 1e-9
UNSEEN = ""
"""Stands for the GPUs of a machine that shows none: one step at a time that asks for any."""


@frozen
class Capacity:
    """What a machine has: cores, bytes of memory (None: not known), GPUs by name."""

    cpus: float
    memory: int | None = None
    gpus: tuple[str, ...] = ()


@frozen
class Allocation:
    """What a step that runs has taken. `gpus`: names, and how much of each."""

    cpus: float
    memory: float
    gpus: tuple[tuple[str, float], ...]


def kind(step: Step) -> tuple[Resources | None, str]:
    """What decides whether there is room for a step: where one does not fit, no other like it."""
    limited = step.strategy is not None and step.strategy.max_parallel is not None
    return step.resources, step.group if limited else ""


class ResourcePool:
    """What is left of a machine."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._taken: dict[str, Allocation] = {}
        self._steps: dict[str, Step] = {}

    def fits(self, step: Step) -> bool:
        """True if the step may run beside those that do."""
        if step.resources is None and step.strategy is None:
            return True
        return self._below_limit(step) and self._share(step) is not None

    def acquire(self, step: Step) -> tuple[str, ...]:
        """The step, which fits, begins. Returns the names of its GPUs."""
        allocation = self._share(step)
        if allocation is None:
            raise RuntimeError(f"there is no room for step '{step.name}'")
        self._taken[step.id], self._steps[step.id] = allocation, step
        return tuple(name for name, _ in allocation.gpus if name)

    def release(self, step: Step) -> None:
        """The step has ended."""
        self._taken.pop(step.id, None)
        self._steps.pop(step.id, None)

    def shortage(self, step: Step) -> str:
        """What the machine has too little of for the step, in words; empty if it has enough."""
        if step.resources is None:
            return ""
        wanted, has = step.resources, self.capacity
        found = []
        if (wanted.cpus or 0) > has.cpus:
            found.append(f"{wanted.cpus:g} cpus, and there are {has.cpus:g}")
        if has.memory is not None and (wanted.memory or 0) > has.memory:
            found.append(
                f"{(wanted.memory or 0) / GIB:.3g} GiB, and there are {has.memory / GIB:.3g}"
            )
        if (wanted.gpus or 0) > len(has.gpus):
            found.append(f"{wanted.gpus:g} gpus, and {len(has.gpus) or 'none'} can be seen")
        return f"it asks for {'; '.join(found)}" if found else ""

    def _below_limit(self, step: Step) -> bool:
        most = step.strategy.max_parallel if step.strategy else None
        beside = sum(other.group == step.group for other in self._steps.values())
        return most is None or beside < most

    def _share(self, step: Step) -> Allocation | None:
        """What the step would take; None if that is not there now."""
        wanted, has = step.resources or NOTHING, self.capacity
        cpus = min(wanted.cpus or 0.0, has.cpus)
        memory = float(wanted.memory or 0)
        memory = memory if has.memory is None else min(memory, has.memory)
        gpus = self._gpus(wanted.gpus or 0.0)
        used_cpus = sum(allocation.cpus for allocation in self._taken.values())
        used_memory = sum(share.memory for share in self._taken.values())
        fits_memory = has.memory is None or used_memory + memory <= has.memory
        if gpus is None or used_cpus + cpus > has.cpus + ENOUGH or not fits_memory:
            return None
        return Allocation(cpus=cpus, memory=memory, gpus=gpus)

    def _gpus(self, wanted: float) -> tuple[tuple[str, float], ...] | None:
        """GPUs that have so much left: of one that is shared the fullest, else whole ones."""
        left = dict.fromkeys(self.capacity.gpus or (UNSEEN,), 1.0)
        for allocation in self._taken.values():
            for name, part in allocation.gpus:
                left[name] -= part
        wanted = min(wanted, float(len(left)))
        if not wanted:
            return ()
        if wanted < 1:
            fitting = [name for name, part in left.items() if part + ENOUGH >= wanted]
            return ((min(fitting, key=lambda name: left[name]), wanted),) if fitting else None
        count = -int(-wanted // 1)
        whole = [name for name, part in left.items() if part + ENOUGH >= 1]
        return tuple((name, 1.0) for name in whole[:count]) if len(whole) >= count else None
