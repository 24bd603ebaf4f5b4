"""The audit: reused steps run again in a copy, and what they leave is compared with results."""

import time
from collections.abc import Callable

from mlpipe_ci.audit.choose import Choice, chosen, why_not_again
from mlpipe_ci.audit.contents import Contents
from mlpipe_ci.audit.scratch import Scratch
from mlpipe_ci.audit.step_audit import StepAuditor, ended
from mlpipe_ci.audit.working_copy import OpenCopy, WorkingCopy
from mlpipe_ci.cache import audits
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.core.audit import AuditReport, StepAudit, Verdict
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.result import Result
from mlpipe_ci.plan.session import Session


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
        self._started = time.monotonic()

    def run(self, settings: AuditSettings) -> AuditReport:
        """Audit what is to be audited. Raises InterruptedRunError, PathError."""
        choice = settings.choice
        deadline = None if choice.budget is None else self._started + choice.budget
        copy = WorkingCopy(self._contents, self._scratch, self._open_copy, deadline)
        reasons = self._left_out(choice)
        cache = self._session.cache
        known = {id_: one for id_, one in self._contents.results.items() if id_ not in reasons}
        last = {i: audits.last_audit(cache.store, cache.scopes, one) for i, one in known.items()}
        taken, not_taken = chosen(known, last, choice)
        reasons |= not_taken
        found = []
        for decision in self._plan.decisions:
            if reasons.get(decision.step.id):
                found.append(_left_out(decision, reasons[decision.step.id]))
            elif decision.step.id in taken:
                found.append(self._step(copy, decision, settings.tolerance))
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

    def _step(self, copy: WorkingCopy, decision: Decision, tolerance: float) -> StepAudit:
        step, result = decision.step, self._contents.results[decision.step.id]
        if not copy.has_time(result.seconds):
            return _left_out(decision, "the budget is used up")
        self._say(f"▶ {step.name}  runs again in a copy")
        try:
            found = StepAuditor(copy, decision, result, tolerance).audit()
        except (DamagedError, PathError) as error:
            found = ended(decision, result, Verdict.FAILED, f"it cannot be run again: {error}")
        except OSError as error:
            reason = error.strerror or str(error)
            why = f"it cannot be run again: {reason} ({error.filename or self._scratch.top})"
            found = ended(decision, result, Verdict.FAILED, why)
        if found.verdict is not Verdict.LEFT_OUT:
            self._remember(result, found)
        return found

    def _remember(self, result: Result, found: StepAudit) -> None:
        try:
            identical = found.verdict is Verdict.IDENTICAL
            cache = self._session.cache
            audits.remember(cache, result, identical=identical, seconds=found.seconds)
        except OSError as error:
            self._say(f"warning: that it was audited was not kept: {error.strerror}")


def _left_out(decision: Decision, why: str) -> StepAudit:
    step = decision.step
    return StepAudit(id=step.id, name=step.name, verdict=Verdict.LEFT_OUT, why=why)
