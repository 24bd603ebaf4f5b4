"""Texts with `${{ }}` in them. Pure."""

from mlpipe_ci.core.expressions.syntax import ExpressionError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex

OPEN, CLOSE = "${{", "}}"
INSIDE = regex(r"(?:'(?:[^']|'')*'|(?!\}\})[^'])*+\}\}")
"""From after `${{` to its `}}`; one inside of a text in quotes does not count."""


@frozen(kw_only=False)
class Piece:
    """A part of a text: as it is, or (`expression`) to be evaluated. `start`: its place in it."""

    text: str
    expression: bool
    start: int


def has_expression(text: str) -> bool:
    """True if the text holds `${{`."""
    return OPEN in text


def pieces(text: str) -> tuple[Piece, ...]:
    """Split a text at its expressions. Raises ExpressionError if one is not closed."""
    found: list[Piece] = []
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        end = INSIDE.match(text, start + len(OPEN))
        if end is None:
            rest = text[start : start + 30].splitlines()[0]
            raise ExpressionError(f"'{rest}' is opened and never closed with }}}}")
        found.append(Piece(text[position:start], expression=False, start=position))
        inner = text[start + len(OPEN) : end.end() - len(CLOSE)]
        found.append(Piece(inner, expression=True, start=start))
        position = end.end()
    found.append(Piece(text[position:], expression=False, start=position))
    return tuple(piece for piece in found if piece.text or piece.expression)
