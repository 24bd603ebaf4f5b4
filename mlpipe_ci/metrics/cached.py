"""Metrics of a stored result whose files were plain outputs when it was made."""

from contextlib import suppress
from dataclasses import replace

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import Metrics, MetricsError, parse_metrics, together


def metrics_now(step: Step, result: Result, store: Store) -> Result:
    """A result made when what are metrics now were plain outputs."""
    found: dict[str, Metrics] = {}
    for output in result.outputs:
        if output.path in step.metrics and output.kind == "file" and not output.pack:
            with suppress(DamagedError, MetricsError):
                found[output.path] = parse_metrics(store.read(output.digest), output.path)
    return replace(result, metrics=together(found))
