"""Which tracer watches a command."""

from mlpipe_ci.tracing.base import Tracer, TraceRequest
from mlpipe_ci.tracing.untraced import Untraced


def tracer_for(request: TraceRequest | None) -> Tracer:
    """The tracer of one command; None: it is not to be watched."""
    if request is None:
        return Untraced()
    from mlpipe_ci.tracing.seccomp.tracer import SeccompTracer  # noqa: PLC0415 - only where a command runs

    return SeccompTracer(request)
