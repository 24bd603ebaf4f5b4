"""The tracers, and which of them watches a command."""

import sys
from collections.abc import Mapping

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.import_path import load_object
from mlpipe_ci.core.settings import Settings, from_env
from mlpipe_ci.tracing.base import Tracer, TraceRequest
from mlpipe_ci.tracing.untraced import Untraced

VARIABLE = Settings.tracer.name
"""The environment variable that chooses a tracer by its name in `TRACERS`, `auto` or `off`."""
AUTO, OFF = "auto", "off"
SUPERVISED = "mlpipe_ci.tracing.seccomp.tracer:SupervisedTracer"


@frozen
class TracerEntry:
    """A tracer: its title; the import path of what makes a `Tracer` from a `TraceRequest`; the
    systems where it can work, as `sys.platform` names them; False if it sees nothing.
    """

    title: str
    tracer: str
    systems: tuple[str, ...] = ("linux",)
    watches: bool = True


TRACERS = {
    "notify": TracerEntry(title="seccomp user notification", tracer=SUPERVISED),
    "strace": TracerEntry(title="strace --seccomp-bpf", tracer=SUPERVISED),
    "none": TracerEntry(title="nothing is watched", tracer=SUPERVISED, watches=False),
}
"""By the names that `MLPIPE_TRACER` takes. With `auto` the first is used that the system has.

The first three are one program, the supervisor: only a child that is about to become the command
can find out whether the kernel lets it be watched by seccomp, and falls back to strace.
"""


def chosen_tracer(env: Mapping[str, str]) -> str:
    """What `MLPIPE_TRACER` says: `auto`, `off` or a name. Raises UsageError."""
    name = from_env(env).tracer
    names = (AUTO, OFF, *TRACERS)
    if name not in names:
        raise UsageError(f"{VARIABLE} is '{name}'; it must be one of {', '.join(names)}")
    return name


def why_untraced(env: Mapping[str, str]) -> str:
    """Why no command is watched here; empty if commands are. Raises UsageError."""
    name = chosen_tracer(env)
    if name == OFF:
        return f"{VARIABLE} is off"
    if name == AUTO:
        systems = {system for entry in TRACERS.values() for system in entry.systems}
        return "" if sys.platform in systems else "no tracer works on this system"
    works = sys.platform in TRACERS[name].systems
    return "" if works else f"the tracer {name} does not work on this system"


def tracer_for(request: TraceRequest | None) -> Tracer:
    """The tracer of one command; None: it is not to be watched."""
    if request is None:
        return Untraced()
    name = request.preferred
    if name == AUTO:
        name = next(one for one, entry in TRACERS.items() if sys.platform in entry.systems)
    # Only where a command runs: `plan` imports no tracer.
    tracer: Tracer = load_object(TRACERS[name].tracer)(request)
    return tracer
