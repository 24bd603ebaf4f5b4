"""May a result be stored? If not, the reason, with what to do about it. Pure."""

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.find import Discovered

SHOWN = 3
NOT_STORED = "the result was not stored"


@frozen
class Observation:
    """What a step that succeeded saw and left.

    `outputs`: all that belongs to its result, files without their digests. `secret`: an output that
    holds the value of a secret. `changed`: an input that is not what it was when the step began,
    in words.
    """

    trace: Trace = Trace()
    discovered: Discovered = Discovered()
    outputs: tuple[Output, ...] = ()
    secret: str = ""
    changed: str = ""


def why_not_stored(step: Step, seen: Observation) -> str:
    """Why the result of a step must not be kept; empty if it may be, or `cache: false` says no."""
    if step.cache is False:
        return ""
    return (
        _why_unknown(step, seen.trace)
        or _why_unfit(step, seen.trace, seen.discovered)
        or (f"its output {seen.secret} holds the value of a secret" if seen.secret else "")
        or next(filter(None, (path_fault(one.path) for one in seen.outputs)), "")
        or seen.changed
    )


def _why_unknown(step: Step, trace: Trace) -> str:
    if step.inputs or trace.complete:
        return ""
    reason = "; ".join(trace.why) or "nothing watched it"
    return f"declares no inputs, and what it reads is not known: {reason}"


def _why_unfit(step: Step, trace: Trace, discovered: Discovered) -> str:
    if step.inputs:
        return _why_without_outputs(step, discovered)
    return _why_it_would_not_come_back(discovered) or _why_unasked(step, trace, discovered)


def _why_without_outputs(step: Step, discovered: Discovered) -> str:
    """What a step writes that declares what it reads alone would not come back with its result."""
    if step.writes or step.cache is True or not discovered.writes:
        return ""
    return (
        f"it writes {some(discovered.writes)}, and declares no outputs; name what is to come back"
    )


def _why_it_would_not_come_back(discovered: Discovered) -> str:
    if discovered.rewrites:
        return f"it changes {some(discovered.rewrites)}, which it also reads"
    if discovered.removes:
        return f"it removes {some(discovered.removes)}"
    if discovered.environments:
        made = some(discovered.environments)
        return f"it makes a Python environment ({made}), which is not stored"
    return ""


def _why_unasked(step: Step, trace: Trace, discovered: Discovered) -> str:
    """What only `cache: true` lets pass."""
    if step.cache is True:
        return ""
    if discovered.outside:
        return f"it writes {some(discovered.outside)}, outside of the repository"
    if trace.network:
        return f"it talks to the network ({some(trace.network)}), and does not say cache: true"
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
    if step.inputs and discovered.rewrites:
        what = some(discovered.rewrites)
        notes += (
            f"it reads {what} and changes it, so that is not counted; declare it as an output",
        )
    if discovered.logs:
        notes += (f"it adds to {some(discovered.logs)}: reuse does not bring that back",)
    return notes


def not_stored_note(step: Step, seen: Observation, why: str) -> tuple[str, ...]:
    """The word that there is no result, in the run that does not store it.

    Of a step that nothing watches, the reason for which it runs says so each time.
    """
    unwatched = not step.inputs and not seen.trace.tracer
    return (f"{NOT_STORED}: {why}",) if why and not unwatched else ()


def some(paths: tuple[str, ...]) -> str:
    """The first few of them, as a sentence names them."""
    return ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")
