"""Text of an expression to a tree, and what a tree names. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from mlpipe_ci.core.frozen import frozen

GRAMMAR = r"""
?start: or_
?or_: and_ | or_ "||" and_ -> either
?and_: equal | and_ "&&" equal -> both
?equal: less | equal "==" less -> eq | equal "!=" less -> ne
?less: sum | less "<" sum -> lt | less "<=" sum -> le | less ">" sum -> gt | less ">=" sum -> ge
?sum: product | sum "+" product -> add | sum "-" product -> sub
?product: unary | product "*" unary -> mul | product "/" unary -> div
?unary: "!" unary -> invert | "-" unary -> minus | "+" unary -> plus
      | postfix | NUMBER -> number | STRING -> string | LITERAL -> literal
?postfix: "(" or_ ")" -> group
        | NAME "(" (or_ ("," or_)* ","?)? ")" -> call
        | NAME -> name
        | postfix "." NAME -> member
        | postfix "[" or_ "]" -> item
        | postfix "." "*" -> star
        | postfix "[" "*" "]" -> star
NUMBER: /0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?/
STRING: /'(?:[^']|'')*'/
LITERAL.2: /(true|false|null|NaN|Infinity)(?![A-Za-z0-9_-])/
NAME: /[A-Za-z_][A-Za-z0-9_-]*/
%ignore /[ \t\r\n]+/
"""
MAX_LENGTH = 21_000
MAX_DEPTH = 50
"""GitHub's own limits on an expression."""


class ExpressionError(Exception):
    """The expression cannot be parsed or evaluated; the message says why and where."""


@frozen(kw_only=False)
class Name:
    """A context that is named, and the keys after it as far as they are written out.

    `params.train.rate` is Name("params", ("train", "rate")); `whole` is False if an index that is
    computed, or `.*`, follows.
    """

    root: str
    keys: tuple[str, ...]
    whole: bool


@frozen(kw_only=False)
class Call:
    """A function that is called, and with how many values."""

    name: str
    values: int


def bare(text: str) -> str:
    """The expression itself, without `${{ }}` around it."""
    stripped = text.strip()
    wrapped = re.fullmatch(r"\$\{\{(.*)\}\}", stripped, re.DOTALL)
    return wrapped[1] if wrapped and "}}" not in wrapped[1] else stripped


@lru_cache(maxsize=1)
def _parser() -> Any:
    # 60 ms to import and build: only workflows that have an expression pay for it.
    from lark import Lark  # noqa: PLC0415

    return Lark(GRAMMAR, parser="lalr")


@lru_cache(maxsize=1_000)
def parse(text: str) -> Any:
    """The tree of an expression (lark.Tree). Raises ExpressionError."""
    from lark.exceptions import UnexpectedInput  # noqa: PLC0415 - as above

    if len(text) > MAX_LENGTH:
        message = f"the expression has {len(text):,} characters; {MAX_LENGTH:,} is the most"
        raise ExpressionError(message)
    if not text.strip():
        raise ExpressionError("the expression is empty")
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise ExpressionError(_unreadable(text, error)) from error
    if _depth(tree) > MAX_DEPTH:
        raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")
    return tree


def _unreadable(text: str, error: Any) -> str:
    position = error.pos_in_stream
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END" or position is None
    rest = "" if at_end else text[position : position + 20]
    what = f"'{text.strip():.80}' cannot be read at {_word(rest) if rest else 'its end'}"
    return what + _hint(rest, text)


def _word(rest: str) -> str:
    return f"'{rest.rstrip()}'"


def _hint(rest: str, text: str) -> str:
    """What people write who know another language."""
    if rest.startswith('"'):
        return "; a text stands in single quotes"
    if rest.startswith("$"):
        return "; this whole value is an expression, so leave out ${{ and }}"
    if rest.startswith("="):
        return "; equality is =="
    if text.count("'") % 2:
        return "; a quote is not closed (write '' for a quote inside of a text)"
    word = re.match(r"(and|or|not|in|is)\b", rest) or re.match(r"\s*(not)\b", text)
    other = {"and": "&&", "or": "||", "not": "!", "in": "contains(…)", "is": "=="}
    return f"; for '{word[1]}' write {other[word[1]]}" if word else ""


def _depth(tree: Any) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in getattr(node, "children", ())]
    return deepest


def nodes(tree: Any) -> list[Any]:
    """All nodes of a tree, from the top."""
    return list(tree.iter_subtrees_topdown()) if hasattr(tree, "iter_subtrees_topdown") else []


def calls(tree: Any) -> Iterator[Call]:
    """All functions that are called, each time that they are."""
    for node in nodes(tree):
        if node.data == "call":
            given = [child for child in node.children[1:] if child is not None]
            yield Call(str(node.children[0]), len(given))


def names(tree: Any) -> Iterator[Name]:
    """All contexts that are named, each with the keys after it."""
    inner: set[int] = set()
    for node in nodes(tree):
        if node.data in {"name", "member", "item", "star"} and id(node) not in inner:
            chain = [node]
            while chain[-1].data in {"member", "item", "star"}:
                chain.append(chain[-1].children[0])
            inner.update(id(part) for part in chain)
            if chain[-1].data == "name":
                yield _name(chain[::-1])


def _name(chain: list[Any]) -> Name:
    keys: list[str] = []
    for part in chain[1:]:
        key = _literal_key(part)
        if key is None:
            return Name(str(chain[0].children[0]), tuple(keys), whole=False)
        keys.append(key)
    return Name(str(chain[0].children[0]), tuple(keys), whole=True)


def _literal_key(part: Any) -> str | None:
    if part.data == "member":
        return str(part.children[1])
    index = part.children[1] if part.data == "item" else None
    if index is not None and index.data == "string":
        return unquoted(str(index.children[0]))
    plain = index is not None and index.data == "number" and str(index.children[0]).isdigit()
    return str(index.children[0]) if index is not None and plain else None


def unquoted(literal: str) -> str:
    """The text that a literal in single quotes means."""
    return literal[1:-1].replace("''", "'")
