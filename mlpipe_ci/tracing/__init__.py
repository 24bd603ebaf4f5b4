"""Watches what a command reads and writes. A tracer never changes what a step does.

`supervisor` is a program of its own between mlpipe and the command. It uses the first of these that
the system allows: `notify` (seccomp user notification), `strace`, none.
"""

from mlpipe_ci.tracing.base import Request, Trace, Tracer
from mlpipe_ci.tracing.off import Off


def tracer_for(request: Request | None) -> Tracer:
    """The tracer of one command; None: it is not to be watched."""
    if request is None:
        return Off()
    from mlpipe_ci.tracing.watched import Watched  # noqa: PLC0415 - only where a command runs

    return Watched(request)


__all__ = ["Request", "Trace", "Tracer", "tracer_for"]
