"""The steps that run now: their commands, when one is tried again, and what ran beside what."""

import time
from collections.abc import Iterator
from dataclasses import replace

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.run.attempt import Attempt
from mlpipe_ci.run.conflicts import NOTHING, Touched, collision, with_writes
from mlpipe_ci.run.context import Bench

UNKNOWN = Touched()


@frozen
class Collision:
    """Two steps ran at the same time (their places), and one read a path that the other wrote."""

    reader: int
    writer: int
    path: str


class Execution:
    """One execution of a step, or of its result's reuse (without an attempt), with those that ran
    beside it. `touched`: known once it is over; `before`: by earlier attempts; `wrote`: it changed
    the work tree.
    """

    def __init__(self, place: int, attempt: Attempt | None) -> None:
        self.place, self.attempt = place, attempt
        self.beside: list[Execution] = []
        self.touched: Touched | None = None
        self.before = UNKNOWN
        self.wrote = True


class Crew:
    """Commands that were started and whose step is not done.

    Where `many` may run at once, also what those that are done rest on: one listed before them may
    still write that.
    """

    def __init__(self, bench: Bench, *, many: bool) -> None:
        self._bench, self._many = bench, many
        self._done: dict[int, Execution] = {}
        self._running: dict[int, Execution] = {}
        self._due: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def busy(self) -> bool:
        """True if a command runs, and not only waits to be tried again."""
        return len(self._running) > len(self._due)

    @property
    def places(self) -> tuple[int, ...]:
        """Of the steps, in the workflow."""
        return tuple(self._running)

    def add(self, place: int, attempt: Attempt) -> None:
        """A step's command has been started, for the first time or again."""
        if known := self._running.get(place):
            known.attempt = attempt
            return
        new = Execution(place, attempt)
        for other in self._running.values():
            other.beside.append(new)
            new.beside.append(other)
        self._running[place] = new

    def reused(self, place: int, touched: Touched, *, wrote: bool) -> None:
        """A step's result was reused; others, now or later, may write what it rests on."""
        new = Execution(place, None)
        new.touched, new.wrote = touched, wrote
        self._done[place] = new
        for other in self._running.values():
            other.beside.append(new)
            new.beside.append(other)

    def delay(self, place: int, seconds: float, touched: Touched) -> None:
        """The command failed, and is tried again after so many seconds."""
        self._due[place] = time.monotonic() + seconds
        one = self._running[place]
        one.before = with_writes(one.before, touched)

    def hurry(self, place: int) -> None:
        """It is not waited for any longer that the step is tried again."""
        if place in self._due:
            self._due[place] = 0.0

    def wait(self) -> bool:
        """Wait until a command has ended (True), or one is to be tried again (see `overdue`)."""
        if not self._due:
            return self._bench.executor.ready(None)
        left = max(0.0, min(self._due.values()) - time.monotonic())
        if self.busy:
            return self._bench.executor.ready(left)
        self._bench.sleep(left)
        return False

    def overdue(self) -> Iterator[tuple[int, Attempt]]:
        """What is to be tried again now, at least the first of them."""
        now = max(time.monotonic(), min(self._due.values(), default=0.0))
        for place in [place for place, due in self._due.items() if due <= now]:
            del self._due[place]
            yield place, self.attempt(place)

    def attempt(self, place: int) -> Attempt:
        """The command of a step that runs."""
        attempt = self._running[place].attempt
        if attempt is None:
            raise RuntimeError("a reused step has no command")
        return attempt

    def remove(self, place: int, touched: Touched) -> tuple[Collision, ...]:
        """The step is done. Returns where it and those that ran beside it were in their way."""
        one = self._running.pop(place)
        one.touched = with_writes(touched, one.before)
        found = [hit for other in one.beside for hit in self._collisions(one, other)]
        found += [hit for other in self._too_early(one) for hit in self._collisions(one, other)]
        self._done[place] = one
        for other in one.beside:
            if other.touched is not None and not any(o.touched is None for o in other.beside):
                other.beside = []  # all is said about it: so that it is not kept for ever
        return tuple(found)

    def _too_early(self, one: Execution) -> Iterator[Execution]:
        """Those listed after it that were done before it began: what they read may be old."""
        for other in self._done.values() if self._many else ():
            if other.place > one.place and other not in one.beside and other.touched:
                earlier = Execution(other.place, None)
                earlier.touched = replace(other.touched, writes=NOTHING, appends=NOTHING)
                earlier.wrote = False
                yield earlier

    def _collisions(self, one: Execution, other: Execution) -> Iterator[Collision]:
        steps = self._bench.workflow.steps
        for reader, writer in ((one, other), (other, one)):
            same = reader.place == writer.place
            if reader.touched is None or same or not writer.wrote:
                continue
            wrote = writer.touched or UNKNOWN
            path = collision(steps[reader.place], reader.touched, steps[writer.place], wrote)
            if path:
                yield Collision(reader=reader.place, writer=writer.place, path=path)
