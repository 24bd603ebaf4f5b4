"""The part of a workflow file above its steps: params, env, defaults, inputs of all steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpipe_ci.core.expressions import ExpressionScope, has_expression, pieces
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import normal, normal_pattern
from mlpipe_ci.core.workflow import OverriddenParam
from mlpipe_ci.core.yaml.parse import Document, Problem
from mlpipe_ci.workflow.contexts import KnownNames
from mlpipe_ci.workflow.env import (
    STRICT,
    EnvVariable,
    ExpandError,
    WorkflowContext,
    piece_text,
    variables,
)
from mlpipe_ci.workflow.params import (
    Params,
    ParamsError,
    merge_params,
    overridden,
    read_params,
    with_set,
)
from mlpipe_ci.workflow.steps import PLAIN, expression_problems

NOT_FILLED = ("name", "cache", "state")
"""Keys of the file in which `${{` has no meaning."""


@frozen(kw_only=False)
class HeaderReader:
    """Reads the part above the steps. `settings`: what `--set` was given."""

    document: Document
    root: Path
    github: Mapping[str, Any] | None
    settings: Sequence[str]

    def read(self, broken: set[str | int], problems: list[Problem]) -> WorkflowContext:
        """What is the same for all steps, as far as it can be read. Adds to `problems`.

        `broken`: keys in which a fault was found already. Raises UsageError for `--set`.
        """
        params, changes = (None, ()) if "params" in broken else self._params(problems)
        env = None if params is None or "env" in broken else self._env(params, problems)
        unread = {"params": params is None, "env": env is None}
        value = self.document.value
        sources = [] if "params" in broken else self._sources()
        outer = WorkflowContext(
            params=params or {},
            github=self.github,
            env=env or {},
            defaults={} if "defaults" in broken else value.get("defaults", {}),
            params_files=tuple(normal(one) for _, one in sources if isinstance(one, str)),
            broken=frozenset(key for key, missing in unread.items() if missing),
            overridden=changes,
            environment=value.get("environment"),
        )
        for key in NOT_FILLED:
            problems += expression_problems(
                self.document, (key,), value.get(key), PLAIN, KnownNames()
            )
        return outer if "inputs" in broken else replace(outer, shared=self._shared(outer, problems))

    def _shared(self, outer: WorkflowContext, problems: list[Problem]) -> tuple[str, ...]:
        """The inputs of all steps, with their expressions filled in."""
        raw = self.document.value.get("inputs", ())
        hidden = {name: v.source for name, v in outer.env.items() if v.source}
        known = KnownNames(params=outer.known_params, env=outer.known_env, hidden=hidden)
        found = list(expression_problems(self.document, ("inputs",), list(raw), "inputs", known))
        problems += found
        env = {name: v.value for name, v in outer.env.items() if not v.source}
        contexts = {"params": outer.params, "env": env, "matrix": {}}
        scope = ExpressionScope(contexts=contexts, strict=STRICT)
        try:
            return () if found else tuple(normal_pattern(self._filled(p, scope)) for p in raw)
        except ExpandError as error:
            line_column = self.document.position(error.path, piece=error.piece)
            problems.append(Problem(*line_column, f"inputs: {error}", "expression"))
            return ()

    def _filled(self, pattern: str, scope: ExpressionScope) -> str:
        return "".join(piece_text(piece, scope, ("inputs",)) for piece in pieces(pattern))

    def _sources(self) -> list[tuple[tuple[str | int, ...], Any]]:
        given = self.document.value.get("params", {})
        if isinstance(given, list):
            return [(("params", index), one) for index, one in enumerate(given)]
        return [(("params",), given)]

    def _params(self, problems: list[Problem]) -> tuple[Params | None, tuple[OverriddenParam, ...]]:
        """All values, and those of the files that others take the place of."""
        found: list[Params] = []
        sources = self._sources()
        for path, one in sources:
            try:
                found.append(one if isinstance(one, dict) else self._file(one))
            except ParamsError as error:
                problems.append(
                    Problem(*self.document.position(path), f"params: {error}", "params")
                )
            problems += self._unfilled(one if isinstance(one, dict) else {}, path)
        if len(found) < len(sources):
            return None, ()
        names = [normal(one) if isinstance(one, str) else "" for _, one in sources]
        changes = overridden(list(zip(names, found, strict=True)), self.settings)
        return with_set(merge_params(found), self.settings), changes

    def _file(self, source: str) -> Params:
        if has_expression(source):
            raise ParamsError("a file of params is named as it is; expressions are not filled in")
        return read_params(self.root, source)

    def _unfilled(self, value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
        """An expression in params would be taken for a text, so it is a slip."""
        if isinstance(value, str) and has_expression(value):
            message = "params are plain values; expressions are not filled in here"
            yield Problem(*self.document.position(path), f"params: {message}", "params")
        if isinstance(value, dict | list):
            pairs: Any = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in pairs:
                yield from self._unfilled(item, (*path, key))

    def _env(self, params: Params, problems: list[Problem]) -> dict[str, EnvVariable] | None:
        raw = self.document.value.get("env", {})
        outer = WorkflowContext(params=params, github=self.github, env={}, defaults={})
        found = list(
            expression_problems(self.document, ("env",), raw, "env", KnownNames(params=params))
        )
        problems += found
        try:
            return None if found else variables(raw, outer, {}, ("env",))[0]
        except ExpandError as error:
            line_column = self.document.position(error.path, piece=error.piece)
            where = ".".join(str(part) for part in error.path)
            problems.append(Problem(*line_column, f"{where}: {error}", "expression"))
            return None
