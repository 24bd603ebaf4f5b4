"""Runs one step again, in the copy, as a run would: shell, environment, time limit, tracer."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.audit.scratch import Scratch
from mlpipe_ci.cache.outputs import describe, keep
from mlpipe_ci.core.cache_key import Input, KeyParts
from mlpipe_ci.core.errors import InterruptedRunError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.step_environment import environment_of_steps
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.session import Session
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors import DEFAULT_EXECUTOR
from mlpipe_ci.run.executors.base import ExecutorContext
from mlpipe_ci.run.executors.select import make_executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.run.listener import SilentListener
from mlpipe_ci.run.machine import capacity
from mlpipe_ci.run.run_workflow import carry_out
from mlpipe_ci.run.settings import RunSettings

PYTHONPATH = "PYTHONPATH"


@frozen
class Rerun:
    """One more run of a step. `outputs`: what it left, with digests; `discovered`: what it was seen
    to read, where its result could be stored; `parts`: of its key.
    """

    outcome: StepOutcome
    outputs: tuple[Output, ...] = ()
    discovered: tuple[Input, ...] = ()
    parts: KeyParts | None = None

    @property
    def succeeded(self) -> bool:
        """True if the command ended well."""
        return self.outcome.status is Status.SUCCEEDED


class _Ear(SilentListener):
    """Hears how a step was decided."""

    def __init__(self, step: str) -> None:
        self._step = step
        self.decision: Decision | None = None

    def start(self, decision: Decision, seconds: float | None) -> None:
        """Remember it."""
        del seconds
        if decision.step.id == self._step:
            self.decision = decision


@frozen
class Changes:
    """What is changed for an experiment. `env`: variables that the step gets; `path`: a directory
    that is put before the step's PYTHONPATH; `traced`: the step is watched in any case; `seconds`:
    after which it is ended: a program that waits for the clock may wait for ever.
    """

    env: Mapping[str, str] | None = None
    path: str = ""
    traced: bool = False
    seconds: float | None = None


AS_IT_IS = Changes()


def run_again(
    session: Session,
    step: Step,
    earlier: Mapping[str, Result],
    scratch: Scratch,
    changes: Changes = AS_IT_IS,
) -> Rerun:
    """Run a step in a session of the copy. `earlier`: results of the steps before it, by their ids.

    Raises InterruptedRunError; what goes wrong in the step is part of the outcome.
    """
    changed = _changed(session, step, changes)
    workflow = replace(
        session.workflow,
        steps=tuple(changed if one.id == step.id else one for one in session.workflow.steps),
    )
    session = replace(session, workflow=workflow)
    _announce(session, earlier)
    ear = _Ear(step.id)
    interrupts = Interrupts()
    executor_context = ExecutorContext(printed=ear.output, locks=(scratch.lock,), jobs=1)
    with closing(make_executor(DEFAULT_EXECUTOR, executor_context)) as executor:
        context = RunContext(
            workflow=workflow,
            evidence=session.collector(0.0),
            repo=session.repo,
            cache=session.cache,
            data=session.data,
            discovery=session.discovery,
            transaction=session.transaction,
            executor=executor,
            env=environment_of_steps(session.env, at_desk=session.event.at_desk),
            logs=scratch.directory("logs"),
            stale_outputs=session.stale_outputs,
            interrupts=interrupts,
        )
        plan = Plan(workflow=workflow, decisions=())
        settings = RunSettings(capacity=capacity(session.env))
        outcomes, cancelled = carry_out(context, plan, settings, ear)
    if cancelled:
        raise InterruptedRunError("interrupted")
    outcome = next(one for one in outcomes if one.step.id == step.id)
    return _found(session, outcome, ear.decision)


def _changed(session: Session, step: Step, changes: Changes) -> Step:
    """The step as it runs: whatever its `if` says, once, and without gates."""
    env = dict(step.env) | dict(changes.env or {})
    if changes.path:
        before = env.get(PYTHONPATH) or session.env.get(PYTHONPATH, "")
        env[PYTHONPATH] = f"{changes.path}:{before}" if before else changes.path
    tracing = "auto" if changes.traced else step.tracing
    minutes = changes.seconds / 60 if changes.seconds else step.timeout_minutes
    return replace(
        step,
        timeout_minutes=minutes,
        env=tuple(sorted(env.items())),
        condition=None,
        retries=0,
        gates=(),
        tracing=tracing,
        cache=None if step.cache is False else step.cache,
    )


def _announce(session: Session, earlier: Mapping[str, Result]) -> None:
    """What earlier steps left without declaring it is theirs, as in a run."""
    for id_, result in earlier.items():
        paths = [output.path for output in result.outputs]
        session.repo.tree.add_outputs(paths)
        session.discovery.later_writes.add(session.workflow.index_by_id[id_], paths)


def _found(session: Session, outcome: StepOutcome, decision: Decision | None) -> Rerun:
    parts = decision.parts if decision else None
    if outcome.status is not Status.SUCCEEDED:
        return Rerun(outcome=outcome, parts=parts)
    root, store = session.repo.root, session.cache.store
    stored = store.results(decision.key, session.cache.scopes) if decision and decision.key else ()
    newest = max(stored, key=lambda one: one.finished, default=None)
    if newest is not None:
        outputs, discovered = newest.outputs, newest.discovered
    else:
        outputs = keep(root, _described(root, outcome), None)
        discovered = ()
    return Rerun(outcome=outcome, outputs=outputs, discovered=discovered, parts=parts)


def _described(root: Path, outcome: StepOutcome) -> tuple[Output, ...]:
    declared = outcome.step.writes
    inside = tuple(path for path in declared if path.endswith("/"))
    plain = {path.rstrip("/") for path in declared}
    paths = outcome.left.outputs
    more = tuple(p for p in paths if p not in plain and not p.startswith(inside))
    return describe(root, outcome.step, more)
