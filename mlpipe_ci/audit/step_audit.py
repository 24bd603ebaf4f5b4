"""The audit of one step: it runs again, what it leaves is compared, and causes are looked for."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpipe_ci.audit.causes import find_causes
from mlpipe_ci.audit.comparison import Comparer
from mlpipe_ci.audit.places import BYTE_CODE, WorkTreeGuard, names_of_clone
from mlpipe_ci.audit.rerun import AS_IT_IS, Changes, Rerun
from mlpipe_ci.audit.time_stamps import Window
from mlpipe_ci.audit.unseen import unseen_inputs
from mlpipe_ci.audit.working_copy import WorkingCopy
from mlpipe_ci.core.audit import OutputDifference, StepAudit, Verdict
from mlpipe_ci.core.cache_key import differences
from mlpipe_ci.core.lineage import CONTENTS
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.platform import platform_of, shown_platform
from mlpipe_ci.core.result import Result
from mlpipe_ci.tracing.discovery.kinds import STATE
from mlpipe_ci.tracing.discovery.platform import this_platform

SHOWN = 5
LEAST, MOST = 60.0, 10.0
"""Seconds that an experiment may take at least, and how often what the step took before."""


class StepAuditor:
    """The audit of one step. `tolerance`: relative, of the numbers in metrics files."""

    def __init__(
        self, copy: WorkingCopy, decision: Decision, result: Result, tolerance: float
    ) -> None:
        self._copy, self._decision, self._result = copy, decision, result
        self._contents, self._scratch, self._session = copy.contents, copy.scratch, copy.session
        self._tolerance, self._step = tolerance, decision.step
        self._seconds, self._runs = 0.0, 0

    def audit(self) -> StepAudit:
        """Run it, compare, look for causes. Raises DamagedError, OSError, PathError."""
        step, result = self._step, self._result
        if seen := next((o.path for o in result.discovered if o.digest.startswith(STATE)), ""):
            why = f"it reads {seen}, the state of another step, which the copy does not have"
            return self._found(Verdict.LEFT_OUT, why)
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
            tolerance=self._tolerance,
        )
        differing = comparer.differences(step, result, first, window)
        known = self._notes(first)
        if not differing:
            return self._found(Verdict.IDENTICAL, notes=known)
        found, more = self._causes(first, differing)
        why = f"{len(found)} of {len(result.outputs)} outputs differ"
        return self._found(Verdict.DIFFERENT, why, differences=found, notes=known + more)

    def _run(self, changes: Changes) -> Rerun:
        rerun = self._copy.rerun(self._step, self._result, changes)
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
        if not self._copy.has_time(self._result.seconds):
            return None
        return self._run(replace(changes, seconds=max(LEAST, MOST * self._result.seconds)))

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
        inside = (os.path.relpath(path, root) for path in read if is_under(path, root))
        sources = (path for path in inside if BYTE_CODE not in path)
        if own := tuple(path for path in sources if not is_under(path, ".git")):
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
        found = ended(self._decision, self._result, verdict, why)
        return replace(found, seconds=self._seconds, runs=self._runs, **more)


def ended(decision: Decision, result: Result, verdict: Verdict, why: str) -> StepAudit:
    """A step with a result, without what was found."""
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
