"""Carries a plan out: the same fold of `decide`, with the commands executed in between."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.core.errors import MlpipeError, PathError, SourceError, SourceMovedError
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.decide import decide
from mlpipe_ci.run.attempt import Ending, begin, begin_again, finish
from mlpipe_ci.run.conflicts import Touched, collision
from mlpipe_ci.run.context import Bench
from mlpipe_ci.run.failures import Failures
from mlpipe_ci.run.fetch_inputs import supply
from mlpipe_ci.run.file_access import read_paths
from mlpipe_ci.run.ordering import Order
from mlpipe_ci.run.outcome import make_outcome, must_run, with_notes
from mlpipe_ci.run.resources import Room
from mlpipe_ci.run.reuse import Reuse
from mlpipe_ci.run.running import Collision, Crew
from mlpipe_ci.run.settings import IN_ORDER, Terms

Item = Decision | StepOutcome
MOST_MOVES = 3
"""How often a step is decided again as its source changes meanwhile."""
INTERRUPTED = ("the run was interrupted",)
WELL = (Status.SUCCEEDED, Status.REUSED)


class Runner:
    """One run. `planned`: what `make_plan` has decided a moment ago. It holds as long as no command
    was run. From then on inputs are looked at on the disk: what an earlier step wrote may have been
    changed by another since.

    `_damaged`: decisions for steps whose stored outputs could not be brought back. `_untold`: what
    ended, and was not yielded yet.
    """

    def __init__(
        self, bench: Bench, planned: tuple[Decision, ...] = (), terms: Terms = IN_ORDER
    ) -> None:
        self._bench, self._terms, self._steps = bench, terms, bench.workflow.steps
        self._order = Order(bench)
        self._schedule = self._order.schedule(terms.jobs)
        self._room, self._crew, self._reuse = (
            Room(terms.capacity),
            Crew(bench, many=terms.jobs > 1),
            Reuse(bench),
        )
        self._facts: dict[str, Mapping[str, Any] | None] = {}
        self._done: dict[str, StepOutcome] = {}
        self._failures = Failures(bench, self._order, keep_going=terms.keep_going)
        self._damaged: dict[str, Decision] = {}
        self._untold: dict[str, StepOutcome] = {}
        self._why: dict[str, str] = {}
        self._moved: dict[int, int] = {}
        self._known = {decision.step.id: decision for decision in planned if _is_certain(decision)}

    def run(self) -> Iterator[Item]:
        """Yield for each step its decision before, and its outcome after it was carried out.

        Where a stored result turns out to be damaged, a second decision follows the first; also
        later, if its outputs stayed in the cache until another step needed them; and where a step
        has read what another wrote at the same time. What the user can mend (a path, an expression)
        fails the step, not the run.
        """
        while True:
            while len(self._crew) < self._terms.jobs and (place := self._next()) is not None:
                yield from self._take(place)
                self._bench.interrupts.check()
            if len(self._crew):
                yield from self._wait()
                self._bench.interrupts.check()
            elif self._next() is None:
                break
        if not self._schedule.finished:
            raise RuntimeError("steps are left, none of them may begin, and none runs")

    def cancel(self) -> None:
        """The run was interrupted: end what runs. `end` waits for it."""
        for place in self._crew.places:
            self._bench.executor.cancel(self._steps[place].id)

    def end(self) -> Iterator[StepOutcome]:
        """Wait for what runs after `cancel`. What had ended by itself by then is kept."""
        while self._crew.busy:
            self._bench.executor.ready(None)
            with self._bench.interrupts.held():
                place, ending = self._finish()
                self._crew.remove(place, ending.touched)
        for outcome in self._untold.values():
            cancelled = outcome.status is Status.CANCELLED
            yield replace(outcome, reasons=INTERRUPTED) if cancelled else outcome

    def _next(self) -> int | None:
        return self._schedule.next(lambda place: self._room.fits(self._steps[place]))

    # -- a step begins --------------------------------------------------------------------------

    def _take(self, place: int) -> Iterator[Item]:
        """Decide a step; skip it, reuse its result, or start its command."""
        step = self._steps[place]
        self._schedule.begin(place)
        decision, outcome = Decision(step=step, action=Action.RUN, reasons=()), None
        in_the_way = self._failures.in_the_way(step)
        try:
            if not self._may_be_hashed(place):
                return
            decision = self._decision(step, in_the_way)
            if self._is_written_now(place, decision):
                return
            if decision.action is not Action.RUN:
                told = self._is_told(decision)
                if not told:
                    yield decision
                decision, outcome = self._without_command(decision, in_the_way)
                if told and outcome:
                    self._schedule.end(place)
                    return
            if outcome is None:
                if self._supply(place, tuple(self._reuse.needed_by(step))):
                    yield decision
                    self._start(place, supply(self._bench, decision))
                return
        except MlpipeError as error:
            if self._is_looked_at_again(place, error):
                return
            lacked = isinstance(error, SourceError)
            outcome = make_outcome(decision, Status.FAILED, notes=(str(error),), lacked=lacked)
        yield from self._end(place, decision, outcome)

    def _may_be_hashed(self, place: int) -> bool:
        """False if an `if` asks for files that have to be made first."""
        condition = self._steps[place].condition
        if not condition or "hashFiles" not in condition:
            return True
        return self._supply(place, tuple(self._reuse.held()))

    def _is_looked_at_again(self, place: int, error: MlpipeError) -> bool:
        """A source has changed since the step was decided, so it is decided anew; not for ever."""
        moves = self._moved.get(place, 0) + 1
        if not isinstance(error, SourceMovedError) or moves > MOST_MOVES:
            return False
        self._known, self._moved[place] = {}, moves
        self._schedule.later(place)
        return True

    def _decision(self, step: Step, in_the_way: tuple[str, ...]) -> Decision:
        damaged = self._damaged.get(step.id)
        if decision := damaged or self._known.get(step.id):
            return decision
        evidence = self._bench.witness.look(step, self._reuse.written, self._facts, in_the_way)
        if why := self._why.get(step.id, ""):  # its result may rest on what was there for a moment
            forced = decide(step, replace(evidence, forced=True))
            return replace(forced, reasons=(why,)) if forced.action is Action.RUN else forced
        return decide(step, evidence)

    def _is_told(self, decision: Decision) -> bool:
        """True if the step was looked at again, and what it did a moment ago still holds."""
        first = self._done.get(decision.step.id)
        return decision.action is Action.REUSE and first is not None and first.status in WELL

    def _is_written_now(self, place: int, decision: Decision) -> bool:
        """True if a stored result rests on what a step is writing: so it is looked at later."""
        if decision.result is None:
            return False
        reads = read_paths(decision.result.discovered)
        for other in self._crew.places:
            wrote = self._order.touched[other]
            if collision(decision.step, Touched(reads=reads), self._steps[other], wrote):
                self._schedule.wait_for(place, other)
                return True
        return False

    def _supply(self, place: int, needed: tuple[Decision, ...]) -> bool:
        """Bring back what reused steps wrote; where that is damaged, that step runs first."""
        for decision in needed:
            try:
                self._reuse.bring(decision)
            except DamagedError as error:
                other = self._bench.workflow.places[decision.step.id]
                self._damaged[decision.step.id] = must_run(decision, error)
                self._schedule.again(other, alone=True)
                self._schedule.wait_for(place, other)
                return False
        return True

    def _without_command(
        self, decision: Decision, in_the_way: tuple[str, ...]
    ) -> tuple[Decision, StepOutcome | None]:
        """Skip or reuse; no outcome if the command has to run after all. Raises PathError."""
        if decision.action is Action.SKIP:
            status = Status.BLOCKED if in_the_way else Status.SKIPPED
            return decision, make_outcome(decision, status)
        if decision.result is None:
            return decision, None
        try:
            outcome = self._reuse.take(decision, decision.result)
        except DamagedError as error:
            return must_run(decision, error), None
        touched = Touched(reads=read_paths(decision.result.discovered))
        place = self._bench.workflow.places[decision.step.id]
        self._crew.reused(place, touched, wrote=self._reuse.wrote)
        return decision, outcome

    def _start(self, place: int, decision: Decision) -> None:
        """Start the command. Raises PathError."""
        step = decision.step
        gpus = self._room.take(step)
        self._known = {}
        self._why.pop(step.id, None)
        self._damaged.pop(step.id, None)
        with self._bench.interrupts.held():
            try:
                attempt = begin(self._bench, decision, gpus if self._terms.jobs > 1 else ())
            except BaseException:
                self._room.give(step)
                raise
            self._crew.add(place, attempt)

    # -- a command ends -------------------------------------------------------------------------

    def _wait(self) -> Iterator[Item]:
        """Wait for a command; keep what it wrote; try those again that are to be tried again."""
        if self._crew.wait():
            yield from self._ended()
            return
        for place, attempt in self._crew.overdue():
            step = attempt.decision.step
            try:
                if self._failures.ends(place):
                    raise PathError("another combination of its matrix has failed")
                with self._bench.interrupts.held():
                    self._crew.add(place, begin_again(self._bench, attempt))
            except MlpipeError as error:
                status = Status.CANCELLED if self._failures.ends(place) else Status.FAILED
                failed = make_outcome(attempt.decision, status, notes=(str(error),))
                self._room.give(step)
                self._crew.remove(place, Touched())
                yield from self._end(place, attempt.decision, failed)

    def _finish(self) -> tuple[int, Ending]:
        """A command has ended: keep what it wrote, or put back what was there before."""
        ended = self._bench.executor.take()
        place = self._bench.workflow.places[ended.job.id]
        ending = finish(self._bench, self._crew.attempt(place), ended)
        self._untold[ended.job.id] = ending.outcome
        return place, ending

    def _ended(self) -> Iterator[Item]:
        with self._bench.interrupts.held():
            place, ending = self._finish()
        attempt, outcome = self._crew.attempt(place), ending.outcome
        step, decision = attempt.decision.step, attempt.decision
        failed = outcome.exit_code != 0 and outcome.status is not Status.CANCELLED
        if failed and attempt.number <= step.retries and not self._failures.ends(place):
            self._crew.delay(place, 2 ** (attempt.number - 1), ending.touched)
            del self._untold[step.id]
            return
        self._room.give(step)
        found = self._crew.remove(place, ending.touched)
        mine = next((one for one in found if one.reader == place), None)
        if outcome.status is Status.CANCELLED and not self._failures.ends(place):
            self._schedule.end(place)  # what it was ended for was no failure
            yield outcome
        elif mine and outcome.broke:
            note = f"{self._because(mine)}; it runs again after that"
            self._schedule.end(place)
            yield replace(outcome, notes=(*outcome.notes, note))
        else:
            yield from self._end(place, decision, outcome)
        for one in found:
            self._again(one)
        for one in found:
            self._schedule.in_order(one.reader, one.writer)

    def _because(self, one: Collision) -> str:
        return f"it used {one.path}, which {self._steps[one.writer].name} wrote at the same time"

    def _again(self, one: Collision) -> None:
        """Who read what was written beside it, and all that came after it, is looked at again."""
        reader, writer = self._steps[one.reader], self._steps[one.writer]
        for step in (reader, writer):
            self._bench.state.share(self._bench.workflow.file, step.id, one.path)
        self._why[reader.id] = self._because(one)
        if (ended := self._failures.forget(one.reader)) is not None:
            self._unblock(ended)
        self._known = {}
        self._schedule.keep_apart(one.reader, one.writer)
        self._schedule.again(one.reader)
        if one.writer in self._crew.places:
            self._schedule.wait_for(one.reader, one.writer)

    def _unblock(self, ended: set[int]) -> None:
        """What a failure stopped that may be none is looked at again; `ended`: siblings."""
        for step, outcome in self._done.items():
            place = self._bench.workflow.places[step]
            if outcome.status is Status.BLOCKED:
                self._schedule.again(place)
        for place in ended:  # one may run still, and end soon
            self._schedule.again(place)

    def _end(self, place: int, decision: Decision, outcome: StepOutcome) -> Iterator[Item]:
        step = decision.step
        outcome = with_notes(decision, self._bench.weigh(outcome), self._room.lacking(step))
        self._facts[step.id], self._done[step.id] = outcome.facts, outcome
        if outcome.broke or outcome.status not in {Status.REUSED, Status.SKIPPED}:
            self._known = {}
        self._schedule.end(place)
        self._failures.add(outcome)
        for sibling in self._failures.siblings(step, self._crew.places) if outcome.broke else ():
            self._bench.executor.cancel(self._steps[sibling].id)
            self._crew.hurry(sibling)
        yield outcome
        self._untold.pop(step.id, None)


def _is_certain(decision: Decision) -> bool:
    """An `if` may ask for files that are restored by then, and MAYBE is no decision."""
    return decision.step.condition is None and decision.action is not Action.MAYBE
