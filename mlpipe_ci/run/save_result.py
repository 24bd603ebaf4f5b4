"""Keeps the result of a step that has succeeded, if it may be kept."""

import time
from dataclasses import replace
from functools import partial
from itertools import chain

from mlpipe_ci.cache import outputs
from mlpipe_ci.cache.last_trace import Traced
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.metric_statistics import Samples
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.conflicts import Touched
from mlpipe_ci.run.context import Bench
from mlpipe_ci.run.executors.base import Outcome
from mlpipe_ci.run.file_access import looked_for, touched_now
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.check import ABSENT, KEPT, VARIABLE
from mlpipe_ci.tracing.discovery.find import Finder, Finding

SHOWN = 3
CONTENTS = ("git:", "blake3:", "link:")
"""Digests of what is in a file."""


@frozen
class Kept:
    """What became of a success: outputs, notes for the reader, and what was seen of the step."""

    outputs: tuple[Output, ...]
    notes: tuple[str, ...]
    traced: Traced
    touched: Touched


def keep_result(
    bench: Bench,
    decision: Decision,
    ended: Outcome,
    metrics: tuple[tuple[str, float], ...],
    samples: Samples = (),
) -> Kept:
    """Keep the outputs and the result of a step that succeeded.

    A fault of the cache is told in a note, and is no failure. Raises MissingOutputError.
    """
    step, store = decision.step, bench.store
    finding = _find(bench, step, ended)
    more = finding.writes if step.undeclared else ()
    _announce(bench, step, more)
    why = why_unstored(step, ended.trace, finding) or _why_secret(bench, step, ended, more)
    keep = None if why or step.cache is False else store
    notes = _tracing_notes(step, ended.trace, finding)
    touched = touched_now(finding, ended.trace, bench.root)
    kept = partial(_kept, _traced(bench, step, finding, touched), touched)
    try:
        wrote = outputs.save(bench.root, step, keep, more)
        log = keep.save(ended.job.log)[0] if keep else ""
    except OSError as error:
        wrote = outputs.save(bench.root, step, None, more)
        return kept(wrote, (_not_stored(error),))
    if why and step.inputs:
        notes += (f"the result was not stored: {why}",)
    if not why and keep:
        git = next((path_fault(o.path) for o in wrote if path_fault(o.path)), None)
        why = git or _changed_meanwhile(bench, decision, ended, finding)
        notes += (f"the result was not stored: {why}",) if why else ()
    if keep is None or why or decision.parts is None or decision.key is None:
        return kept(wrote, notes, why)
    result = Result(
        key=decision.key,
        step=step.name,
        parts=decision.parts,
        discovered=finding.inputs,
        outputs=wrote,
        metrics=metrics,
        samples=samples,
        log=log,
        seconds=ended.seconds,
        finished=time.time(),
        producer=bench.producer,
    )
    notes += _add(keep, result, bench.scopes[0], forced=decision.forced)
    return kept(wrote, notes, made=result.finished if _is_watched(step, result) else 0.0)


def _why_secret(bench: Bench, step: Step, ended: Outcome, more: tuple[str, ...]) -> str:
    """Said before anything is stored: what lies in a cache, others may read."""
    if not ended.job.secrets or bench.store is None or step.cache is False:
        return ""
    wrote = outputs.save(bench.root, step, None, more)
    leak = outputs.leak(bench.root, wrote, ended.job.secrets)
    return f"its output {leak} holds the value of a secret" if leak else ""


def _find(bench: Bench, step: Step, ended: Outcome) -> Finding:
    """What was seen; nothing if it was not all."""
    if not ended.trace.complete:
        return Finding()
    place = bench.workflow.places[step.id]
    env = dict(ended.job.env)
    finder = Finder(str(bench.root), step, place, bench.checker, ended.started, env)
    return finder.find(ended.trace, bench.workflow.params_files)


def _announce(bench: Bench, step: Step, paths: tuple[str, ...]) -> None:
    """From now on these are outputs: read by their bytes, and no news for those who list them."""
    bench.tree.add_outputs(paths)
    bench.later.add(bench.workflow.places[step.id], paths)


def why_unstored(step: Step, trace: Trace, finding: Finding) -> str:
    """Why a step's result must not be reused, if it does not declare what it reads; else empty."""
    if step.cache is False:
        return ""
    if step.inputs:
        return _why_without_outputs(step, finding)
    if not trace.complete:
        reason = "; ".join(trace.why) or "nothing watched it"
        return f"declares no inputs, and what it reads is not known: {reason}"
    return _why_undeclared(step, trace, finding)


def _why_without_outputs(step: Step, finding: Finding) -> str:
    """What a step writes that declares what it reads alone would not come back with its result."""
    if step.writes or step.cache is True or not finding.writes:
        return ""
    return f"it writes {_some(finding.writes)}, and declares no outputs; name what is to come back"


def _why_undeclared(step: Step, trace: Trace, finding: Finding) -> str:
    if finding.rewrites:
        return f"it changes {_some(finding.rewrites)}, which it also reads"
    if finding.removes:
        return f"it removes {_some(finding.removes)}"
    if finding.environments:
        return f"it makes a Python environment ({_some(finding.environments)}), which is not stored"
    if step.cache is True:
        return ""
    if finding.outside:
        return f"it writes {_some(finding.outside)}, outside of the repository"
    if trace.network:
        return f"it talks to the network ({_some(trace.network)}), and does not say cache: true"
    if not step.writes and not finding.writes and finding.appends:
        return f"it writes nothing but what it adds to {_some(finding.appends)}"
    if not step.writes and not finding.writes:
        return "it writes nothing in the repository, so it runs each time (cache: true reuses it)"
    return ""


def _tracing_notes(step: Step, trace: Trace, finding: Finding) -> tuple[str, ...]:
    """What the reader should know about what was seen."""
    notes: tuple[str, ...] = ()
    if trace.why and step.inputs and trace.tracer:
        notes += (f"only what it declares counts: {'; '.join(trace.why)}",)
    if step.inputs and finding.rewrites:
        some = _some(finding.rewrites)
        notes += (
            f"it reads {some} and changes it, so that is not counted; declare it as an output",
        )
    if finding.appends:
        notes += (f"it adds to {_some(finding.appends)}: reuse does not bring that back",)
    return notes


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")


def _is_watched(step: Step, result: Result) -> bool:
    return bool(result.discovered) or not step.inputs


def _traced(bench: Bench, step: Step, finding: Finding, touched: Touched) -> Traced:
    """What is remembered of a step, before it is known what became of its result."""
    return Traced(
        reads=finding.reads,
        writes=finding.writes,
        variables=finding.variables,
        kept=finding.keeps,
        looked=looked_for(bench, touched, finding.reads),
        shared=bench.state.traced(bench.workflow.file, step.id).shared,
    )


def _kept(
    known: Traced,
    touched: Touched,
    wrote: tuple[Output, ...],
    notes: tuple[str, ...],
    why: str = "",
    made: float = 0.0,
) -> Kept:
    paths = set(known.writes)
    traced = replace(
        known,
        made=made,
        wrote=tuple((o.path, o.digest) for o in wrote if o.path in paths),
        unstored=why,
    )
    return Kept(outputs=wrote, notes=notes, traced=traced, touched=touched)


def traced_of(step: Step, result: Result) -> Traced:
    """What a stored result tells of the step that made it."""
    if not _is_watched(step, result):
        return Traced()
    files = [one for one in result.discovered if one.digest.startswith(CONTENTS)]
    wrote = [(o.path, o.digest) for o in result.outputs] if step.undeclared else []
    return Traced(
        made=result.finished,
        wrote=tuple(wrote),
        reads=tuple(one.path for one in files if not one.path.startswith("/")),
        writes=tuple(path for path, _ in wrote),
        kept=tuple(one.path for one in result.discovered if one.digest == KEPT),
        variables=tuple(
            one.path.removeprefix(VARIABLE)
            for one in result.discovered
            if one.path.startswith(VARIABLE) and one.digest != ABSENT
        ),
    )


def written_before(bench: Bench, step: Step) -> tuple[str, ...]:
    """What the step wrote last time without declaring it, where that is still as it wrote it.

    It goes out of its way, as declared outputs do. What git tracks, or a person changed, stays; and
    what the step itself adds to, as to a log or a database.
    """
    if not step.undeclared:
        return ()
    found = []
    traced = bench.state.traced(bench.workflow.file, step.id)
    for path, digest in traced.wrote:
        if path not in traced.kept and not path_fault(path) and not bench.tree.tracked(path):
            now = bench.tree.known(path)
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
    place = f" ({error.filename})" if error.filename else ""
    return f"the result was not stored: {error.strerror or error}{place}"


def _changed_meanwhile(bench: Bench, decision: Decision, ended: Outcome, finding: Finding) -> str:
    """An input that is another now, or was written meanwhile and has its old content again.

    As when a branch is checked out for a moment while a step runs: who knows what it has read.
    """
    before = decision.parts.inputs if decision.parts else ()
    try:
        now = bench.witness.inputs(decision.step)
    except PathError:
        return "an input went away while the step ran"
    differing = sorted({item.path for item in set(before) ^ set(now)})
    if differing:
        return f"{differing[0]} changed while the step ran"
    files = chain((one.path for item in now for one in bench.tree.opened(item)), finding.reads)
    written = bench.tree.written_between(files, ended.started, time.time()) or finding.meanwhile
    return f"{written} was written while the step ran" if written else ""
