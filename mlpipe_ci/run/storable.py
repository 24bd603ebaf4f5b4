"""May a result be stored? If not, the reason, with what to do about it. Pure."""

from dataclasses import replace

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import SHOWN, is_under, path_fault, some
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.result import Output, undeclared
from mlpipe_ci.core.run import NOT_STORED, NOT_STORED_AGAIN
from mlpipe_ci.core.state_paths import is_state
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.discovered import Discovered

MOST_UNDECLARED = 1_000_000_000
"""Bytes that a step which declares something may leave besides."""


@frozen
class Observation:
    """What a step that succeeded saw and left."""

    trace: Trace = Trace()
    discovered: Discovered = Discovered()
    outputs: tuple[Output, ...] = ()
    """All that belongs to its result, files without their digests."""
    state: tuple[str, ...] = ()
    """Files of a tool's memory that it wrote."""
    tracked: tuple[str, ...] = ()
    """What it wrote without declaring it, and git tracks."""
    naming: tuple[str, ...] = ()
    """Outputs that name the directory of the work tree."""
    leaving: tuple[tuple[str, str], ...] = ()
    """Links to what another clone does not have, each with where it leads."""
    changed_in_place: tuple[str, ...] = ()
    """What was there before the step and is another now."""
    made_from: tuple[str, ...] = ()
    """What a failed attempt left, and this one saw."""
    secret: str = ""
    """An output that holds the value of a secret."""
    changed: str = ""
    """An input that is not what it was when the step began, in words."""
    unstorable: str = ""
    """Why what it saw is not known."""


def why_not_stored(step: Step, seen: Observation) -> str:
    """Why the result of a step must not be kept; empty if it may be, or `cache: false` says no."""
    if step.cache is False:
        return ""
    return (
        _why_tracked(seen)
        or _why_unknown(step, seen)
        or _why_it_would_not_come_back(step, seen)
        or _why_unasked(step, seen)
        or (f"its output {seen.secret} holds the value of a secret" if seen.secret else "")
        or next(filter(None, (path_fault(one.path) for one in seen.outputs)), "")
        or seen.changed
    )


def _why_tracked(seen: Observation) -> str:
    """What git tracks is a source, unless a step says that it makes it."""
    if not seen.tracked:
        return ""
    written = some(seen.tracked)
    it = "it" if len(seen.tracked) == 1 else "them"
    how = f"outputs: [{written}]" if len(seen.tracked) <= SHOWN else "mlpipe trace --write does"
    if set(seen.tracked).isdisjoint(seen.discovered.rewrites):
        return f"it writes {written}, which git tracks; declare {it}: {how}"
    return (
        f"it changes {written}, which git tracks; if it can make that from scratch, declare {it}: "
        f"{how}; else let it write another file"
    )


def _why_unknown(step: Step, seen: Observation) -> str:
    trace = seen.trace
    if seen.unstorable:
        return seen.unstorable
    if step.inputs or trace.complete:
        return ""
    reason = "; ".join(trace.why) or "nothing watched it"
    return f"declares no inputs, and what it reads is not known: {reason}"


def _why_it_would_not_come_back(step: Step, seen: Observation) -> str:
    discovered = seen.discovered
    if seen.made_from:
        return (
            f"it was made from {some(seen.made_from)}, which an attempt that failed has left; the "
            "next run starts without that"
        )
    if discovered.removes:
        return f"it removes {some(discovered.removes)}; remove only what the step itself has made"
    if discovered.environments and not step.inputs:
        made = some(discovered.environments)
        return (
            f"it makes a Python environment ({made}), which is not stored; make it before the run"
        )
    return _why_link(seen) or _why_large(step, seen)


def _why_link(seen: Observation) -> str:
    if not seen.leaving:
        return ""
    path, text = seen.leaving[0]
    return (
        f"its output {path} is a link to {text}, which another clone does not have; let it lead to "
        "a path in the repository, written relative to it, or name it in state"
    )


def _why_large(step: Step, seen: Observation) -> str:
    """A step that declares something may have meant all this to come back, or none of it."""
    more = undeclared(step, seen.outputs)
    size = sum(output.size for output in more)
    if step.declares_nothing or size <= MOST_UNDECLARED:
        return ""
    largest = max(more, key=lambda output: output.size).path
    return (
        f"it writes {size / 1e9:.1f} GB that it does not declare ({largest} and others); name what "
        "is to come back in outputs, and what is to stay in state"
    )


def _why_unasked(step: Step, seen: Observation) -> str:
    """What only `cache: true`, or a step that says what it reads, lets pass."""
    if step.cache is True or step.inputs:
        return ""
    trace, discovered = seen.trace, seen.discovered
    if discovered.outside:
        return f"it writes {some(discovered.outside)}, outside of the repository"
    if discovered.installed:
        return (
            f"it installs into {some(discovered.installed)}, which is not stored; install before "
            "the run, or say cache: true"
        )
    if trace.network:
        return f"it talks to the network ({some(trace.network)}), and does not say cache: true"
    if not step.writes and not discovered.writes and seen.state:
        return (
            f"it writes nothing but its state, {some(seen.state)}, which stays as it is (cache: "
            "true reuses it)"
        )
    if not step.writes and not discovered.writes and discovered.logs:
        return f"it writes nothing but what it adds to {some(discovered.logs)}"
    if not step.writes and not discovered.writes:
        return "it writes nothing in the repository, so it runs each time (cache: true reuses it)"
    return ""


def tracing_notes(step: Step, seen: Observation) -> tuple[str, ...]:
    """What the reader should know about what was seen."""
    trace, discovered = seen.trace, seen.discovered
    notes: tuple[str, ...] = ()
    if trace.why and step.inputs and trace.tracer:
        notes += (f"only what it declares counts: {'; '.join(trace.why)}",)
    if discovered.rewrites:
        text = f"it changes {some(discovered.rewrites)}, which it also reads: it is reused only "
        text += "where both are the same; if it runs each time, make it from scratch, or name it "
        notes += (text + "in state",)
    if seen.state:
        text = "it keeps state, which stays from run to run and where it is reused: "
        notes += (text + some(seen.state),)
    if discovered.logs:
        notes += (f"it adds to {some(discovered.logs)}: reuse does not bring that back",)
    return notes


def not_stored_note(decision: Decision, seen: Observation, why: str) -> tuple[str, ...]:
    """The word that there is no result, in the run that does not store it.

    Of a step that nothing watches, the reason for which it runs says so each time. What another
    reason says already is not said again.
    """
    if not why or (not decision.step.inputs and not seen.trace.tracer):
        return ()
    return (NOT_STORED_AGAIN if why in decision.reasons else f"{NOT_STORED}: {why}",)


def without_state(discovered: Discovered, workflow: Workflow) -> Discovered:
    """The same without what a tool keeps for itself, and without environments: nobody's outputs.

    What it changed in place is among `writes` then.
    """

    def counts(path: str) -> bool:
        own = any(is_under(path, one) for one in discovered.environments)
        return not own and not is_state(path, workflow.all_state)

    return replace(
        discovered,
        writes=tuple(filter(counts, sorted({*discovered.writes, *discovered.rewrites}))),
        rewrites=tuple(filter(counts, discovered.rewrites)),
        removes=tuple(filter(counts, discovered.removes)),
        logs=tuple(filter(counts, discovered.logs)),
    )


def state_of(discovered: Discovered, workflow: Workflow) -> tuple[str, ...]:
    """What the step wrote of a tool's memory."""
    wrote = sorted({*discovered.writes, *discovered.rewrites, *discovered.logs})
    return tuple(path for path in wrote if is_state(path, workflow.all_state))
