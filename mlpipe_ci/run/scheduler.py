"""Which step may begin next: its predecessors are done, the longest way first. Pure.

A step whose outcome turns out to rest on something that was written beside it is done again, and
with it all that came after it.
"""

import heapq
from collections.abc import Callable, Hashable, Sequence
from enum import Enum, auto

from mlpipe_ci.core.graph import behind


class Stage(Enum):
    """How far a step is."""

    WAITING = auto()
    RUNNING = auto()
    DONE = auto()


class Scheduler:
    """Steps by their place in the workflow. `before`: who has to be done first; `rank`: of those
    that may begin, the one with the most goes first, and with the same the first listed. `kinds`:
    where there is no room for one, there is none for another of its kind.
    """

    def __init__(
        self, before: Sequence[set[int]], rank: Sequence[float], kinds: Sequence[Hashable] = ()
    ) -> None:
        self._stages = [Stage.WAITING] * len(before)
        self._before = [set(indexes) for indexes in before]
        self._after: list[set[int]] = [set() for _ in before]
        for index, others in enumerate(before):
            for other in others:
                self._after[other].add(index)
        self._rank = rank
        self._kinds = kinds or [None] * len(before)
        self._left = [len(others) for others in before]
        self._ready: dict[Hashable, list[tuple[float, int]]] = {}
        for index, left in enumerate(self._left):
            if not left:
                self._offer(index)
        self._running: set[int] = set()
        self._stale: set[int] = set()
        self._apart: set[frozenset[int]] = set()
        self._open = len(before)

    @property
    def finished(self) -> bool:
        """True if all steps are done."""
        return not self._open

    @property
    def running(self) -> frozenset[int]:
        """Steps that have begun and are not done."""
        return frozenset(self._running)

    def next(self, fits: Callable[[int], bool]) -> int | None:
        """The step to begin now; None if none may. `fits`: whether there is room for it."""
        firsts = sorted(item for heap in self._ready.values() if (item := self._first(heap)))
        return next((index for _, index in firsts if fits(index)), None)

    def _first(self, heap: list[tuple[float, int]]) -> tuple[float, int] | None:
        """Of those of a kind that are ready, the one that goes first."""
        passed, found = [], None
        while heap and found is None:
            item = heapq.heappop(heap)
            index = item[1]
            if self._stages[index] is not Stage.WAITING or self._left[index]:
                continue  # it comes back once it is ready again
            passed.append(item)
            found = item if self._is_free(index) else None
        for item in passed:
            heapq.heappush(heap, item)
        return found

    def _offer(self, index: int) -> None:
        """It may begin, as far as the others are concerned."""
        heap = self._ready.setdefault(self._kinds[index], [])
        heapq.heappush(heap, (-self._rank[index], index))

    def _is_free(self, index: int) -> bool:
        return not any(frozenset((index, other)) in self._apart for other in self._running)

    def begin(self, index: int) -> None:
        """It runs from now on."""
        self._stages[index] = Stage.RUNNING
        self._running.add(index)

    def wait_for(self, index: int, other: int) -> None:
        """A step is to begin after this other one, too."""
        self._before[index].add(other)
        self._after[other].add(index)
        if self._stages[index] is Stage.RUNNING:
            self._running.discard(index)
            self._stages[index] = Stage.WAITING
        self._recount(index)

    def later(self, index: int) -> None:
        """It does not run after all: it is looked at again."""
        self._running.discard(index)
        self._stages[index] = Stage.WAITING
        self._recount(index)

    def end(self, index: int) -> None:
        """It is done, unless something that it rests on was done again meanwhile."""
        self._running.discard(index)
        if index in self._stale:
            self._stale.discard(index)
            self._stages[index] = Stage.WAITING
            self._recount(index)
            return
        self._stages[index] = Stage.DONE
        self._open -= 1
        for other in self._after[index]:
            self._left[other] -= 1
            if not self._left[other] and self._stages[other] is Stage.WAITING:
                self._offer(other)

    def again(self, index: int, *, alone: bool = False) -> None:
        """A step that is done has to be done again; `alone`: what came after it stays as it is."""
        left = [index]
        while left:
            one = left.pop()
            if self._stages[one] is Stage.RUNNING:
                self._stale.add(one)
            if self._stages[one] is not Stage.DONE:
                continue
            self._stages[one] = Stage.WAITING
            self._open += 1
            for other in self._after[one]:
                self._recount(other)
            self._recount(one)
            left += () if alone else self._after[one]

    def in_order(self, one: int, other: int) -> None:
        """Of two that both wait, the first listed begins first."""
        first, second = sorted((one, other))
        both = self._stages[first] is self._stages[second] is Stage.WAITING
        if both and second not in behind(self._before, first):
            self.wait_for(second, first)

    def keep_apart(self, one: int, other: int) -> None:
        """These two do not run at the same time from now on."""
        self._apart.add(frozenset((one, other)))

    def _recount(self, index: int) -> None:
        waits = sum(self._stages[other] is not Stage.DONE for other in self._before[index])
        self._left[index] = waits
        if self._stages[index] is Stage.WAITING and not waits:
            self._offer(index)
