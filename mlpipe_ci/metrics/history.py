"""What steps measured before: from their last results in the cache."""

from dataclasses import replace
from itertools import islice

from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.run import PastMetrics, StepOutcome
from mlpipe_ci.core.workflow import Step

MOST = 20
MOST_METRICS = 50


def with_history(
    outcomes: tuple[StepOutcome, ...], store: Store, scopes: tuple[str, ...]
) -> tuple[StepOutcome, ...]:
    """The outcomes, those with metrics with what their step measured before and now."""
    return tuple(
        _with_history(one, store, scopes) if one.measured.metrics else one for one in outcomes
    )


def _with_history(outcome: StepOutcome, store: Store, scopes: tuple[str, ...]) -> StepOutcome:
    history = _history(outcome.step, store, scopes)
    return replace(outcome, measured=replace(outcome.measured, history=history))


def _history(step: Step, store: Store, scopes: tuple[str, ...]) -> tuple[PastMetrics, ...]:
    """Of the last results of the step, the newest last."""
    found = sorted(islice(store.of_step(step.name, scopes), MOST), key=lambda one: one.finished)
    return tuple(
        PastMetrics(
            commit=one.producer.commit, finished=one.finished, metrics=one.metrics[:MOST_METRICS]
        )
        for one in found
        if one.metrics
    )
