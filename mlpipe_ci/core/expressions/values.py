"""Values of expressions, and how GitHub turns one kind into another. Pure.

A value is None, a bool, an int or float, a str, a list or a dict with str keys: what JSON can say.
"""

import json
import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

Value = Any
FRACTION = Decimal("1e-15")
"""GitHub writes numbers with at most 15 digits after the point."""
EXACT = Context(prec=400)
BASES = {"0x": 16, "0o": 8, "0b": 2}
DOTLESS_I = "ı"
"""Has no upper case of its own: GitHub compares it with nothing but itself."""


class Filtered(list[Value]):
    """What `.*` gives: a list whose items are what the next `.name` or `[index]` looks into."""


def is_primitive(value: Value) -> bool:
    """True for all but lists and maps."""
    return not isinstance(value, list | dict)


def is_number(value: Value) -> bool:
    """True for int and float, but not for true and false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_nan(value: Value) -> bool:
    """True for NaN. A whole number of 400 digits, which no float holds, is none."""
    return isinstance(value, float) and math.isnan(value)


def truth(value: Value) -> bool:
    """False for false, 0, NaN, '' and null; true for all else, also for an empty list."""
    if not is_primitive(value):
        return True
    return bool(value) and not is_nan(value)


def number(value: Value) -> float:
    """The value as a number, NaN where there is none (ECMAScript's rules for texts)."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    return _parsed(value.strip()) if isinstance(value, str) else math.nan


def _parsed(text: str) -> float:
    if not text:
        return 0
    base = BASES.get(text[:2].lower())
    if base:
        digits = text[2:]
        known = "0123456789abcdef"[:base]
        return int(digits, base) if digits and not digits.lower().strip(known) else math.nan
    if re.fullmatch(r"[-+]?Infinity", text):
        return float(text)
    if re.fullmatch(r"[-+]?\d{1,300}", text, re.ASCII):
        return int(text)
    plain = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text, re.ASCII)
    return float(text) if plain else math.nan


def text(value: Value) -> str:
    """The value as text; a list or a map has none but the name of its kind."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if is_number(value):
        return number_text(rounded(value))
    return "Array" if isinstance(value, list) else "Object"


def rounded(value: float) -> float:
    """At most 15 digits after the point, unless that would lose some of the number's first 15."""
    if isinstance(value, int) or not math.isfinite(value) or abs(value) >= 1e21:  # noqa: PLR2004
        return value
    short = float(Decimal(value).quantize(FRACTION, ROUND_HALF_UP, EXACT))
    return short if abs(short - value) <= abs(value) * 1e-15 else value


def number_text(value: float) -> str:
    """A number in ECMAScript's notation (ECMA-262, Number::toString): `1e-7`, `0.1`, `1e+21`."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    _, indexes, shift = Decimal(repr(abs(value))).normalize().as_tuple()
    digits, point = "".join(map(str, indexes)), len(indexes) + int(shift)
    return ("-" if value < 0 else "") + _notation(digits, point)


def _notation(digits: str, point: int) -> str:
    """Digits with the point after the first `point` of them, as ECMA-262 lays them out."""
    most, least = 21, -6
    if len(digits) <= point <= most:
        return digits + "0" * (point - len(digits))
    if 0 < point <= most:
        return f"{digits[:point]}.{digits[point:]}"
    if least < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"{digits[0]}.{digits[1:]}{exponent}" if len(digits) > 1 else digits + exponent


def to_json(value: Value, indent: str = "\n") -> str:
    """The value as JSON over several lines, indented by two blanks."""
    inner = indent + "  "
    if isinstance(value, dict):
        pairs = (f"{_quoted(key)}: {to_json(item, inner)}" for key, item in value.items())
        return "{" + inner + f",{inner}".join(pairs) + indent + "}" if value else "{}"
    if isinstance(value, list):
        items = (to_json(item, inner) for item in value)
        return "[" + inner + f",{inner}".join(items) + indent + "]" if value else "[]"
    if is_number(value):
        return number_text(value) if isinstance(value, int) or math.isfinite(value) else "null"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def folded(value: str) -> str:
    """A text in the case in which texts are compared."""
    return DOTLESS_I.join(part.upper() for part in value.split(DOTLESS_I))


def equal(left: Value, right: Value) -> bool:
    """`==`: texts without regard to case; lists and maps only if they are the same one."""
    left, right = _alike(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return folded(left) == folded(right)
    if not is_primitive(left) or not is_primitive(right):
        return left is right
    return bool(left == right) and isinstance(left, str) == isinstance(right, str)


def less(left: Value, right: Value) -> bool:
    """`<`: false, as `>` is, for what has no order."""
    left, right = _alike(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _units(left) < _units(right)
    if isinstance(left, bool | int | float) and isinstance(right, bool | int | float):
        return left < right
    return False


def _units(value: str) -> bytes:
    return folded(value).encode("utf-16-be", "surrogatepass")


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Both values as they are compared: of unlike kinds, primitives become numbers."""
    if _kind(left) == _kind(right):
        return left, right
    if is_primitive(left) and is_primitive(right):
        return number(left), number(right)
    return left, right


def _kind(value: Value) -> str:
    return "number" if is_number(value) else type(value).__name__
