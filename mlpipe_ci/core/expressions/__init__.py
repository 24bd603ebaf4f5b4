"""GitHub's expression language, with `+ - * /` added: parse and evaluate. Pure.

Grammar, coercions and functions are those of GitHub's own implementation (npm
`@actions/expressions`), beside which the tests run this one. Where the two differ on purpose is
said in docs/decisions/0007.
"""

from mlpipe_ci.core.expressions.evaluate import (
    ExpressionScope,
    condition,
    evaluate,
    missing_key,
    nearest,
)
from mlpipe_ci.core.expressions.functions import STATUS_FUNCTIONS, call_fault
from mlpipe_ci.core.expressions.syntax import Call, ExpressionError, Name, bare, calls, names, parse
from mlpipe_ci.core.expressions.template import Piece, has_expression, pieces
from mlpipe_ci.core.expressions.values import Value, number, number_text, text, truth

__all__ = [
    "STATUS_FUNCTIONS",
    "Call",
    "ExpressionError",
    "ExpressionScope",
    "Name",
    "Piece",
    "Value",
    "bare",
    "call_fault",
    "calls",
    "condition",
    "evaluate",
    "has_expression",
    "missing_key",
    "names",
    "nearest",
    "number",
    "number_text",
    "parse",
    "pieces",
    "text",
    "truth",
]
