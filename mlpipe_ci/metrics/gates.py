"""Holds gates against the metrics of a step and those of the base. Pure.

What is written for each odd case: a metric that is not there, or is not a number: missed. Nothing
known of the base: passed, with a warning; missed with `require-base`. A metric that the base does
not have, or for which it has no number: the same. Anything but true and false: missed.
"""

import math
from collections.abc import Mapping
from typing import Any

from mlpipe_ci.core.expressions import (
    ExpressionError,
    ExpressionScope,
    Name,
    evaluate,
    missing_key,
    names,
    parse,
)
from mlpipe_ci.core.expressions.values import Value, number_text
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.metric_direction import LOWER, direction
from mlpipe_ci.core.metric_statistics import STANDARD_ERRORS, standard_error
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.run import BaseMetrics, GateCheck, GateResult, StepOutcome
from mlpipe_ci.core.step_contexts import own_contexts
from mlpipe_ci.metrics.files import nested_metrics
from mlpipe_ci.report.wording import number

DIGITS = 5
"""Significant ones, as in tables of metrics."""
LITERAL = regex(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
STRICT = frozenset({"params", "matrix", "metrics", "base"})
ERRORS = (ExpressionError, ZeroDivisionError, OverflowError, ValueError, TypeError)


class Metric(float):
    """A number that knows its name, as `worse_than_base` has to look it up for the base."""

    name: str = ""


def check_gate(check: GateCheck, outcome: StepOutcome, base: BaseMetrics | None) -> GateResult:
    """Hold one gate against what a step measured. `base` is None where none was asked for."""
    text = check.gate.text
    try:
        passed, why = _check(check, outcome, base or BaseMetrics(source="there is no base"))
    except ERRORS as error:
        passed, why = False, str(error)
    return GateResult(gate=text, passed=passed, why=why, origin=check.origin)


def _check(check: GateCheck, outcome: StepOutcome, base: BaseMetrics) -> tuple[bool | None, str]:
    text, found = check.gate.text, dict(outcome.measured.metrics)
    metrics = nested_metrics({name: _named(name, value) for name, value in found.items()})
    asked = list(names(parse(text)))
    for name in (name for name in asked if name.root.lower() == "metrics"):
        if missing := missing_key(metrics, name):
            return False, missing
    values = _values(asked, "metrics", metrics)
    if bad := next((name for name, value in values if not math.isfinite(value)), ""):
        return False, f"{bad} is {number_text(dict(values)[bad])}"
    unknown = _unknown(check, asked, base)
    if unknown:
        return (False if check.gate.require_base else None), unknown
    base_values = _values(asked, "base", nested_metrics(dict(base.metrics)))
    scope = ExpressionScope(
        contexts={
            "metrics": metrics,
            "base": nested_metrics(dict(base.metrics)),
            "params": check.params,
            **own_contexts(check.step.strategy),
            "env": dict(check.step.env),
        },
        functions={"worse_than_base": _Comparing(check, outcome, base).worse},
        strict=STRICT,
    )
    value = evaluate(text, scope)
    known = [*values, *base_values, *_values(asked, "params", check.params)]
    why = ", ".join(f"{name} is {_shown(value, text, known)}" for name, value in known)
    if not isinstance(value, bool):
        return False, "the gate is neither true nor false; compare with something, as in … >= 0.8"
    return value, why


def _named(name: str, value: float) -> Metric:
    metric = Metric(value)
    metric.name = name
    return metric


def _values(asked: list[Name], root: str, context: Any) -> list[tuple[str, float]]:
    """The numbers that an expression names in a context, each once."""
    found: dict[str, float] = {}
    for name in asked:
        if name.root.lower() == root and not missing_key(context, name):
            value = context
            for key in name.keys:
                items = value.items() if isinstance(value, Mapping) else ()
                value = next((v for k, v in items if str(k).lower() == key.lower()), None)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[".".join((root, *name.keys))] = value
    return list(found.items())


def _shown(value: float, gate: str, known: list[tuple[str, float]]) -> str:
    """A number as tables show it, with more digits where it would seem to be another one that the
    gate names.
    """
    others = {float(one) for one in LITERAL.findall(gate)} | {float(one) for _, one in known}
    texts = (number(value, digits) for digits in (DIGITS, 8, 11, 14))
    apart = (text for text in texts if float(text) == value or float(text) not in others)
    return next(apart, number_text(value))


def _unknown(check: GateCheck, asked: list[Name], base: BaseMetrics) -> str:
    """Why the base's part of a gate is not known; empty if it is, or is not asked for."""
    comparing = "worse_than_base" in check.gate.text.lower()
    wanted = [name for name in asked if name.root.lower() == "base"]
    if comparing:
        wanted += [
            Name("base", name.keys, whole=True) for name in asked if name.root.lower() == "metrics"
        ]
    if not wanted:
        return ""
    if not base.metrics:
        return base.source or "the base has no metrics"
    context = nested_metrics(dict(base.metrics))
    if missing := next(filter(None, (missing_key(context, name) for name in wanted)), None):
        return missing
    values = _values(wanted, "base", context)
    bad = next(((name, value) for name, value in values if not math.isfinite(value)), None)
    return f"{bad[0]} is {number_text(bad[1])}" if bad else ""


@frozen(kw_only=False)
class _Comparing:
    """The function `worse_than_base` for one step."""

    check: GateCheck
    outcome: StepOutcome
    base: BaseMetrics

    def worse(self, metric: Value, errors: Value = STANDARD_ERRORS) -> bool:
        """True if the metric is worse than the base's by more than so many standard errors."""
        if not isinstance(metric, Metric):
            raise ExpressionError("worse_than_base() takes a metric by its name: metrics.auc")
        if isinstance(errors, bool) or not isinstance(errors, int | float) or errors < 0:
            raise ExpressionError("worse_than_base() takes a number of standard errors, such as 2")
        name = metric.name
        better = direction(name, self.check.step.directions).better
        if not better:
            raise ExpressionError(
                f"whether more of {name} is better is not known; say it at 'metrics': "
                f"{{path: …, higher-is-better: [{name}]}}"
            )
        head = dict(self.outcome.measured.samples).get(name, (float(metric),))
        base = dict(self.base.samples).get(name, (dict(self.base.metrics)[name],))
        error = standard_error(head, base)
        if error is None:
            raise ExpressionError(
                f"how far {name} scatters is not known; say 'repeat: 5' at the step"
            )
        worse = dict(self.base.metrics)[name] - float(metric)
        return (-worse if better == LOWER else worse) > float(errors) * error
