"""The `if` of a step: its value, or what has to end before it has one. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.expressions import (
    ExpressionError,
    ExpressionScope,
    Name,
    bare,
    calls,
    condition,
    missing_key,
    names,
    parse,
    text,
)
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import StepFacts, Written
from mlpipe_ci.core.step_contexts import own_contexts
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.metrics.files import nested_metrics

STRICT = frozenset({"params", "matrix"})


@frozen
class ConditionContext:
    """What an `if` may ask. `hash_files`: digest of the files that patterns mean, or ''."""

    workflow: Workflow
    github: Mapping[str, Any]
    facts: StepFacts
    hash_files: Callable[[tuple[str, ...]], str]


@frozen
class Condition:
    """The value of an `if`; with `waits_for`, why it is not known yet."""

    value: bool = True
    waits_for: tuple[str, ...] = ()


def evaluate_condition(
    step: Step, context: ConditionContext, written: Written, failed: tuple[str, ...]
) -> Condition:
    """Evaluate a step's `if`. `failed`: steps that did not succeed. Raises MlpipeError."""
    if step.condition is None:
        return Condition(value=not failed)
    try:
        waits = _waits(step, context, written)
        if waits:
            return Condition(waits_for=waits)
        scope = _scope(step, context)
        _refuse_unknown_metrics(step.condition, scope)
        value = condition(step.condition, scope, succeeded=not failed)
    except ExpressionError as error:
        where = f"{context.workflow.file}:{step.line}: step '{step.name}': if: "
        raise MlpipeError(where + str(error)) from error
    return Condition(value=value)


def _waits(step: Step, context: ConditionContext, written: Written) -> tuple[str, ...]:
    tree = parse(bare(step.condition or ""))
    asked = {id_ for name in names(tree) for id_ in _asked(name, context)}
    found = [
        f"if: asks how {other} ends" for other in sorted(asked) if context.facts[other] is None
    ]
    if any(call.name.lower() == "hashfiles" for call in calls(tree)):
        found += [f"if: hashes files after {i} has run" for i, w in written.items() if w is None]
    return tuple(found)


def _refuse_unknown_metrics(source: str, scope: ExpressionScope) -> None:
    """A metric that a step which succeeded does not have is a slip, not null."""
    for name in names(parse(bare(source))):
        of = name.keys[:2] if name.root.lower() == "steps" else ()
        facts = scope.contexts["steps"].get(of[0]) if len(of) > 1 and of[1] == "metrics" else None
        missing = missing_key(scope.contexts["steps"], name) if facts else None
        if facts and facts["outcome"] == "success" and missing:
            raise ExpressionError(missing)


def _asked(name: Name, context: ConditionContext) -> list[str]:
    """Ids of the steps that a name asks about; of a matrix, all its instances."""
    if name.root.lower() != "steps":
        return []
    known = [step for step in context.workflow.steps if step.id in context.facts]
    return [s.id for s in known if not name.keys or name.keys[0] in {s.id, s.group}]


def _scope(step: Step, context: ConditionContext) -> ExpressionScope:
    contexts = {
        "github": context.github,
        "env": dict(step.env),
        "params": context.workflow.params,
        **own_contexts(step.strategy),
        "steps": _steps(context),
    }

    def hash_files(*patterns: Any) -> str:
        return context.hash_files(tuple(text(pattern) for pattern in patterns))

    return ExpressionScope(contexts=contexts, functions={"hashfiles": hash_files}, strict=STRICT)


def _steps(context: ConditionContext) -> dict[str, Any]:
    """Facts by id, and for each matrix those of all its instances in one: the worst outcome."""
    found: dict[str, Any] = {}
    for step in context.workflow.steps:
        facts = context.facts.get(step.id)
        if facts is None:
            continue
        facts = {**facts, "metrics": nested_metrics(facts["metrics"])}
        found[step.id] = dict(facts)
        if step.strategy:
            group = found.setdefault(step.group, {**facts, "metrics": {}})
            for key in ("outcome", "conclusion"):
                group[key] = facts[key] if group[key] == "success" else group[key]
            group["metrics"] = {**group["metrics"], **facts["metrics"]}
    return found
