"""Carries a plan out: the same fold of `decide`, with the commands executed in between."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.core.errors import MlpipeError, PathError, SourceChangedError, SourceError
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.decide import decide
from mlpipe_ci.run.conflicts import FileAccess, conflict
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.failures import Failures
from mlpipe_ci.run.file_access import read_paths
from mlpipe_ci.run.later_outputs import LaterOutputs
from mlpipe_ci.run.ordering import StepOrder
from mlpipe_ci.run.outcome import make_outcome, rerun_damaged, rerun_here, with_notes
from mlpipe_ci.run.resources import ResourcePool
from mlpipe_ci.run.reuse import OutputReuse
from mlpipe_ci.run.running import AttemptResult, Conflict, RunningSteps
from mlpipe_ci.run.settings import IN_ORDER, RunSettings

Update = Decision | StepOutcome
MOST_SOURCE_CHANGES = 3
"""How often a step is decided again as its source changes meanwhile."""
INTERRUPTED = ("the run was interrupted",)
SUCCESSFUL = (Status.SUCCEEDED, Status.REUSED)


class Runner:
    """One run. `planned`: what `make_plan` has decided a moment ago. It holds as long as no command
    was run. From then on inputs are looked at on the disk: what an earlier step wrote may have been
    changed by another since.
    """

    def __init__(
        self,
        context: RunContext,
        planned: tuple[Decision, ...] = (),
        settings: RunSettings = IN_ORDER,
    ) -> None:
        self._context, self._settings, self._steps = context, settings, context.workflow.steps
        self._step_order = StepOrder(context)
        self._scheduler = self._step_order.schedule(settings.jobs)
        self._pool, self._running, self._reuse = (
            ResourcePool(settings.capacity),
            RunningSteps(context, many=settings.jobs > 1),
            OutputReuse(context),
        )
        self._failures = Failures(context, self._step_order, keep_going=settings.keep_going)
        self._later = LaterOutputs(context)

        # By the id of a step:
        # What an `if` may ask of a step that is done.
        self._facts: dict[str, Mapping[str, Any] | None] = {}
        # How a step ended that is done; it may have to run again.
        self._done: dict[str, StepOutcome] = {}
        # The decision to run, as the stored outputs could not be restored.
        self._damaged: dict[str, Decision] = {}
        # How a command ended, until that is yielded.
        self._unreported: dict[str, StepOutcome] = {}
        # Why a step runs again: it read what another one wrote at the same time.
        self._rerun_reasons: dict[str, str] = {}
        # Steps whose decision to run was yielded, and their outcome was not.
        self._begun: set[str] = set()
        # The last outcome that was yielded.
        self._reported: dict[str, StepOutcome] = {}
        # How often, by index, a source changed between the decision and the fetch.
        self._source_changes: dict[int, int] = {}
        # Decisions of the plan; they hold until a command runs.
        self._planned = {one.step.id: one for one in planned if _is_certain(one)}

    def run(self) -> Iterator[Update]:
        """Yield for each step its decision before, and its outcome after it was carried out.

        Where a stored result turns out to be damaged, a second decision follows the first; also
        later, if its outputs stayed in the cache until another step needed them; and where a step
        has read what another wrote at the same time. What the user can mend (a path, an expression)
        fails the step, not the run.
        """
        for update in self._updates():
            if isinstance(update, StepOutcome):
                self._record(update)
            elif update.action is Action.RUN:
                self._begun.add(update.step.id)
            yield update

    def _record(self, outcome: StepOutcome) -> None:
        self._begun.discard(outcome.step.id)
        self._reported[outcome.step.id] = outcome

    def _updates(self) -> Iterator[Update]:
        while True:
            while self._has_room() and (index := self._next()) is not None:
                yield from self._take(index)
                self._context.interrupts.check()
            if len(self._running):
                yield from self._wait()
                self._context.interrupts.check()
            elif self._next() is None:
                break
        if not self._scheduler.finished:
            raise RuntimeError("steps are left, none of them may begin, and none runs")

    def cancel(self) -> None:
        """The run was interrupted: end what runs. `end` waits for it."""
        for index in self._running.indexes:
            self._context.executor.cancel(self._steps[index].id)

    def end(self) -> Iterator[StepOutcome]:
        """Wait for running commands after `cancel`; what finished on its own is saved."""
        while self._context.executor.wait(None):
            with self._context.interrupts.deferred():
                index, attempt_result = self._finish()
                self._running.remove(index, attempt_result.access)
        for outcome in self._unreported.values():
            cancelled = outcome.status is Status.CANCELLED
            reported = replace(outcome, reasons=INTERRUPTED) if cancelled else outcome
            self._record(reported)
            yield reported

    def cancelled(self, put_back: Mapping[str, tuple[str, ...]]) -> Iterator[StepOutcome]:
        """After `end`, of the steps without an outcome: those that ran are cancelled, those that
        would have run are blocked. `put_back`: paths of old outputs that are in place again.
        """
        for step in self._steps:
            ran = step.id in self._begun
            if step.id in self._reported and not ran:
                continue
            back = put_back.get(step.id)
            outcome = StepOutcome(
                step=step,
                status=Status.CANCELLED if ran else Status.BLOCKED,
                reasons=INTERRUPTED,
                notes=(f"put back from before: {', '.join(back)}",) if back else (),
            )
            self._record(outcome)
            yield outcome

    @property
    def outcomes(self) -> tuple[StepOutcome, ...]:
        """Those that were yielded, in the order of the steps."""
        known = self._reported
        return tuple(known[step.id] for step in self._steps if step.id in known)

    def _has_room(self) -> bool:
        """True if another command may be started. One that waits to be retried counts as
        running.
        """
        if len(self._running) >= self._settings.jobs:
            return False
        return self._context.executor.free() > self._running.delayed

    def _next(self) -> int | None:
        return self._scheduler.next(lambda index: self._pool.fits(self._steps[index]))

    # -- a step begins --------------------------------------------------------------------------

    def _take(self, index: int) -> Iterator[Update]:
        """Decide a step; skip it, reuse its result, or start its command."""
        step = self._steps[index]
        self._scheduler.begin(index)
        decision, outcome = Decision(step=step, action=Action.RUN, reasons=()), None
        blocked_by = self._failures.blocking(step)
        try:
            self._bring_in_sight([index])
            if not self._may_be_hashed(index):
                return  # another step runs first; this one is decided again after it
            decision = self._decision(step, blocked_by)
            if self._is_written_now(index, decision):
                return  # decided again once the step that writes it is done
            if decision.action is not Action.RUN:
                repeated = self._still_holds(decision)
                if not repeated:
                    yield decision
                decision, outcome = self._without_command(decision, blocked_by)
                if repeated and outcome:
                    self._scheduler.end(index)
                    return
            if outcome is None:
                if self._has_all_it_reads(index, decision):
                    yield decision
                    self._start(index, decision)
                return  # its command runs now; or another step first, and this one later
        except MlpipeError as error:
            if self._is_looked_at_again(index, error):
                return  # decided again at once
            lacked = isinstance(error, SourceError)
            outcome = make_outcome(
                decision, Status.FAILED, notes=(str(error),), source_unavailable=lacked
            )
        yield from self._end(index, decision, outcome)

    def _may_be_hashed(self, index: int) -> bool:
        """False if an `if` asks for files that have to be made first."""
        condition = self._steps[index].condition
        if not condition or "hashFiles" not in condition:
            return True
        return self._bring_back(index, tuple(self._reuse.deferred()))

    def _is_looked_at_again(self, index: int, error: MlpipeError) -> bool:
        """A source has changed since the step was decided, so it is decided anew; not for ever."""
        changes = self._source_changes.get(index, 0) + 1
        if not isinstance(error, SourceChangedError) or changes > MOST_SOURCE_CHANGES:
            return False
        self._planned, self._source_changes[index] = {}, changes
        self._scheduler.later(index)
        return True

    def _decision(self, step: Step, blocked_by: tuple[str, ...]) -> Decision:
        damaged = self._damaged.get(step.id)
        if decision := damaged or self._planned.get(step.id):
            return decision
        evidence = self._context.evidence.collect(
            step, self._reuse.written, self._facts, blocked_by
        )
        if why := self._rerun_reasons.get(
            step.id, ""
        ):  # its result may rest on what was there for a moment
            forced = decide(step, replace(evidence, forced=True))
            return replace(forced, reasons=(why,)) if forced.action is Action.RUN else forced
        return decide(step, evidence)

    def _still_holds(self, decision: Decision) -> bool:
        """True if the step was looked at again, and what it did a moment ago still holds."""
        first = self._done.get(decision.step.id)
        return decision.action is Action.REUSE and first is not None and first.status in SUCCESSFUL

    def _is_written_now(self, index: int, decision: Decision) -> bool:
        """True if a stored result rests on what a step is writing: so it is looked at later."""
        if decision.result is None:
            return False
        reads = read_paths(decision.result.discovered)
        for other in self._running.indexes:
            wrote = self._step_order.touched[other]
            if conflict(decision.step, FileAccess(reads=reads), self._steps[other], wrote):
                self._scheduler.wait_for(index, other)
                return True
        return False

    def _bring_back(self, index: int, needed: tuple[Decision, ...]) -> bool:
        """Bring back what reused steps wrote; where that is damaged, that step runs first."""
        for decision in needed:
            try:
                self._reuse.restore(decision)
            except DamagedError as error:
                other = self._context.workflow.index_by_id[decision.step.id]
                self._damaged[decision.step.id] = rerun_damaged(decision, error)
                self._scheduler.again(other, alone=True)
                self._scheduler.wait_for(index, other)
                return False
        return True

    def _has_all_it_reads(self, index: int, decision: Decision) -> bool:
        """False if another step runs first: what it left is damaged, or names another directory."""
        found = True
        for made, path in self._reuse.made_elsewhere(decision):
            other = self._context.workflow.index_by_id[made.step.id]
            self._damaged[made.step.id] = rerun_here(made, path, decision.step)
            self._planned, found = {}, False
            self._scheduler.again(other)
            self._scheduler.wait_for(index, other)
        return found and self._bring_back(index, tuple(self._reuse.deferred_for(decision.step)))

    def _without_command(
        self, decision: Decision, blocked_by: tuple[str, ...]
    ) -> tuple[Decision, StepOutcome | None]:
        """Skip or reuse; no outcome if the command has to run after all. Raises PathError."""
        if decision.action is Action.SKIP:
            status = Status.BLOCKED if blocked_by else Status.SKIPPED
            return decision, make_outcome(decision, status)
        if decision.result is None:
            return decision, None
        try:
            outcome = self._reuse.take(decision, decision.result)
        except DamagedError as error:
            return rerun_damaged(decision, error), None
        access = FileAccess(reads=read_paths(decision.result.discovered))
        index = self._context.workflow.index_by_id[decision.step.id]
        self._running.reused(index, access, wrote=self._reuse.wrote)
        return decision, outcome

    def _start(self, index: int, decision: Decision) -> None:
        """Bring what the command reads, and start it. Raises MlpipeError."""
        from mlpipe_ci.run import attempt, fetch_inputs  # noqa: PLC0415 - if nothing runs, not needed

        step = decision.step
        decision = fetch_inputs.fetch_inputs(self._context, decision)
        gpus = self._pool.acquire(step)
        self._planned = {}
        self._rerun_reasons.pop(step.id, None)
        self._damaged.pop(step.id, None)
        with self._context.interrupts.deferred():
            try:
                self._hide_later(index)
                mine = gpus if self._settings.jobs > 1 else ()
                started = attempt.start(self._context, decision, mine)
            except BaseException:
                self._pool.release(step)
                raise
            self._running.add(index, started)

    def _hide_later(self, index: int) -> None:
        """What later steps have left is not there for a step that runs: as in a fresh clone.

        But for what runs now and, where many run at once, for what the next may need of a step that
        is done. Raises PathError.
        """
        done = self._places_of_done() if self._settings.jobs > 1 else ()
        in_use = {*self._running.indexes, *done}
        try:
            self._later.hide(index, in_use)
        except OSError as error:
            raise PathError(f"'{error.filename}' cannot be moved: {error.strerror}") from error

    def _bring_in_sight(self, indexes: Iterable[int]) -> None:
        """Raises PathError."""
        try:
            with self._context.interrupts.deferred():
                self._later.show(indexes)
        except OSError as error:
            raise PathError(f"'{error.filename}' cannot be moved: {error.strerror}") from error

    def _places_of_done(self) -> list[int]:
        return [self._context.workflow.index_by_id[step] for step in self._done]

    # -- a command ends -------------------------------------------------------------------------

    def _wait(self) -> Iterator[Update]:
        """Wait for a command and save what it wrote; retry those that are due."""
        if self._running.wait():
            yield from self._ended()
            return
        from mlpipe_ci.run.attempt import retry  # noqa: PLC0415 - see `_start`

        for index, attempt in self._running.due():
            step = attempt.decision.step
            try:
                if self._failures.ends(index):
                    raise PathError("another combination of its matrix has failed")
                with self._context.interrupts.deferred():
                    self._running.add(index, retry(self._context, attempt))
            except MlpipeError as error:
                status = Status.CANCELLED if self._failures.ends(index) else Status.FAILED
                failed = make_outcome(attempt.decision, status, notes=(str(error),))
                self._pool.release(step)
                self._running.remove(index, FileAccess())
                yield from self._end(index, attempt.decision, failed)

    def _finish(self) -> tuple[int, AttemptResult]:
        """A command has ended: save what it wrote, or put back what was there before."""
        from mlpipe_ci.run.attempt import finish  # noqa: PLC0415 - see `_start`

        ended = self._context.executor.result()
        self._context.discovery.checker.on_disk(self._reuse.written)
        index = self._context.workflow.index_by_id[ended.job.id]
        attempt_result = finish(self._context, self._running.attempt(index), ended)
        self._unreported[ended.job.id] = attempt_result.outcome
        return index, attempt_result

    def _ended(self) -> Iterator[Update]:
        with self._context.interrupts.deferred():
            index, attempt_result = self._finish()
        attempt, outcome = self._running.attempt(index), attempt_result.outcome
        step, decision = attempt.decision.step, attempt.decision
        failed = outcome.execution.exit_code != 0 and outcome.status is not Status.CANCELLED
        if failed and attempt.number <= step.retries and not self._failures.ends(index):
            self._running.delay(index, 2 ** (attempt.number - 1), attempt_result.access)
            del self._unreported[step.id]
            return
        self._pool.release(step)
        found = self._running.remove(index, attempt_result.access)
        if not self._running:
            self._bring_in_sight(self._places_of_done())
        mine = next((one for one in found if one.reader == index), None)
        if outcome.status is Status.CANCELLED and not self._failures.ends(index):
            self._scheduler.end(index)  # what it was ended for was no failure
            yield outcome
        elif mine and outcome.fails_run:
            note = f"{self._because(mine)}; it runs again after that"
            self._scheduler.end(index)
            yield replace(outcome, notes=(*outcome.notes, note))
        else:
            yield from self._end(index, decision, outcome)
        for one in found:
            self._again(one)
        for one in found:
            self._scheduler.in_order(one.reader, one.writer)

    def _because(self, one: Conflict) -> str:
        return f"it used {one.path}, which {self._steps[one.writer].name} wrote at the same time"

    def _again(self, one: Conflict) -> None:
        """Who read what was written beside it, and all that came after it, is looked at again."""
        reader, writer = self._steps[one.reader], self._steps[one.writer]
        for step in (reader, writer):
            self._context.cache.state.share(self._context.workflow.file, step.id, one.path)
        self._rerun_reasons[reader.id] = self._because(one)
        if (ended := self._failures.forget(one.reader)) is not None:
            self._unblock(ended)
        self._planned = {}
        self._scheduler.keep_apart(one.reader, one.writer)
        self._scheduler.again(one.reader)
        if one.writer in self._running.indexes:
            self._scheduler.wait_for(one.reader, one.writer)

    def _unblock(self, ended: set[int]) -> None:
        """What a failure stopped that may be none is looked at again; `ended`: siblings."""
        for step, outcome in self._done.items():
            index = self._context.workflow.index_by_id[step]
            if outcome.status is Status.BLOCKED:
                self._scheduler.again(index)
        for index in ended:  # one may run still, and end soon
            self._scheduler.again(index)

    def _end(self, index: int, decision: Decision, outcome: StepOutcome) -> Iterator[Update]:
        step = decision.step
        outcome = with_notes(decision, self._context.evaluate(outcome), self._pool.shortage(step))
        self._facts[step.id], self._done[step.id] = outcome.facts, outcome
        if outcome.fails_run or outcome.status not in {Status.REUSED, Status.SKIPPED}:
            self._planned = {}
        self._scheduler.end(index)
        self._failures.add(outcome)
        for sibling in (
            self._failures.siblings(step, self._running.indexes) if outcome.fails_run else ()
        ):
            self._context.executor.cancel(self._steps[sibling].id)
            self._running.retry_now(sibling)
        yield outcome
        self._unreported.pop(step.id, None)


def _is_certain(decision: Decision) -> bool:
    """An `if` may ask for files that are restored by then, and MAYBE is no decision."""
    return decision.step.condition is None and decision.action is not Action.MAYBE
