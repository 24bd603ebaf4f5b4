"""Which tracer watches a command."""

from mlpipe_ci.tracing.base import Request, Tracer
from mlpipe_ci.tracing.untraced import Off


def tracer_for(request: Request | None) -> Tracer:
    """The tracer of one command; None: it is not to be watched."""
    if request is None:
        return Off()
    from mlpipe_ci.tracing.seccomp.tracer import Watched  # noqa: PLC0415 - only where a command runs

    return Watched(request)
