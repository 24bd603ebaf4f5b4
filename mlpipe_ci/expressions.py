"""GitHub's expression language: parse and evaluate. Pure.

Grammar, coercions and functions follow GitHub's documentation, "Evaluate expressions in workflows
and actions". Values are null, booleans, numbers (float), strings, lists and maps.
"""

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

Value = Any
"""None, bool, float, str, list or dict: what JSON can say."""

GRAMMAR = r"""
?start: or_
?or_: and_ | or_ "||" and_ -> either
?and_: equal | and_ "&&" equal -> both
?equal: less | equal "==" less -> eq | equal "!=" less -> ne
?less: unary | less "<" unary -> lt | less "<=" unary -> le
     | less ">" unary -> gt | less ">=" unary -> ge
?unary: "!" unary -> invert | postfix
?postfix: atom | postfix "." NAME -> member | postfix "[" or_ "]" -> item
?atom: "(" or_ ")" | NUMBER -> number | STRING -> string
     | NAME "(" [or_ ("," or_)*] ")" -> call | NAME -> name
NUMBER: /[-+]?(0x[0-9a-fA-F]+|0o[0-7]+|(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)/
STRING: /'(?:[^']|'')*'/
NAME: /[A-Za-z_][A-Za-z0-9_-]*/
%ignore /\s+/
"""
LITERALS: dict[str, Value] = {"true": True, "false": False, "null": None, "nan": math.nan}
STATUS_FUNCTIONS = ("success", "failure", "always", "cancelled")
CONTEXTS = ("github", "env")
GITHUB = (
    *("actor", "base_ref", "event", "event_name", "head_ref", "job", "ref", "ref_name", "ref_type"),
    *("repository", "run_attempt", "run_id", "sha", "triggering_actor", "workflow"),
)
"""Names in the context `github`; at a desk most of them are empty."""
MAX_LENGTH = 21_000
"""GitHub's own limit on an expression."""
MAX_DEPTH = 50


class ExpressionError(Exception):
    """The expression cannot be parsed or evaluated; the message says why and where."""


def condition(text: str, contexts: Mapping[str, Value], *, succeeded: bool) -> bool:
    """Evaluate an `if`. Without a status function in it, `success() &&` is meant before it."""
    tree = _parse(_bare(text))
    functions = FUNCTIONS | _status_functions(succeeded=succeeded)
    value = truth(_evaluate(tree, contexts, functions))
    return value and (succeeded or _names_status(tree))


def fault(text: str) -> str | None:
    """What is wrong with an `if` as far as its text tells, or None."""
    try:
        tree = _parse(_bare(text))
    except ExpressionError as error:
        return str(error)
    names = _used(tree)
    functions = {*FUNCTIONS, *STATUS_FUNCTIONS}
    for kind, name in names:
        if kind == "call" and name.lower() not in {f.lower() for f in functions}:
            return f"unknown function '{name}'; known are {', '.join(sorted(functions))}"
        if kind == "name" and name.lower() not in {*CONTEXTS, *LITERALS}:
            quoted = f"; a text stands in single quotes: '{name}'"
            return f"unknown name '{name}'; known are {', '.join(CONTEXTS)}{quoted}"
    return _member_fault(tree) or _call_fault(text)


def _member_fault(tree: Any) -> str | None:
    for node in _nodes(tree):
        of: Any = node.children[0] if node.data == "member" else None
        if getattr(of, "data", "") == "name" and str(of.children[0]).lower() == "github":
            name = str(node.children[1])
            if name.lower() not in GITHUB:
                near = get_close_matches(name.lower(), GITHUB, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(GITHUB)}"
                return f"github has no '{name}'; {hint}"
    return None


def _call_fault(text: str) -> str | None:
    try:
        condition(text, {}, succeeded=True)
    except ExpressionError as error:
        return str(error)
    return None


def truth(value: Value) -> bool:
    """False for false, 0, NaN, '' and null; true for all else."""
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return isinstance(value, list | dict) or bool(value)


def number(value: Value) -> float:
    """GitHub's coercion to a number; NaN where there is none."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    if not isinstance(value, str):
        return math.nan
    text = value.strip()
    if not text:
        return 0.0
    if re.fullmatch(r"0x[0-9a-fA-F]+|0o[0-7]+", text):
        return float(int(text, 0))
    plain = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text)
    return float(text) if plain else math.nan


def string(value: Value) -> str:
    """GitHub's coercion to text; a list or map has none but its kind."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}"
    return value if isinstance(value, str) else ("Array" if isinstance(value, list) else "Object")


def _bare(text: str) -> str:
    stripped = text.strip()
    wrapped = re.fullmatch(r"\$\{\{(.*)\}\}", stripped, re.DOTALL)
    return wrapped[1] if wrapped and "}}" not in wrapped[1] else stripped


@lru_cache(maxsize=1)
def _parser() -> Any:
    # 60 ms to import and build: only workflows that have an expression pay for it.
    from lark import Lark  # noqa: PLC0415

    return Lark(GRAMMAR, parser="lalr")


@lru_cache(maxsize=1000)
def _parse(text: str) -> Any:
    from lark.exceptions import UnexpectedInput  # noqa: PLC0415 - as above

    if len(text) > MAX_LENGTH:
        message = f"the expression has {len(text):,} characters; {MAX_LENGTH:,} is the most"
        raise ExpressionError(message)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        column = 0 if getattr(getattr(error, "token", None), "type", "") == "$END" else error.column
        at = f"at '{text[column - 1 : column + 19]}'" if 0 < column <= len(text) else "at its end"
        raise ExpressionError(f"the expression '{text:.80}' cannot be read {at}") from error
    if _depth(tree) > MAX_DEPTH:
        raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")
    return tree


def _depth(tree: Any) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in getattr(node, "children", ())]
    return deepest


def _used(tree: Any) -> list[tuple[str, str]]:
    kinds = ("call", "name")
    return [(node.data, str(node.children[0])) for node in _nodes(tree) if node.data in kinds]


def _nodes(tree: Any) -> list[Any]:
    return list(tree.iter_subtrees_topdown()) if hasattr(tree, "iter_subtrees_topdown") else []


def _names_status(tree: Any) -> bool:
    return any(kind == "call" and name.lower() in STATUS_FUNCTIONS for kind, name in _used(tree))


def _status_functions(*, succeeded: bool) -> dict[str, Callable[..., Value]]:
    return {
        "success": lambda: succeeded,
        "failure": lambda: not succeeded,
        "always": lambda: True,
        "cancelled": lambda: False,  # a cancelled run starts no further step
    }


def _evaluate(
    tree: Any,
    contexts: Mapping[str, Value],
    functions: Mapping[str, Callable[..., Value]],
) -> Value:
    def value(node: Any) -> Value:
        return _evaluate(node, contexts, functions)

    kind, parts = tree.data, tree.children
    if kind == "number":
        return number(str(parts[0]))
    if kind == "string":
        return str(parts[0])[1:-1].replace("''", "'")
    if kind == "name":
        name = str(parts[0]).lower()
        return LITERALS[name] if name in LITERALS else contexts.get(name)
    if kind == "call":
        return _call(str(parts[0]), [value(part) for part in parts[1:] if part], functions)
    if kind == "member":
        return _member(value(parts[0]), str(parts[1]))
    if kind == "item":
        return _member(value(parts[0]), value(parts[1]))
    if kind == "invert":
        return not truth(value(parts[0]))
    if kind in {"either", "both"}:
        left = value(parts[0])
        return left if truth(left) is (kind == "either") else value(parts[1])
    return _compare(kind, value(parts[0]), value(parts[1]))


def _call(name: str, given: list[Value], functions: Mapping[str, Callable[..., Value]]) -> Value:
    function = next((f for known, f in functions.items() if known.lower() == name.lower()), None)
    try:
        return function(*given) if function else None
    except TypeError as error:
        raise ExpressionError(f"{name}() does not take {len(given)} values") from error


def _member(value: Value, part: Value) -> Value:
    if isinstance(value, Mapping):
        wanted = string(part).lower()
        return next((item for key, item in value.items() if key.lower() == wanted), None)
    if isinstance(value, list) and not isinstance(part, str):
        index = number(part)
        return value[int(index)] if 0 <= index < len(value) else None
    return None


def _compare(kind: str, left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.lower(), right.lower()
    elif type(left) is type(right) and isinstance(left, list | dict):
        return left is right if kind == "eq" else (left is not right and kind == "ne")
    else:
        left, right = number(left), number(right)
    results = {
        "eq": left == right,
        "ne": left != right,
        "lt": left < right,
        "le": left <= right,
        "gt": left > right,
        "ge": left >= right,
    }
    return bool(results[kind])


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, list):
        return any(_compare("eq", item, what) for item in where)
    return string(what).lower() in string(where).lower()


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "contains": _contains,
    "startsWith": lambda text, start: string(text).lower().startswith(string(start).lower()),
    "endsWith": lambda text, end: string(text).lower().endswith(string(end).lower()),
}
