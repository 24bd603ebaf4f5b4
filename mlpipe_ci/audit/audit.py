"""The audit: reused steps run again in a copy, and what they leave is compared with results."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpipe_ci.audit.causes import find_causes
from mlpipe_ci.audit.choose import Choice, chosen, why_not_again
from mlpipe_ci.audit.comparison import Comparer
from mlpipe_ci.audit.contents import Contents
from mlpipe_ci.audit.places import WorkTreeGuard, names_of_clone
from mlpipe_ci.audit.rerun import AS_IT_IS, Changes, Rerun, run_again
from mlpipe_ci.audit.scratch import Scratch
from mlpipe_ci.audit.scratch_tree import ScratchTree
from mlpipe_ci.audit.time_stamps import Window
from mlpipe_ci.audit.unseen import unseen_inputs
from mlpipe_ci.cache import audits
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.core.audit import AuditReport, OutputDifference, StepAudit, Verdict
from mlpipe_ci.core.cache_key import differences
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.lineage import CONTENTS
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.platform import platform_of, shown_platform
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.git import second_directory
from mlpipe_ci.tracing.discovery.platform import this_platform

SHOWN = 5
OpenCopy = Callable[[Scratch, Step], Session]
"""Opens a session in the copy in which only this step counts, and runs."""


@frozen
class AuditSettings:
    """`tolerance`: relative, of the numbers in metrics files; 0: none."""

    choice: Choice = Choice()
    tolerance: float = 0.0


class Audit:
    """One audit. `say`: gets what goes on."""

    def __init__(
        self,
        session: Session,
        plan: Plan,
        scratch: Scratch,
        open_copy: OpenCopy,
        say: Callable[[str], None],
    ) -> None:
        self._session, self._plan, self._scratch = session, plan, scratch
        self._open_copy, self._say = open_copy, say
        self._contents = Contents(session=session, plan=plan)
        self._tree = ScratchTree(scratch.work, session.cache.store)
        self._started = time.monotonic()
        self._deadline: float | None = None

    def run(self, settings: AuditSettings) -> AuditReport:
        """Audit what is to be audited. Raises InterruptedRunError, PathError."""
        choice = settings.choice
        if choice.budget is not None:
            self._deadline = self._started + choice.budget
        reasons = self._left_out(choice)
        cache = self._session.cache
        known = {id_: one for id_, one in self._contents.results.items() if id_ not in reasons}
        last = {i: audits.last_audit(cache.store, cache.scopes, one) for i, one in known.items()}
        taken, not_taken = chosen(known, last, choice)
        reasons |= not_taken
        if taken:
            self._prepare()
        found = []
        for decision in self._plan.decisions:
            if reasons.get(decision.step.id):
                found.append(_left_out(decision, reasons[decision.step.id]))
            elif decision.step.id in taken:
                found.append(self._step(decision, settings))
        cache.store.finish()
        git = self._session.repo.git
        return AuditReport(
            workflow=self._plan.workflow.name,
            file=self._plan.workflow.file,
            head=(git.head() if git else None) or "",
            steps=tuple(found),
            tolerance=settings.tolerance,
            seconds=time.monotonic() - self._started,
        )

    def _left_out(self, choice: Choice) -> dict[str, str]:
        found: dict[str, str] = {}
        for decision in self._plan.decisions:
            is_named = choice.named is not None and decision.step.id in choice.named
            if choice.named is not None and not is_named:
                found[decision.step.id] = ""  # nobody asked for it
            elif why := why_not_again(decision, named=is_named):
                found[decision.step.id] = why
        return found

    def _prepare(self) -> None:
        git = self._session.repo.git
        try:
            if git is not None:
                second_directory(git, self._scratch.work)
        except OSError as error:
            raise PathError(f"'{error.filename}' cannot be copied: {error.strerror}") from error

    def _step(self, decision: Decision, settings: AuditSettings) -> StepAudit:
        step, result = decision.step, self._contents.results[decision.step.id]
        if self._deadline is not None and time.monotonic() + result.seconds > self._deadline:
            return _left_out(decision, "the budget is used up")
        self._say(f"▶ {step.name}  runs again in a copy")
        try:
            found = _OneStep(self, decision, result, settings).audit()
        except (DamagedError, PathError) as error:
            found = _ended(decision, result, Verdict.FAILED, f"it cannot be run again: {error}")
        except OSError as error:
            reason = error.strerror or str(error)
            why = f"it cannot be run again: {reason} ({error.filename or self._scratch.top})"
            found = _ended(decision, result, Verdict.FAILED, why)
        if found.verdict in {Verdict.IDENTICAL, Verdict.DIFFERENT}:
            self._remember(result, found)
        return found

    def _remember(self, result: Result, found: StepAudit) -> None:
        try:
            identical = found.verdict is Verdict.IDENTICAL
            cache = self._session.cache
            audits.remember(cache, result, identical=identical, seconds=found.seconds)
        except OSError as error:
            self._say(f"warning: that it was audited was not kept: {error.strerror}")

    def rerun(self, step: Step, result: Result, changes: Changes) -> Rerun:
        """Make the copy what the step is to find, and run it. Raises DamagedError, OSError."""
        self._tree.become(self._contents.for_step(step, result))
        for name in ("cache", "work/.git/mlpipe"):
            shutil.rmtree(self._scratch.top / name, ignore_errors=True)
        copy = self._open_copy(self._scratch, step)
        try:
            earlier = {one.id for one in self._contents.earlier(step)}
            known = {id_: one for id_, one in self._contents.results.items() if id_ in earlier}
            return run_again(copy, step, known, self._scratch, changes)
        finally:
            copy.cache.state.close()

    def has_time(self, seconds: float) -> bool:
        """True if the budget lets a command of so many seconds begin."""
        return self._deadline is None or time.monotonic() + seconds <= self._deadline

    @property
    def parts(self) -> tuple[Contents, Scratch, Session]:
        """What the audit of one step needs."""
        return self._contents, self._scratch, self._session


class _OneStep:
    """The audit of one step."""

    def __init__(
        self, audit: Audit, decision: Decision, result: Result, settings: AuditSettings
    ) -> None:
        self._audit, self._decision, self._result = audit, decision, result
        self._contents, self._scratch, self._session = audit.parts
        self._settings, self._step = settings, decision.step
        self._seconds, self._runs = 0.0, 0

    def audit(self) -> StepAudit:
        step, result = self._step, self._result
        entries = self._contents.for_step(step, result)
        if where := names_of_clone(self._contents, step, result, entries):
            return self._found(
                Verdict.FAILED,
                f"it names the absolute path of this work tree, at {where}, so in another clone it "
                "would still work here; it was not run again: write a relative path",
            )
        guard, started = WorkTreeGuard(self._contents), time.time()
        first = self._run(AS_IT_IS)
        window = Window(start=started, end=time.time())
        faults = guard.changed()
        if faults and self._may_have_written(first):
            return self._found(
                Verdict.FAILED,
                f"while it ran in the copy, {_some(faults)} changed in the work tree: it writes "
                "outside of its own directory (or you did)",
            )
        if not first.succeeded:
            notes = "; ".join(first.outcome.notes) or "its command did not run"
            return self._found(
                Verdict.FAILED,
                f"it failed in the copy: {notes}",
                log_tail=first.outcome.execution.log_tail,
            )
        if why := self._other_work(first):
            return self._found(Verdict.LEFT_OUT, why)
        comparer = Comparer(
            store=self._session.cache.store,
            scratch=self._scratch,
            tolerance=self._settings.tolerance,
        )
        differing = comparer.differences(step, result, first, window)
        known = self._notes(first)
        if not differing:
            return self._found(Verdict.IDENTICAL, notes=known)
        found, more = self._causes(first, differing)
        why = f"{len(found)} of {len(result.outputs)} outputs differ"
        return self._found(Verdict.DIFFERENT, why, differences=found, notes=known + more)

    def _run(self, changes: Changes) -> Rerun:
        rerun = self._audit.rerun(self._step, self._result, changes)
        self._seconds += rerun.outcome.execution.seconds
        self._runs += 1
        return rerun

    def _may_have_written(self, first: Rerun) -> bool:
        """True if the step may have changed the work tree: it was seen to, or was not watched."""
        if not first.outcome.execution.tracer or not first.succeeded:
            return True
        root = str(self._session.repo.root)
        return any(is_under(path, root) for path in first.outcome.discovered.outside)

    def _other_work(self, first: Rerun) -> str:
        """Why the copy is not what the result was made from; empty if it is."""
        before, now = self._decision.parts, first.parts
        if before is None or now is None or before == now:
            return ""
        words = ", ".join(differences(before, now)[:SHOWN])
        return f"in the copy it is other work, perhaps as files changed meanwhile: {words}"

    def _causes(
        self, first: Rerun, differing: tuple[OutputDifference, ...]
    ) -> tuple[tuple[OutputDifference, ...], tuple[str, ...]]:
        """The differences with what makes them, and notes."""
        steady = self._steady()
        env = self._session.env
        paths = [one.path for one in differing]
        found = find_causes(self._step, env, first, paths, self._try, steady)
        by_path: dict[str, tuple[str, ...]] = {}
        for path, words in found.causes:
            by_path[path] = (*by_path.get(path, ()), words)
        unseen: tuple[str, ...] = ()
        if found.again is not None and found.again.succeeded:
            stable = [o for o in differing if o.path not in found.unstable and not o.causes]
            if stable:
                unseen = unseen_inputs(self._contents, self._step, self._result, found.again)
                if self._step.state:
                    unseen = ("its state, which is not in the copy", *unseen)
        return (
            tuple(
                OutputDifference(
                    path=one.path,
                    how=one.how,
                    causes=self._of(one, by_path, found.unstable, unseen),
                )
                for one in differing
            ),
            found.notes,
        )

    def _of(
        self,
        one: OutputDifference,
        by_path: dict[str, tuple[str, ...]],
        unstable: frozenset[str],
        unseen: tuple[str, ...],
    ) -> tuple[str, ...]:
        tried = by_path.get(one.path, ())
        if one.path in unstable:
            return (*one.causes, *tried)
        return one.causes or unseen

    def _try(self, changes: Changes) -> Rerun | None:
        if not self._audit.has_time(self._result.seconds):
            return None
        return self._run(changes)

    def _steady(self) -> str:
        """A directory with our `sitecustomize`."""
        source = Path(__file__).parent / "steady/sitecustomize.py"
        directory = self._scratch.directory("steady")
        shutil.copyfile(source, directory / source.name)
        return str(directory)

    def _notes(self, first: Rerun) -> tuple[str, ...]:
        notes: list[str] = []
        if outside := first.outcome.discovered.outside:
            notes.append(f"it wrote outside of the copy: {_some(outside)}")
        root, located = (
            str(self._session.repo.root),
            self._session.discovery.checker.anchors.located,
        )
        read = (located(o.path) for o in first.discovered if o.digest.startswith(CONTENTS))
        if own := tuple(os.path.relpath(path, root) for path in read if is_under(path, root)):
            notes.append(
                f"it read {_some(own)} of the work tree itself, not of the copy: by an editable "
                "install, or an absolute path"
            )
        made, here = platform_of(self._result.discovered), this_platform().digest
        if made and made != here:
            words = shown_platform(made), shown_platform(here)
            notes.append(f"its result was made on {words[0]}, and this is {words[1]}")
        return tuple(notes)

    def _found(self, verdict: Verdict, why: str = "", **more: Any) -> StepAudit:
        ended = _ended(self._decision, self._result, verdict, why)
        return replace(ended, seconds=self._seconds, runs=self._runs, **more)


def _left_out(decision: Decision, why: str) -> StepAudit:
    step = decision.step
    return StepAudit(id=step.id, name=step.name, verdict=Verdict.LEFT_OUT, why=why)


def _ended(decision: Decision, result: Result, verdict: Verdict, why: str) -> StepAudit:
    return StepAudit(
        id=decision.step.id,
        name=decision.step.name,
        verdict=verdict,
        why=why,
        key=result.key,
        made=result.finished,
        producer=result.producer,
        outputs=len(result.outputs),
    )


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")
