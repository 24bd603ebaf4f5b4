"""How far a metric scatters where a step ran several times, and what a difference is worth. Pure.

Means, sample standard deviations, and the standard error of a difference of two means with
unequal variances: B. L. Welch, Biometrika 34 (1947), 28.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

ENOUGH = 2
"""Values from which there is a standard deviation."""
STANDARD_ERRORS = 2.0
"""A difference up to so many is called noise. With 5 values on each side, equal code is beyond that
in one direction with a chance of 4 % (Student's t with 8 degrees of freedom).
"""
Samples = tuple[tuple[str, tuple[float, ...]], ...]


def samples_by_metric(repetitions: Iterable[Mapping[str, float]]) -> Samples:
    """The values of each metric, from what each repetition measured."""
    found: dict[str, list[float]] = {}
    for one in repetitions:
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return tuple((name, tuple(values)) for name, values in found.items())


def means(samples: Samples) -> tuple[tuple[str, float], ...]:
    """The mean of each metric; NaN if one of its values is not finite."""
    return tuple((name, _mean(v) if _finite(v) else math.nan) for name, v in samples)


def sample_stddev(values: Sequence[float]) -> float | None:
    """Sample standard deviation in the metric's own unit; None if too few values are known."""
    if len(values) < ENOUGH or not _finite(values):
        return None
    mean = _mean(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def standard_error(head: Sequence[float], base: Sequence[float]) -> float | None:
    """Of the difference of two means, in the metric's unit; None if no side's scatter is known.

    A side with one value is taken to scatter as the other one does.
    """
    one, other = sample_stddev(head), sample_stddev(base)
    if one is None and other is None:
        return None
    one, other = (one if one is not None else other), (other if other is not None else one)
    return math.hypot(
        (one or 0.0) / math.sqrt(len(head) or 1), (other or 0.0) / math.sqrt(len(base) or 1)
    )


def _mean(values: Sequence[float]) -> float:
    # `statistics` takes 8 ms to import, which each run would pay.
    return math.fsum(values) / len(values)


def _finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))
