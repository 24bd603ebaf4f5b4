"""The steps that run now: their commands, when one is tried again, and what ran beside what."""

import time
from collections.abc import Iterator
from dataclasses import replace

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.run import StepOutcome
from mlpipe_ci.run.conflicts import NOTHING, FileAccess, conflict, with_writes
from mlpipe_ci.run.context import RunContext

UNKNOWN = FileAccess()


@frozen
class Attempt:
    """A command that was started. `number` counts from 1; `more`: what the step wrote last time
    without declaring it, and is set aside as well; `gpus`: those that it may use.
    """

    decision: Decision
    number: int
    more: tuple[str, ...]
    notes: tuple[str, ...]
    gpus: tuple[str, ...] = ()


@frozen
class AttemptResult:
    """How an attempt ended. `access`: what it was seen to read and write."""

    outcome: StepOutcome
    access: FileAccess


@frozen
class Conflict:
    """Two steps ran at the same time (their places), and one read a path that the other wrote."""

    reader: int
    writer: int
    path: str


class StepExecution:
    """One execution of a step, or of its result's reuse (without an attempt), with those that ran
    beside it. `access`: known once it is over; `before`: by earlier attempts; `wrote`: it changed
    the work tree.
    """

    def __init__(self, index: int, attempt: Attempt | None) -> None:
        self.index, self.attempt = index, attempt
        self.beside: list[StepExecution] = []
        self.access: FileAccess | None = None
        self.before = UNKNOWN
        self.wrote = True


class RunningSteps:
    """Commands that were started and whose step is not done.

    Where `many` may run at once, also what those that are done rest on: one listed before them may
    still write that.
    """

    def __init__(self, context: RunContext, *, many: bool) -> None:
        self._context, self._many = context, many
        self._done: dict[int, StepExecution] = {}
        self._running: dict[int, StepExecution] = {}
        self._due: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def busy(self) -> bool:
        """True if a command runs, and not only waits to be tried again."""
        return len(self._running) > len(self._due)

    @property
    def delayed(self) -> int:
        """How many commands wait to be tried again."""
        return len(self._due)

    @property
    def indexes(self) -> tuple[int, ...]:
        """Of the steps, in the workflow."""
        return tuple(self._running)

    def add(self, index: int, attempt: Attempt) -> None:
        """A step's command has been started, for the first time or again."""
        if known := self._running.get(index):
            known.attempt = attempt
            return
        new = StepExecution(index, attempt)
        for other in self._running.values():
            other.beside.append(new)
            new.beside.append(other)
        self._running[index] = new

    def reused(self, index: int, access: FileAccess, *, wrote: bool) -> None:
        """A step's result was reused; others, now or later, may write what it rests on."""
        new = StepExecution(index, None)
        new.access, new.wrote = access, wrote
        self._done[index] = new
        for other in self._running.values():
            other.beside.append(new)
            new.beside.append(other)

    def delay(self, index: int, seconds: float, access: FileAccess) -> None:
        """The command failed, and is tried again after so many seconds."""
        self._due[index] = time.monotonic() + seconds
        one = self._running[index]
        one.before = with_writes(one.before, access)

    def retry_now(self, index: int) -> None:
        """It is not waited for any longer that the step is tried again."""
        if index in self._due:
            self._due[index] = 0.0

    def wait(self) -> bool:
        """Wait until a command has ended (True), or one is to be tried again (see `due`)."""
        if not self._due:
            return self._context.executor.wait(None)
        left = max(0.0, min(self._due.values()) - time.monotonic())
        if self.busy:
            return self._context.executor.wait(left)
        self._context.sleep(left)
        return False

    def due(self) -> Iterator[tuple[int, Attempt]]:
        """What is to be tried again now, at least the first of them."""
        now = max(time.monotonic(), min(self._due.values(), default=0.0))
        for index in [position for position, due in self._due.items() if due <= now]:
            del self._due[index]
            yield index, self.attempt(index)

    def attempt(self, index: int) -> Attempt:
        """The command of a step that runs."""
        attempt = self._running[index].attempt
        if attempt is None:
            raise RuntimeError("a reused step has no command")
        return attempt

    def remove(self, index: int, access: FileAccess) -> tuple[Conflict, ...]:
        """The step is done. Returns where it and those that ran beside it were in their way."""
        one = self._running.pop(index)
        one.access = with_writes(access, one.before)
        found = [hit for other in one.beside for hit in self._collisions(one, other)]
        found += [hit for other in self._too_early(one) for hit in self._collisions(one, other)]
        self._done[index] = one
        for other in one.beside:
            if other.access is not None and not any(o.access is None for o in other.beside):
                other.beside = []  # all is said about it: so that it can be freed
        return tuple(found)

    def _too_early(self, one: StepExecution) -> Iterator[StepExecution]:
        """Those listed after it that were done before it began: what they read may be old."""
        for other in self._done.values() if self._many else ():
            if other.index > one.index and other not in one.beside and other.access:
                earlier = StepExecution(other.index, None)
                earlier.access = replace(other.access, writes=NOTHING, appends=NOTHING)
                earlier.wrote = False
                yield earlier

    def _collisions(self, one: StepExecution, other: StepExecution) -> Iterator[Conflict]:
        steps = self._context.workflow.steps
        for reader, writer in ((one, other), (other, one)):
            same = reader.index == writer.index
            if reader.access is None or same or not writer.wrote:
                continue
            wrote = writer.access or UNKNOWN
            path = conflict(steps[reader.index], reader.access, steps[writer.index], wrote)
            if path:
                yield Conflict(reader=reader.index, writer=writer.index, path=path)
