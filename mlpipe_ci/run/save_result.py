"""Saves the result of a step that has succeeded, if it may be saved."""

import time
from dataclasses import replace
from functools import partial

from mlpipe_ci.cache import outputs
from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.metric_statistics import Samples
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.conflicts import FileAccess
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import JobResult
from mlpipe_ci.run.file_access import access_of_success, looked_for
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.check import ABSENT, LOG, VARIABLE
from mlpipe_ci.tracing.discovery.find import Discovered, InputDiscovery

SHOWN = 3
CONTENTS = ("git:", "blake3:", "link:")
"""Digests of what is in a file."""


@frozen
class SavedResult:
    """What became of a success: outputs, notes for the reader, and what was seen of the step."""

    outputs: tuple[Output, ...]
    notes: tuple[str, ...]
    last: LastTrace
    access: FileAccess


def save_result(
    context: RunContext,
    decision: Decision,
    ended: JobResult,
    metrics: tuple[tuple[str, float], ...],
    samples: Samples = (),
) -> SavedResult:
    """Save the outputs and the result of a step that succeeded.

    A fault of the cache is a note, and no failure. Raises MissingOutputError.
    """
    step, store = decision.step, context.cache.store
    discovered = _find(context, step, ended)
    more = discovered.writes if step.declares_nothing else ()
    _announce(context, step, more)
    refusal = _why_tracked(context, step, more) or why_not_saved(step, ended.trace, discovered)
    refusal = refusal or _why_secret(context, step, ended, more)
    target = None if refusal or step.cache is False else store
    notes = _tracing_notes(step, ended.trace, discovered)
    access = access_of_success(discovered, ended.trace, context.repo.root)
    saved = partial(_saved, _traced(context, step, discovered, access), access)
    try:
        wrote = outputs.save(context.repo.root, step, target, more)
        log = target.save(ended.job.log)[0] if target else ""
    except OSError as error:
        wrote = outputs.save(context.repo.root, step, None, more)
        return saved(wrote, (_not_stored(error),))
    if refusal and step.inputs:
        notes += (f"the result was not stored: {refusal}",)
    unstored = refusal
    if target:
        git = next((path_fault(o.path) for o in wrote if path_fault(o.path)), None)
        unstored = git or _changed_meanwhile(context, decision, ended, discovered)
        notes += (f"the result was not stored: {unstored}",) if unstored else ()
    if target is None or unstored or decision.parts is None or decision.key is None:
        return saved(wrote, notes, unstored)
    result = Result(
        key=decision.key,
        step=step.name,
        parts=decision.parts,
        discovered=discovered.inputs,
        outputs=wrote,
        metrics=metrics,
        samples=samples,
        log=log,
        seconds=ended.seconds,
        finished=time.time(),
        producer=context.cache.producer,
    )
    notes += _add(target, result, context.cache.scopes[0], forced=decision.forced)
    return saved(wrote, notes, made=result.finished if _is_watched(step, result) else 0.0)


def _why_tracked(context: RunContext, step: Step, more: tuple[str, ...]) -> str:
    """What git tracks is a source, unless the step says that it makes it."""
    tracked = tuple(path for path in more if context.repo.tree.tracked(path))
    if not tracked or step.cache is False:
        return ""
    return f"it writes {_some(tracked)}, which git tracks; name it in outputs"


def _why_secret(context: RunContext, step: Step, ended: JobResult, more: tuple[str, ...]) -> str:
    """Checked before anything is stored: others may read what is in a cache."""
    if not ended.job.secrets or step.cache is False:
        return ""
    wrote = outputs.save(context.repo.root, step, None, more)
    leak = outputs.leak(context.repo.root, wrote, ended.job.secrets)
    return f"its output {leak} holds the value of a secret" if leak else ""


def _find(context: RunContext, step: Step, ended: JobResult) -> Discovered:
    """What was seen; nothing if it was not all."""
    if not ended.trace.complete:
        return Discovered()
    index = context.workflow.index_by_id[step.id]
    env = dict(ended.job.env)
    discovery = InputDiscovery(
        str(context.repo.root), step, index, context.discovery.checker, ended.started, env
    )
    return discovery.discover(ended.trace, context.workflow.params_files)


def _announce(context: RunContext, step: Step, paths: tuple[str, ...]) -> None:
    """From now on these are outputs: read by their bytes, and no news for those who list them."""
    context.repo.tree.add_outputs(paths)
    context.discovery.later_writes.add(context.workflow.index_by_id[step.id], paths)


def why_not_saved(step: Step, trace: Trace, discovered: Discovered) -> str:
    """Why a step's result must not be reused, if it does not declare what it reads; else empty."""
    if step.cache is False:
        return ""
    if discovered.unstorable:
        return discovered.unstorable
    if step.inputs:
        return _why_without_outputs(step, discovered)
    if not trace.complete:
        reason = "; ".join(trace.why) or "nothing watched it"
        return f"declares no inputs, and what it reads is not known: {reason}"
    return _why_undeclared(step, trace, discovered)


def _why_without_outputs(step: Step, discovered: Discovered) -> str:
    """What a step writes that declares what it reads alone would not come back with its result."""
    if step.writes or step.cache is True or not discovered.writes:
        return ""
    return (
        f"it writes {_some(discovered.writes)}, and declares no outputs; name what is to come back"
    )


def _why_undeclared(step: Step, trace: Trace, discovered: Discovered) -> str:
    if discovered.removes:
        return f"it removes {_some(discovered.removes)}"
    if discovered.environments:
        return (
            f"it makes a Python environment ({_some(discovered.environments)}), which is not stored"
        )
    if step.cache is True:
        return ""
    if discovered.outside:
        return f"it writes {_some(discovered.outside)}, outside of the repository"
    if trace.network:
        return f"it talks to the network ({_some(trace.network)}), and does not say cache: true"
    if not step.writes and not discovered.writes and discovered.logs:
        return f"it writes nothing but what it adds to {_some(discovered.logs)}"
    if not step.writes and not discovered.writes:
        return "it writes nothing in the repository, so it runs each time (cache: true reuses it)"
    return ""


def _tracing_notes(step: Step, trace: Trace, discovered: Discovered) -> tuple[str, ...]:
    """What the reader should know about what was seen."""
    notes: tuple[str, ...] = ()
    if trace.why and step.inputs and trace.tracer:
        notes += (f"only what it declares counts: {'; '.join(trace.why)}",)
    if discovered.rewrites:
        some = _some(discovered.rewrites)
        way_out = "it is reused only where both are the same; make it from scratch"
        notes += (f"it changes {some}, which it also reads: {way_out}",)
    if discovered.logs:
        notes += (f"it adds to {_some(discovered.logs)}: reuse does not bring that back",)
    return notes


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")


def _is_watched(step: Step, result: Result) -> bool:
    return bool(result.discovered) or not step.inputs


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
        shared=context.cache.state.last_trace(context.workflow.file, step.id).shared,
    )


def _saved(
    seen: LastTrace,
    access: FileAccess,
    wrote: tuple[Output, ...],
    notes: tuple[str, ...],
    unstored: str = "",
    made: float = 0.0,
) -> SavedResult:
    paths = set(seen.writes)
    last = replace(
        seen,
        made=made,
        wrote=tuple((o.path, o.digest) for o in wrote if o.path in paths),
        unstored=unstored,
    )
    return SavedResult(outputs=wrote, notes=notes, last=last, access=access)


def last_trace_of(step: Step, result: Result) -> LastTrace:
    """What a stored result says about the step that made it."""
    if not _is_watched(step, result):
        return LastTrace()
    files = [one for one in result.discovered if one.digest.startswith(CONTENTS)]
    wrote = [(o.path, o.digest) for o in result.outputs] if step.declares_nothing else []
    return LastTrace(
        made=result.finished,
        wrote=tuple(wrote),
        reads=tuple(one.path for one in files if not one.path.startswith("/")),
        writes=tuple(path for path, _ in wrote),
        logs=tuple(one.path for one in result.discovered if one.digest == LOG),
        variables=tuple(
            one.path.removeprefix(VARIABLE)
            for one in result.discovered
            if one.path.startswith(VARIABLE) and one.digest != ABSENT
        ),
    )


def written_before(context: RunContext, step: Step) -> tuple[str, ...]:
    """What the step wrote last time without declaring it, where that is still as it wrote it.

    It goes out of its way, as declared outputs do. What git tracks, or a person changed, stays.
    """
    if not step.declares_nothing:
        return ()
    found = []
    last = context.cache.state.last_trace(context.workflow.file, step.id)
    for path, digest in last.wrote:
        if not path_fault(path) and not context.repo.tree.tracked(path):
            now = context.repo.tree.known(path)
            if now is not None and now.digest == digest:
                found.append(path)
    return tuple(found)


def _add(store: Store, result: Result, scope: str, *, forced: bool) -> tuple[str, ...]:
    try:
        earlier = store.add(result, scope, instead=forced)
    except OSError as error:
        return (_not_stored(error),)
    if earlier is None or earlier.outputs == result.outputs:
        return ()
    other = sorted({o.path for o in set(earlier.outputs) ^ set(result.outputs)})
    return (f"not deterministic: {', '.join(other[:3])} differs from an earlier run's",)


def _not_stored(error: OSError) -> str:
    path = f" ({error.filename})" if error.filename else ""
    return f"the result was not stored: {error.strerror or error}{path}"


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
