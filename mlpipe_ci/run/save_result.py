"""Saves the result of a step that has succeeded, if it may be saved (`storable`)."""

import os
import time
from dataclasses import replace
from posixpath import dirname

from mlpipe_ci.cache import outputs
from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.core.cache_key import Input, by_path
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.place import place_inputs
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.run import NOT_STORED, Measurements
from mlpipe_ci.core.state_paths import is_remade, state_top
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.kept_state import result_id
from mlpipe_ci.run.conflicts import FileAccess
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import JobResult
from mlpipe_ci.run.file_access import access_of_success, looked_for
from mlpipe_ci.run.function_results import code_among
from mlpipe_ci.run.saved_result import SavedResult, changed_in_place, is_watched, missed
from mlpipe_ci.run.storable import (
    Observation,
    not_stored_note,
    state_of,
    tracing_notes,
    why_not_stored,
    without_state,
)
from mlpipe_ci.tracing.discovery.discovered import Discovered
from mlpipe_ci.tracing.discovery.find import InputDiscovery
from mlpipe_ci.tracing.discovery.kinds import ABSENT, KEEPS
from mlpipe_ci.tracing.discovery.platform import this_platform


@frozen
class _Kept:
    """What is in the cache now: outputs with their digests, why there is no result, and when it was
    made.
    """

    outputs: tuple[Output, ...]
    notes: tuple[str, ...] = ()
    unstored: str = ""
    made: float = 0.0
    result: str = ""


def save_result(
    context: RunContext, decision: Decision, ended: JobResult, measured: Measurements
) -> SavedResult:
    """Save the outputs and the result of a step that succeeded.

    A fault of the cache is a note, and no failure. Raises MissingOutputError.
    """
    step = decision.step
    seen = observe(context, decision, ended)
    access = access_of_success(seen.discovered, ended.trace, context.repo.root)
    kept = _keep(context, decision, ended, seen, measured)
    paths = set(seen.discovered.writes)
    last = replace(
        _traced(context, step, seen.discovered, access),
        made=kept.made,
        wrote=tuple((o.path, o.digest) for o in kept.outputs if o.path in paths),
        unstored=kept.unstored,
    )
    notes = tracing_notes(step, seen) + kept.notes
    declared = decision.parts.inputs if decision.parts else ()
    return SavedResult(
        outputs=kept.outputs,
        notes=notes,
        last=last,
        access=access,
        state=seen.state,
        changed=seen.changed_in_place,
        result=kept.result,
        code=code_among((*declared, *seen.discovered.inputs)),
        outside=seen.discovered.outside,
    )


# -- what was seen and left -------------------------------------------------------------------


def observe(context: RunContext, decision: Decision, ended: JobResult) -> Observation:
    """What a step that succeeded saw and left. Raises MissingOutputError."""
    step, root = decision.step, context.repo.root
    found = _find(context, step, ended)
    discovered, state = without_state(found, context.workflow), state_of(found, context.workflow)
    changed = _changed_in_place(context, step, discovered)
    _announce(context, step, discovered, changed, state)
    wrote = outputs.describe(root, step, discovered.writes)
    counts = step.cache is not False
    return Observation(
        trace=ended.trace,
        discovered=discovered,
        outputs=wrote,
        state=state,
        tracked=tuple(path for path in discovered.writes if context.repo.tree.tracked(path)),
        unstorable=discovered.unstorable,
        changed_in_place=changed,
        made_from=_made_from(context, decision, discovered),
        naming=outputs.naming(root, wrote) if counts else (),
        leaving=outputs.leaving(root, wrote),
        secret=outputs.leak(root, wrote, ended.job.secrets) if counts else "",
        changed=_changed_meanwhile(context, decision, ended, discovered) if counts else "",
    )


def _find(context: RunContext, step: Step, ended: JobResult) -> Discovered:
    """What was seen; nothing if it was not all."""
    if not ended.trace.complete:
        return Discovered()
    index = context.workflow.index_by_id[step.id]
    env = dict(ended.job.env)
    discovery = InputDiscovery(
        str(context.repo.root), step, index, context.discovery, ended.started, env
    )
    return discovery.discover(ended.trace, context.workflow.params_files)


def _announce(
    context: RunContext,
    step: Step,
    found: Discovered,
    changed: tuple[str, ...],
    state: tuple[str, ...],
) -> None:
    """From now on these are outputs: read by their bytes, and no news for those who list them.

    What it has only `changed` was there before it. What git tracks stays git's: no such result is
    stored.
    """
    index, known, tree = context.workflow.index_by_id[step.id], context.discovery, context.repo.tree
    tree.add_outputs(path for path in (*found.writes, *found.logs) if not tree.tracked(path))
    stayed = context.stale_outputs.record.of(step).history
    wrote = (path for path in (*found.writes, *found.logs, *stayed) if path not in changed)
    known.later_writes.replace(index, wrote)
    known.readers.add(index, (*found.reads, *missed(found.inputs, found.writes)))
    if keepers := known.checker.known_state.keepers:
        keepers.add(index, state)


def _changed_meanwhile(
    context: RunContext, decision: Decision, ended: JobResult, discovered: Discovered
) -> str:
    """The input that changed while the step ran, or was changed and reverted.

    As when a branch is checked out for a moment: what the step has read is not known.
    """
    before = decision.parts.inputs if decision.parts else ()
    try:
        now = context.evidence.inputs(decision.step)
    except PathError:
        return "an input went away while the step ran"
    differing = sorted(
        {item.path for item in set(before) ^ set(now)}.difference(discovered.rewrites)
    )
    if differing:
        return f"{differing[0]} changed while the step ran"
    files = (one.path for item in now for one in context.repo.tree.opened(item))
    others = (path for path in files if path not in discovered.rewrites)
    written = (
        context.repo.tree.written_between(others, ended.started, time.time())
        or discovered.meanwhile
    )
    return f"{written} was written while the step ran" if written else ""


def _changed_in_place(context: RunContext, step: Step, discovered: Discovered) -> tuple[str, ...]:
    """What it wrote and has seen before; not what its own failed attempts have left."""
    unfinished = context.stale_outputs.record.of(step).unfinished
    wrote = set(discovered.writes).difference(unfinished)
    return changed_in_place(wrote, discovered.inputs, discovered.rewrites)


def _made_from(context: RunContext, decision: Decision, discovered: Discovered) -> tuple[str, ...]:
    """What a failed attempt has left and this one saw, by its name in a listing at least."""
    unfinished = context.stale_outputs.record.of(decision.step).unfinished
    if not unfinished:
        return ()
    declared = decision.parts.inputs if decision.parts else ()
    items = (*discovered.inputs, *declared)
    seen = {item.path for item in items if item.digest != ABSENT} | {*discovered.rewrites}
    listed = {path.removeprefix("./").rstrip("/") for path in seen if path.endswith("/")}
    own = set(discovered.writes)
    return tuple(p for p in unfinished if p in seen or (p not in own and dirname(p) in listed))


# -- store it ---------------------------------------------------------------------------------


def _keep(
    context: RunContext,
    decision: Decision,
    ended: JobResult,
    seen: Observation,
    measured: Measurements,
) -> _Kept:
    step, root = decision.step, context.repo.root
    unstored = why_not_stored(step, seen)
    if unstored or step.cache is False or decision.parts is None or decision.key is None:
        wrote = outputs.keep(root, seen.outputs, None)
        notes = not_stored_note(decision, seen, unstored)
        return _Kept(outputs=wrote, notes=notes, unstored=unstored)
    store = context.cache.store
    try:
        wrote = outputs.keep(root, seen.outputs, store)
        log = store.save(ended.job.log)[0]
    except OSError as error:
        return _Kept(
            outputs=outputs.keep(root, seen.outputs, None),
            notes=(f"{NOT_STORED}: {_fault(error)}",),
        )
    result = Result(
        key=decision.key,
        step=step.name,
        parts=decision.parts,
        discovered=_discovered(context, seen),
        outputs=wrote,
        metrics=measured.metrics,
        samples=measured.samples,
        log=log,
        seconds=ended.seconds,
        finished=time.time(),
        producer=context.cache.producer,
    )
    notes = _add(context, result, forced=decision.forced)
    made = result.finished if is_watched(step, result) else 0.0
    return _Kept(outputs=wrote, notes=notes, made=made, result=result_id(result))


def _discovered(context: RunContext, seen: Observation) -> tuple[Input, ...]:
    """All that counted, and where the step keeps state."""
    patterns = context.workflow.all_state
    tops = {state_top(path, patterns) for path in seen.state if not is_remade(path)}
    keeps = (Input(path=path, digest=KEEPS) for path in tops)
    places = place_inputs(seen.naming, os.fsencode(os.path.realpath(context.repo.root)))
    found = (*seen.discovered.inputs, *seen.discovered.state, *keeps, *places, this_platform())
    return tuple(sorted(found, key=by_path))


def _add(context: RunContext, result: Result, *, forced: bool) -> tuple[str, ...]:
    try:
        earlier = context.cache.store.add(result, context.cache.scopes[0], instead=forced)
    except OSError as error:
        return (f"{NOT_STORED}: {_fault(error)}",)
    if earlier is None or earlier.outputs == result.outputs:
        return ()
    other = sorted({o.path for o in set(earlier.outputs) ^ set(result.outputs)})
    return (f"not deterministic: {', '.join(other[:3])} differs from an earlier run's",)


def _fault(error: OSError) -> str:
    return (error.strerror or str(error)) + (f" ({error.filename})" if error.filename else "")


def _traced(
    context: RunContext, step: Step, discovered: Discovered, access: FileAccess
) -> LastTrace:
    """What is remembered of a step, before it is known what became of its result."""
    return LastTrace(
        reads=discovered.reads,
        writes=discovered.writes,
        variables=discovered.variables,
        logs=discovered.logs,
        looked=looked_for(context, access, discovered.reads),
        missed=missed(discovered.inputs, discovered.writes),
        state=tuple(item.path for item in discovered.state),
        shared=context.cache.state.last_trace(context.workflow.file, step.id).shared,
    )
