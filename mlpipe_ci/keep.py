"""Keeps the result of a step that has succeeded, if it may be kept."""

import time

from mlpipe_ci.bench import Bench
from mlpipe_ci.cache import outputs
from mlpipe_ci.cache.store import Store
from mlpipe_ci.decide import Decision
from mlpipe_ci.errors import PathError
from mlpipe_ci.executors.base import Outcome
from mlpipe_ci.paths import path_fault
from mlpipe_ci.result import Output, Result


def keep_result(
    bench: Bench,
    decision: Decision,
    ended: Outcome,
    metrics: tuple[tuple[str, float], ...],
) -> tuple[tuple[Output, ...], tuple[str, ...]]:
    """Keep the outputs and the result of a step that succeeded. Returns outputs and notes.

    A fault of the cache is told in a note, and is no failure. Raises MissingOutputError.
    """
    step, parts, store = decision.step, decision.parts, bench.store
    keep = store if step.inputs and step.cache is not False else None
    try:
        wrote = outputs.save(bench.root, step, keep)
        log = keep.save(ended.job.log)[0] if keep else ""
    except OSError as error:
        wrote = outputs.save(bench.root, step, None)
        return wrote, (_not_stored(error),)
    if keep is None or parts is None or decision.key is None:
        return wrote, ()
    git = next((output.path for output in wrote if path_fault(output.path)), None)
    if git:
        return wrote, (f"the result was not stored: {path_fault(git)}",)
    changed = _changed_meanwhile(bench, decision, ended)
    if changed:
        return wrote, (f"the result was not stored: {changed} while the step ran",)
    result = Result(
        key=decision.key,
        step=step.name,
        parts=parts,
        discovered=(),
        outputs=wrote,
        metrics=metrics,
        log=log,
        seconds=ended.seconds,
        finished=time.time(),
        producer=bench.producer,
    )
    return wrote, _add(keep, result, bench.scopes[0], forced=decision.forced)


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
    place = f" ({error.filename})" if error.filename else ""
    return f"the result was not stored: {error.strerror or error}{place}"


def _changed_meanwhile(bench: Bench, decision: Decision, ended: Outcome) -> str:
    """An input that is another now, or was written meanwhile and has its old content again.

    As when a branch is checked out for a moment while a step runs: who knows what it has read.
    """
    before = decision.parts.inputs if decision.parts else ()
    try:
        now = bench.witness.inputs(decision.step)
    except PathError:
        return "an input went away"
    differing = sorted({item.path for item in set(before) ^ set(now)})
    if differing:
        return f"{differing[0]} changed"
    files = (one.path for item in now for one in bench.tree.opened(item))
    written = bench.tree.written_between(files, ended.started, time.time())
    return f"{written} was written, though it is the same again," if written else ""
