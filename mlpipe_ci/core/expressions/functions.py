"""The functions of expressions, as GitHub has them. Pure."""

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from mlpipe_ci.core.expressions.syntax import Call, ExpressionError
from mlpipe_ci.core.expressions.values import Value, equal, folded, is_primitive, text, to_json

Function = Callable[..., Value]
MANY = 255
MAX_JSON_DEPTH = 100
STATUS_FUNCTIONS = ("success", "failure", "always", "cancelled")


def call_fault(call: Call) -> str | None:
    """What is wrong with a call as far as the text shows, or None."""
    takes = ARITY.get(call.name.lower())
    if takes is None:
        from difflib import get_close_matches  # noqa: PLC0415 - only for an error

        near = get_close_matches(call.name.lower(), ARITY, n=1)
        spelled = [name for name in SPELLED if name.lower() in near]
        hint = f"did you mean '{spelled[0]}'?" if spelled else f"known are {', '.join(SPELLED)}"
        return f"unknown function '{call.name}'; {hint}"
    least, most = takes
    even = call.name.lower() == "case" and call.values % 2 == 0
    if least <= call.values <= most and not even:
        return None
    some = f"{least} to {most}" if most < MANY else f"{least} or more"
    needs = f"{least}" if least == most else some
    odd = " (an odd number of them)" if even else ""
    return f"{call.name}() does not take {call.values} values; it takes {needs}{odd}"


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, list):
        return any(equal(what, item) for item in where)
    plain = is_primitive(where) and is_primitive(what)
    return plain and text(what).lower() in text(where).lower()


def _starts_with(where: Value, what: Value) -> bool:
    plain = is_primitive(where) and is_primitive(what)
    return plain and folded(text(where)).startswith(folded(text(what)))


def _ends_with(where: Value, what: Value) -> bool:
    plain = is_primitive(where) and is_primitive(what)
    return plain and folded(text(where)).endswith(folded(text(what)))


def _join(items: Value, separator: Value = ",") -> str:
    if isinstance(items, list):
        between = text(separator) if is_primitive(separator) else ","
        return between.join(text(item) for item in items)
    return text(items) if is_primitive(items) else ""


def _format(pattern: Value, *values: Value) -> str:
    found, position, source = [], 0, text(pattern)
    for match in re.finditer(r"\{\{|\}\}|\{([0-9]+)[^}]*\}|[{}]", source):
        found.append(source[position : match.start()])
        found.append(_replaced(match, values))
        position = match.end()
    return "".join(found) + source[position:]


def _replaced(match: re.Match[str], values: tuple[Value, ...]) -> str:
    if match[0] in {"{{", "}}"}:
        return match[0][0]
    if match[1] is None:
        raise ExpressionError(
            f"format(): a single {match[0]} at character {match.start() + 1} of its text; write "
            f"{match[0] * 2} for the character itself, {{0}} for the first value"
        )
    index = int(match[1][:4])
    if index >= len(values):
        raise ExpressionError(f"format(): {match[0]} has no value; it was given {len(values)}")
    return text(values[index])


def _from_json(source: Value) -> Value:
    try:
        value = json.loads(text(source), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"fromJSON(): '{text(source):.40}' is not JSON") from error
    return value if _shallow(value) else _too_deep()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _too_deep() -> NoReturn:
    raise ExpressionError(f"fromJSON(): nested deeper than {MAX_JSON_DEPTH} levels")


def _shallow(value: Value) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, list | dict)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return not level


def _case(*values: Value) -> Value:
    for index in range(0, len(values) - 1, 2):
        if not isinstance(values[index], bool):
            kind = text(values[index]) if is_primitive(values[index]) else "a list or a map"
            raise ExpressionError(f"case(): a condition must be true or false, and is {kind}")
        if values[index]:
            return values[index + 1]
    return values[-1]


FUNCTIONS: dict[str, Function] = {
    "case": _case,
    "contains": _contains,
    "startswith": _starts_with,
    "endswith": _ends_with,
    "format": _format,
    "join": _join,
    "tojson": to_json,
    "fromjson": _from_json,
}
"""By name in lower case: names of functions have no case."""
ARITY = {
    "case": (3, MANY),
    "contains": (2, 2),
    "startswith": (2, 2),
    "endswith": (2, 2),
    "format": (1, MANY),
    "join": (1, 2),
    "tojson": (1, 1),
    "fromjson": (1, 1),
    "hashfiles": (1, MANY),
    "worse_than_base": (1, 2),
    **dict.fromkeys(STATUS_FUNCTIONS, (0, 0)),
}
SPELLED = (
    *("always", "cancelled", "case", "contains", "endsWith", "failure", "format", "fromJSON"),
    *("hashFiles", "join", "startsWith", "success", "toJSON", "worse_than_base"),
)
"""All names as they are usually written."""


def arithmetic(kind: str, left: float, right: float) -> float:
    """`+ - * /` on numbers. Whole numbers stay exact. Raises ExpressionError."""
    try:
        if kind == "div":
            exact = isinstance(left, int) and isinstance(right, int) and left % right == 0
            return left // right if exact else left / right
        return {"add": left + right, "sub": left - right, "mul": left * right}[kind]
    except ZeroDivisionError as error:
        raise ExpressionError("a division by zero") from error
    except OverflowError as error:
        raise ExpressionError("a number that is too large") from error


def whole_number(value: float) -> bool:
    """True if the number can be used as an index: finite and not negative."""
    return 0 <= value < math.inf  # math.isnan would fail on a whole number of 400 digits
