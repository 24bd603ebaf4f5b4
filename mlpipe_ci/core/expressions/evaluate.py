"""Value of an expression, from the contexts that it is given. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from math import inf, nan
from typing import Any

from mlpipe_ci.core.expressions.functions import (
    FUNCTIONS,
    STATUS_FUNCTIONS,
    Function,
    arithmetic,
    call_fault,
    whole_number,
)
from mlpipe_ci.core.expressions.syntax import (
    ExpressionError,
    Name,
    bare,
    calls,
    names,
    parse,
    unquoted,
)
from mlpipe_ci.core.expressions.values import (
    Filtered,
    Value,
    equal,
    is_nan,
    is_number,
    is_primitive,
    less,
    number,
    text,
    truth,
)
from mlpipe_ci.core.frozen import frozen

LITERALS: dict[str, Value] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": nan,
    "Infinity": inf,
}
COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "eq": equal,
    "ne": lambda left, right: not equal(left, right),
    "lt": less,
    "gt": lambda left, right: less(right, left),
    "le": lambda left, right: equal(left, right) or less(left, right),
    "ge": lambda left, right: equal(left, right) or less(right, left),
}
MAX_DIGITS = 300
MOST_NAMED = 10


@frozen
class ExpressionScope:
    """What an expression may see. A key that is missing in a context of `strict` is an error.

    `used` collects what was found in the strict contexts: `("params", "train", "rate")`: 0.1.
    """

    contexts: Mapping[str, Value]
    functions: Mapping[str, Function] = field(default_factory=dict)
    strict: frozenset[str] = frozenset()
    used: dict[tuple[str, ...], Value] = field(default_factory=dict)


def evaluate(source: str, scope: ExpressionScope) -> Value:
    """The value of an expression. Raises ExpressionError."""
    return _value(_checked(source, scope), scope)


def condition(source: str, scope: ExpressionScope, *, succeeded: bool) -> bool:
    """Evaluate an `if`. Without a status function in it, `success() &&` is meant before it."""
    tree = _checked(bare(source), scope)
    functions = {**scope.functions, **_status(succeeded=succeeded)}
    inner = ExpressionScope(contexts=scope.contexts, functions=functions, strict=scope.strict)
    value = truth(_value(tree, inner))
    return value and (succeeded or any(c.name.lower() in STATUS_FUNCTIONS for c in calls(tree)))


def _checked(source: str, scope: ExpressionScope) -> Any:
    tree = parse(source)
    faults = [call_fault(call) for call in calls(tree)]
    faults += [
        f"unknown name '{name.root}'; known are {', '.join(sorted(scope.contexts))}"
        for name in names(tree)
        if name.root.lower() not in scope.contexts
    ]
    for fault in filter(None, faults):
        raise ExpressionError(fault)
    return tree


def _status(*, succeeded: bool) -> dict[str, Function]:
    return {
        "success": lambda: succeeded,
        "failure": lambda: not succeeded,
        "always": lambda: True,
        "cancelled": lambda: False,  # a cancelled run starts no further step
    }


def _value(node: Any, scope: ExpressionScope) -> Value:
    kind, parts = node.data, node.children
    if kind in {"name", "member", "item", "star"}:
        return _chain(node, scope)
    if kind == "number":
        return number(str(parts[0]))
    if kind == "string":
        return unquoted(str(parts[0]))
    if kind == "literal":
        return LITERALS[str(parts[0])]
    if kind == "group":
        return _value(parts[0], scope)
    if kind == "call":
        given = [_value(part, scope) for part in parts[1:] if part is not None]
        return _call(str(parts[0]), given, scope)
    if kind in {"either", "both"}:
        left = _value(parts[0], scope)
        return left if truth(left) is (kind == "either") else _value(parts[1], scope)
    return _operator(kind, [_value(part, scope) for part in parts])


def _operator(kind: str, values: list[Value]) -> Value:
    if kind == "invert":
        return not truth(values[0])
    if kind in COMPARISONS:
        return COMPARISONS[kind](values[0], values[1])
    operands = [_operand(value) for value in values]
    if kind in {"minus", "plus"}:
        return -operands[0] if kind == "minus" else operands[0]
    result = arithmetic(kind, operands[0], operands[1])
    if isinstance(result, int) and result.bit_length() > MAX_DIGITS * 4:
        raise ExpressionError(f"a number of more than {MAX_DIGITS} digits")
    return result


def _operand(value: Value) -> float:
    """A number, or a text that is one. Anything else in a calculation is a slip."""
    found = number(value) if is_number(value) or isinstance(value, str) else nan
    if (is_nan(found) and not is_nan(value)) or value == "":
        what = f"'{text(value):.40}'" if is_primitive(value) else "a list or a map"
        raise ExpressionError(f"{what if value is not None else 'null'} is not a number")
    return found


def _call(name: str, given: list[Value], scope: ExpressionScope) -> Value:
    function = scope.functions.get(name.lower()) or FUNCTIONS.get(name.lower())
    if function is None:
        raise ExpressionError(f"{name}() cannot be used here")
    return function(*given)


def _chain(node: Any, scope: ExpressionScope) -> Value:
    """The value of `name`, `.key`, `[index]` and `.*` in a row."""
    chain = [node]
    while chain[-1].data in {"member", "item", "star"}:
        chain.append(chain[-1].children[0])
    root = str(chain[-1].children[0]).lower() if chain[-1].data == "name" else ""
    value = scope.contexts.get(root) if root else _value(chain[-1], scope)
    strict, path = root in scope.strict, [root]
    for part in chain[-2::-1]:
        if part.data == "star":
            _record(scope, path, value, strict=strict)
            strict, value = False, _all(value)
            continue
        key = _key(part, scope)
        if strict:
            _require(value, key, path)
            path.append(text(key))
        value = _look_up(value, key)
    _record(scope, path, value, strict=strict)
    return value


def _record(scope: ExpressionScope, path: list[str], value: Value, *, strict: bool) -> None:
    if strict:
        scope.used[tuple(path)] = value


def _key(part: Any, scope: ExpressionScope) -> Value:
    return str(part.children[1]) if part.data == "member" else _value(part.children[1], scope)


def _require(value: Value, key: Value, path: list[str]) -> None:
    if not _has(value, key):
        raise ExpressionError(f"{'.'.join(path)} has no '{text(key)}'; {nearest(value, text(key))}")


def missing_key(value: Value, name: Name) -> str | None:
    """Say that a context does not hold what an expression names, with the nearest; else None."""
    path, record = [name.root], value
    for key in name.keys:
        if not _has(record, key):
            hint = nearest(record, key)
            elsewhere = next((p for p in _paths(value) if p.rpartition(".")[2] == key), None)
            hint = f"there is '{elsewhere}'" if elsewhere else hint
            return f"{'.'.join(path)} has no '{key}'; {hint}"
        path.append(key)
        record = _look_up(record, key)
    return None


def _paths(value: Value, prefix: str = "") -> Iterator[str]:
    """Dotted paths of all keys in maps."""
    for key, item in value.items() if isinstance(value, dict) else ():
        yield f"{prefix}{key}"
        yield from _paths(item, f"{prefix}{key}.")


def nearest(value: Value, key: str) -> str:
    """What is there instead of a key that is not."""
    if isinstance(value, list):
        return f"it is a list of {len(value)} items"
    if not isinstance(value, dict):
        return "it is one value"
    from difflib import get_close_matches  # noqa: PLC0415 - only for an error

    near = get_close_matches(key, list(value), n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    known = ", ".join(list(value)[:MOST_NAMED]) + (", …" if len(value) > MOST_NAMED else "")
    return f"it has {known}" if known else "it is empty"


def _has(value: Value, key: Value) -> bool:
    if isinstance(value, dict):
        return is_primitive(key) and any(k.lower() == text(key).lower() for k in value)
    index = number(key)
    return isinstance(value, list) and whole_number(index) and index < len(value)


def _look_up(value: Value, key: Value) -> Value:
    if isinstance(value, Filtered):
        return Filtered(_look_up(item, key) for item in value if _has(item, key))
    if isinstance(value, dict):
        wanted = text(key).lower() if is_primitive(key) else None
        return next((item for name, item in value.items() if name.lower() == wanted), None)
    return value[int(number(key))] if _has(value, key) else None


def _all(value: Value) -> Filtered:
    """What `.*` means: the items of a list, the values of a map; of each, if it was filtered."""
    if isinstance(value, Filtered):
        return Filtered(inner for item in value for inner in _all(item))
    if isinstance(value, dict):
        return Filtered(value.values())
    return Filtered(value if isinstance(value, list) else ())
