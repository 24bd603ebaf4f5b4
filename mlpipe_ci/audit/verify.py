"""Proves from keys alone what the steps of a commit left: nothing is run, and no data is needed."""

import math
from collections.abc import Iterator
from functools import cached_property

from mlpipe_ci.audit.proof import FAULTS, Judge, Judged
from mlpipe_ci.cache.audits import last_audit
from mlpipe_ci.cache.store import name_of
from mlpipe_ci.core.cache_key import key_parts, step_key
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.directory_listing import grouped
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Output, Result, undeclared
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.core.verification import Standing, StepProof, Verification
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.metrics.cached import metrics_now
from mlpipe_ci.plan.baseline import BaseCommit, base_workflow
from mlpipe_ci.plan.session import Session, later_writes
from mlpipe_ci.repo.commit_tree import CommitTree
from mlpipe_ci.report.wording import escape_controls
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.tracing.discovery.check import InputChecker, Left
from mlpipe_ci.tracing.discovery.known_state import KnownState

SUCCEEDED = (Status.SUCCEEDED, Status.REUSED)


@frozen
class Claims:
    """A report that is held against the results. `shown`: how its file is called."""

    shown: str
    run: Run

    def of(self, step: Step) -> StepOutcome | None:
        """What it says of a step."""
        return next((one for one in self.run.outcomes if one.step.id == step.id), None)


class Verifier:
    """Goes through the steps of a commit in their order."""

    def __init__(self, session: Session, claims: Claims | None = None) -> None:
        git, history = session.repo.git, session.repo.blame.history
        head = git.head() if git else None
        if git is None or history is None or head is None:
            raise UsageError("there is no commit here to verify; mlpipe verify needs git")
        if claims is not None and claims.run.comparison.head != head:
            of = (claims.run.comparison.head or "no commit")[:7]
            raise UsageError(f"{claims.shown} is the report of {of}, and {head[:7]} is checked out")
        self._session, self._claims, self._head = session, claims, head
        commit = BaseCommit(git, history, head)
        workflow = base_workflow(session, commit, session.load_request.settings)
        if workflow is None:
            raise UsageError(f"commit {commit.short} has no {session.workflow.file}")
        self._workflow: Workflow = workflow
        then = history.entries(head)
        dvc = Dvc(session.repo.root, lambda: then, commit.link, None) if session.data.dvc else None
        work = (session.repo.root, git, workflow.writes, session.cache.state.digest_cache)
        self._tree = CommitTree(work, then, commit.link, _not_looked_for, dvc)
        record = session.stale_outputs.record
        self._later = later_writes(workflow, session.cache.state, self._tree, record)
        self._missing: set[str] = set()
        self._written: dict[str, tuple[Output, ...] | None] = {}
        checker = InputChecker(
            *(str(session.repo.root), self._tree, session.env, self._later),
            state=KnownState(patterns=workflow.all_state),
        )
        self._checker = checker
        self._judge = Judge(
            workflow=workflow,
            tree=self._tree,
            checker=checker,
            declared=DeclaredOutputs(workflow.steps),
            written=self._written,
            missing=self._missing,
        )

    def verify(self) -> Verification:
        """For each step the result that its work follows from."""
        return Verification(
            workflow=self._workflow.name,
            file=self._workflow.file,
            commit=self._head,
            steps=tuple(self._step(step) for step in self._workflow.steps),
            claims=self._claims.shown if self._claims else "",
        )

    def _step(self, step: Step) -> StepProof:
        claim = self._claims.of(step) if self._claims else None
        if why := self._why_unclaimed(step, claim):
            return StepProof(id=step.id, name=step.name, standing=Standing.UNCLAIMED, why=why)
        self._checker.will_be_written(self._written, self._left)
        fitting: list[Judged] = []
        reasons: list[str] = []
        for result in self._candidates(step):
            try:
                fitting.append(self._judge.judge(step, result))
            except FAULTS as error:
                reasons.append(str(error))
        if not fitting:
            return self._without(step, reasons, claim)
        as_claimed = [one for one in fitting if not self._contradiction(step, one, claim)]
        best = min(as_claimed or fitting, key=_rank)
        self._note(step, best.result)
        against = "" if as_claimed else self._contradiction(step, best, claim)
        others = {_left(one.result) for one in fitting} - {_left(best.result)}
        cache = self._session.cache
        return StepProof(
            id=step.id,
            name=step.name,
            standing=Standing.CONTRADICTED if against else Standing.VERIFIED,
            why=against,
            result=best.result,
            blobs=best.blobs,
            outputs=best.outputs,
            unverified=best.unverified,
            others=len(others),
            audited=last_audit(cache.store, cache.scopes, best.result),
        )

    def _contradiction(self, step: Step, one: Judged, claim: StepOutcome | None) -> str:
        result = one.result
        if claim is not None and claim.measured.metrics and not result.metrics:
            result = metrics_now(step, result, self._session.cache.store)
        return _contradiction(result, claim)

    def _why_unclaimed(self, step: Step, claim: StepOutcome | None) -> str:
        if self._claims and claim is None:
            return "the report does not speak of it"
        if claim is not None and claim.status not in SUCCEEDED:
            return f"the report says that it is {claim.status}"
        if step.cache is False:
            return "cache: false: it leaves no result"
        return ""

    def _without(self, step: Step, reasons: list[str], claim: StepOutcome | None) -> StepProof:
        """No result fits. A step with an `if` may have been skipped."""
        why = f"no result fits this commit: {reasons[0]}" if reasons else "it has no result"
        skipped = step.condition is not None and claim is None and not reasons
        if not skipped:
            self._missing.add(step.id)
        return StepProof(
            id=step.id,
            name=step.name,
            standing=Standing.UNCLAIMED if skipped else Standing.MISSING,
            why=f"{why}; it has an if, and may have been skipped" if skipped else why,
        )

    def _candidates(self, step: Step) -> Iterator[Result]:
        """Results of the key, where it follows from the commit; then those of the step's name."""
        seen: set[tuple[str, str, float]] = set()
        for result in (*self._of_key(step), *self._by_name.get(step.name, ())):
            identity = result.key, name_of(result), result.finished
            if identity not in seen:
                seen.add(identity)
                yield result

    @cached_property
    def _by_name(self) -> dict[str, list[Result]]:
        """The last few results of all, by the name of their step."""
        found: dict[str, list[Result]] = {}
        for result in self._session.cache.store.recent(self._session.cache.scopes):
            found.setdefault(result.step, []).append(result)
        return found

    def _of_key(self, step: Step) -> Iterator[Result]:
        store, scopes = self._session.cache.store, self._session.cache.scopes
        try:
            inputs = self._judge.expected(step)
        except FAULTS:
            return
        key = step_key(key_parts(step, grouped(inputs.values())[0]))
        yield from store.at_hand(key, scopes)
        for more in store.further(key, scopes):
            yield from more

    def _note(self, step: Step, result: Result) -> None:
        """What the step left is known to those after it."""
        self._written[step.id] = result.outputs
        more = [output.path for output in undeclared(step, result.outputs)]
        self._tree.add_outputs(more)
        self._later.add(self._workflow.index_by_id[step.id], more)

    def _left(self, step: str) -> Left:
        return self._workflow.steps[self._workflow.index_by_id[step]].writes, ()


def _rank(one: Judged) -> tuple[int, float]:
    return len(one.unverified), -one.result.finished


def _left(result: Result) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((output.path, output.digest) for output in result.outputs))


def _contradiction(result: Result, claim: StepOutcome | None) -> str:
    """What a report says of a step and its result does not; empty if there is nothing."""
    if claim is None:
        return ""
    known = {escape_controls(name): value for name, value in result.metrics}
    for name, value in claim.measured.metrics:
        if name not in known:
            return f"the report says {name} {value:g}, and the result has no such metric"
        if not _same(value, known[name]):
            return f"the report says {name} {value!r}, and the result {known[name]!r}"
    return ""


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _not_looked_for(_path: str) -> bool:
    """Only what git has at the commit counts; nothing is looked for on the disk."""
    return True
