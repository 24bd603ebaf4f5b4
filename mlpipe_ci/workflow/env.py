"""Environment variables of the file: values from params, the event, names of secrets. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from mlpipe_ci.core.expressions import (
    ExpressionError,
    ExpressionScope,
    Piece,
    evaluate,
    names,
    parse,
    pieces,
    text,
)
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.workflow import OverriddenParam

STRICT = frozenset({"params", "matrix", "each", "env"})
"""Contexts in which a key that is missing is an error, and not null."""
Path = tuple[str | int, ...]
Used = dict[tuple[str, ...], Any]


class ExpandError(Exception):
    """An expression has no value, or one of a wrong kind.

    `path`: keys in the step; `piece`: the expression itself.
    """

    def __init__(self, message: str, path: Path, piece: str = "") -> None:
        self.path, self.piece = path, piece
        super().__init__(message)


@frozen
class EnvVariable:
    """An environment variable of the file: its value, with `${{ secrets.NAME }}` left in.

    `source` is `github` or `secrets` if that is where its value comes from, else empty.
    """

    value: str
    source: str = ""
    parts: tuple[tuple[bool, str], ...] = ()


@frozen
class WorkflowContext:
    """What is the same for all steps. `github` is None where no event is known (`validate`).

    `broken`: keys of the file that could not be read; what they would give is not known.
    `environment`: what steps get of the environment that mlpipe was started with.
    """

    params: Mapping[str, Any]
    github: Mapping[str, Any] | None
    env: Mapping[str, EnvVariable]
    defaults: Mapping[str, Any]
    shared: tuple[str, ...] = ()
    params_files: tuple[str, ...] = ()
    overridden: tuple[OverriddenParam, ...] = ()
    broken: frozenset[str] = frozenset()
    environment: str | None = None

    @property
    def known_params(self) -> Mapping[str, Any] | None:
        """The params, None if they are not known."""
        return None if "params" in self.broken else self.params

    @property
    def known_env(self) -> Mapping[str, EnvVariable] | None:
        """The variables of all steps, None if they are not known."""
        return None if "env" in self.broken else self.env


def variables(
    raw: Mapping[str, Any], outer: WorkflowContext, own: Mapping[str, Any], path: Path
) -> tuple[dict[str, EnvVariable], Used]:
    """The variables of an `env`, and which params they use. Raises ExpandError.

    `own`: the contexts `matrix` and `each` of the step.
    """
    contexts = {
        "params": outer.params,
        **own,
        "env": {name: v.value for name, v in outer.env.items() if v.source != "secrets"},
        "github": outer.github or {},
    }
    scope = ExpressionScope(contexts=contexts, strict=STRICT)
    found = {}
    for name, value in raw.items():
        found[name] = _variable(value, scope, outer, (*path, name))
    return found, scope.used


def _variable(
    value: Any, scope: ExpressionScope, outer: WorkflowContext, path: Path
) -> EnvVariable:
    if not isinstance(value, str):
        return EnvVariable(value=text(value))
    parts: list[tuple[bool, str]] = []
    source = ""
    for piece in pieces(value):
        roots = _roots(piece)
        source = "secrets" if "secrets" in roots else source or _origin(piece, roots, outer)
        if "secrets" in roots:
            parts.append((True, _secret(piece, path)))
        elif outer.github is None and "github" in roots:
            parts.append((False, ""))
        else:
            parts.append((False, piece_text(piece, scope, path)))
    shown = "".join(f"${{{{ secrets.{part} }}}}" if secret else part for secret, part in parts)
    return EnvVariable(
        value=shown, source=source, parts=tuple(parts) if source == "secrets" else ()
    )


def _roots(piece: Piece) -> set[str]:
    return {name.root.lower() for name in names(parse(piece.text))} if piece.expression else set()


def _origin(piece: Piece, roots: set[str], outer: WorkflowContext) -> str:
    """`github` if the piece comes from there, be it through a variable of the workflow's env."""
    if "github" in roots:
        return "github"
    if not piece.expression:
        return ""
    outside = {name.lower() for name, variable in outer.env.items() if variable.source}
    asked = [n for n in names(parse(piece.text)) if n.root.lower() == "env"]
    used = any(not n.keys or n.keys[0].lower() in outside for n in asked)
    return "github" if outside and used else ""


def _secret(piece: Piece, path: Path) -> str:
    found = list(names(parse(piece.text)))
    name = found[0]
    plain = re.fullmatch(r"\s*secrets\.[A-Za-z_][A-Za-z0-9_-]*\s*", piece.text, re.IGNORECASE)
    if len(found) != 1 or not plain:
        message = "a secret stands alone: ${{ secrets.NAME }}, with nothing done to it"
        raise ExpandError(message, path, piece.text)
    return name.keys[0]


def piece_text(piece: Piece, scope: ExpressionScope, path: Path) -> str:
    """A part of a text, evaluated if it is an expression. Raises ExpandError."""
    if not piece.expression:
        return piece.text
    try:
        value = evaluate(piece.text, scope)
    except ExpressionError as error:
        raise ExpandError(str(error), path, piece.text) from error
    if isinstance(value, list | dict):
        what, how = ("a list", "join") if isinstance(value, list) else ("a map", "toJSON")
        hint = f"name one of its values, or write {how}({piece.text.strip()})"
        raise ExpandError(f"'{piece.text.strip()}' is {what}; {hint}", path, piece.text)
    return text(value)
