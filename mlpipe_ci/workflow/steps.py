"""Reads the list of steps: checks each expression, expands each matrix, makes each `Step`."""

from collections.abc import Iterator, Mapping
from typing import Any

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.expressions import (
    ExpressionError,
    ExpressionScope,
    bare,
    evaluate,
    has_expression,
    pieces,
)
from mlpipe_ci.core.paths import normal_pattern, path_fault
from mlpipe_ci.core.step_contexts import facts
from mlpipe_ci.core.workflow import ForEach, Step, StepInstance, slug
from mlpipe_ci.core.yaml.parse import Document, Problem
from mlpipe_ci.workflow import contexts
from mlpipe_ci.workflow.contexts import KnownNames
from mlpipe_ci.workflow.each import ItemError, Strategy, instances
from mlpipe_ci.workflow.env import STRICT, ExpandError, Path, WorkflowContext, piece_text, variables
from mlpipe_ci.workflow.expand import external_of, make_step, step_name
from mlpipe_ci.workflow.matrix import Combination, MatrixError, combinations, ids, suffix
from mlpipe_ci.workflow.workflow_file import FindItems

Raw = Mapping[str, Any]
PLAIN = "plain"
"""In the place of a key: an expression means nothing there."""
NOT_FILLED = ("id", "description", "needs", "cache", PLAIN)
"""Keys of a step in which `${{` has no meaning."""


def expression_problems(
    document: Document, path: Path, value: Any, key: str, known: KnownNames
) -> Iterator[Problem]:
    """What is wrong with the expressions in a value of the file, as far as their text shows."""
    if isinstance(value, dict | list):
        pairs: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for part, item in pairs:
            yield from expression_problems(document, (*path, part), item, key, known)
    elif isinstance(value, str) and (key in {"if", "gates"} or has_expression(value)):
        where = ".".join(str(part) for part in path[2 if path[0] == "steps" else 0 :])
        step = _step_words(document, path)
        for source, message in _text_faults(value, key, known):
            line_column = document.position(path, piece=source)
            yield Problem(*line_column, f"{step}{where}: {message}", "expression")


def _text_faults(value: str, key: str, known: KnownNames) -> Iterator[tuple[str, str]]:
    try:
        whole = key in {"if", "gates"}
        sources = [bare(value)] if whole else [p.text for p in pieces(value) if p.expression]
    except ExpressionError as error:
        yield "${{", str(error)
        return
    for source in sources:
        fault = contexts.problem_with_expression(source, key, known)
        if key in NOT_FILLED:
            fault = "expressions are not filled in here"
        if fault:
            yield source, fault


def _step_words(document: Document, path: Path) -> str:
    return f"step '{document.value['steps'][path[1]]['name']}': " if path[0] == "steps" else ""


class StepReader:
    """Makes the steps of a file. What is wrong is collected in `problems`.

    `broken`: keys in which the schema has found a fault, by number of the entry. A step is made
    without its faulty keys, so that all else that is wrong is found as well. `files`: which ones
    `each` means; what was asked of it is in `items`.
    """

    def __init__(
        self,
        document: Document,
        outer: WorkflowContext,
        broken: dict[int, set[str]],
        files: FindItems,
    ) -> None:
        self._document, self._outer, self._broken = document, outer, broken
        self._files = files
        self.items: list[ForEach] = []
        self._raw: list[Any] = document.value["steps"]
        self.ids = tuple(_group(raw, index) for index, raw in enumerate(self._raw))
        self.problems: list[Problem] = []

    def steps(self) -> tuple[Step, ...]:
        """All steps that can be made, one for each combination of a matrix."""
        found: list[Step] = []
        for index, raw in enumerate(self._raw):
            faulty = self._broken.get(index, set())
            usable = isinstance(raw, dict) and isinstance(raw.get("name"), str) and raw["name"]
            if usable and not faulty & {"name", "strategy", "each"}:
                found += self._entry(index, _without(raw, faulty))
        return tuple(found)

    def _entry(self, index: int, raw: Raw) -> list[Step]:
        matrix = self._matrix(index, raw)
        try:
            faulty = self._check(index, raw, self._known(index, raw, matrix))
            if faulty & {"name", "each"} or matrix == []:
                return []
            sound = _without(raw, faulty)
            return [self._make(index, sound, one) for one in self._instances(index, raw, matrix)]
        except ExpandError as error:
            if not self._outer.broken:  # else it may lack what the head could not give
                self._say(index, error.path, str(error), "expression", error.piece)
        return []

    def _matrix(self, index: int, raw: Raw) -> list[Combination] | None:
        """The combinations; None if the step has no matrix, none if what is wrong was reported."""
        try:
            return self._combinations(index, raw)
        except ExpandError as error:
            if not self._outer.broken:
                self._say(index, error.path, str(error), "expression", error.piece)
        except MatrixError as error:
            self._say(index, ("strategy", "matrix", *error.path), str(error), "matrix")
        return []

    def _say(self, index: int, path: Path, message: str, rule: str, piece: str = "") -> None:
        line_column = self._document.position(("steps", index, *path), piece=piece)
        where = "strategy.matrix" if rule == "matrix" else ".".join(str(part) for part in path)
        name = self._raw[index]["name"]
        self.problems.append(Problem(*line_column, f"step '{name}': {where}: {message}", rule))

    def _check(self, index: int, raw: Raw, known: KnownNames) -> set[str]:
        """Look at all expressions of a step. Returns the keys that hold a faulty one."""
        faulty = set()
        for key, value in raw.items():
            path = ("steps", index, key)
            problems = list(expression_problems(self._document, path, value, key, known))
            if problems and key != "strategy":
                self.problems += problems
                faulty.add(key)
        return faulty

    def _combinations(self, index: int, raw: Raw) -> list[Combination] | None:
        if "strategy" not in raw:
            return None
        if "matrix" not in raw["strategy"]:
            if "each" in raw:
                return None
            raise ExpandError("'matrix' is missing", ("strategy",))
        if "each" in raw:
            text = "a step has items or a matrix, not both; list what differs in one of them"
            raise ExpandError(text, ("each",))
        known = KnownNames(params=self._outer.known_params)
        path = ("steps", index, "strategy")
        problems = list(
            expression_problems(self._document, path, raw["strategy"], "strategy", known)
        )
        if problems:
            self.problems += problems
            return []
        filled = _filled(raw["strategy"]["matrix"], self._outer, ("strategy", "matrix"))
        if not isinstance(filled, dict):
            raise MatrixError("must be a map of lists")
        return combinations(filled)

    def _known(self, index: int, raw: Raw, matrix: list[Combination] | None) -> KnownNames:
        keys: dict[str, Any] = {}
        for one in matrix or ():
            keys.update(dict.fromkeys(one))
        before, after = self.ids[:index], self.ids[index + 1 :]
        known = KnownNames(
            params=self._outer.known_params,
            matrix=None if matrix is None else keys,
            each="each" in raw,
            env=self._outer.known_env,
            hidden={name: v.source for name, v in self._outer.env.items() if v.source},
            before=before,
            after=after,
        )
        path = ("steps", index, "env")
        problems = expression_problems(self._document, path, raw.get("env", {}), "env", known)
        if matrix == [] or list(problems):
            return known  # reported by _matrix, or by _check
        example = {"matrix": _first(matrix), "each": facts("item") if known.each else {}}
        own, _ = variables(raw.get("env", {}), self._outer, example, ("env",))
        env = {**self._outer.env, **own}
        return KnownNames(
            params=known.params,
            matrix=known.matrix,
            each=known.each,
            env=None if known.env is None else env,
            hidden={name: v.source for name, v in env.items() if v.source},
            before=before,
            after=after,
        )

    def _instances(
        self, index: int, raw: Raw, matrix: list[Combination] | None
    ) -> Iterator[tuple[str, StepInstance | None]]:
        if "each" in raw:
            yield from self._items(index, raw)
            return
        if matrix is None:
            yield self.ids[index], None
            return
        strategy = raw["strategy"]
        keys: dict[str, Any] = {}
        for one in matrix:
            keys.update(dict.fromkeys(one))
        for name, one in zip(ids(self.ids[index], matrix), matrix, strict=True):
            yield (
                name,
                StepInstance(
                    group=self.ids[index],
                    values=tuple({**keys, **one}.items()),
                    shown=suffix(one),
                    fail_fast=strategy.get("fail-fast", True),
                    max_parallel=strategy.get("max-parallel"),
                ),
            )

    def _items(self, index: int, raw: Raw) -> Iterator[tuple[str, StepInstance]]:
        """An instance for each file. Raises ExpandError."""
        given = raw["each"]
        scope = ExpressionScope(contexts={"params": self._outer.params}, strict=STRICT)
        patterns: list[str] = []
        for number, text in enumerate([given] if isinstance(given, str) else given):
            path = ("each", number) if isinstance(given, list) else ("each",)
            pattern = "".join(piece_text(piece, scope, path) for piece in pieces(text))
            if fault := path_fault(pattern.removeprefix("!")):
                raise ExpandError(fault, path)
            patterns.append(normal_pattern(pattern))
        each = ForEach(
            id=self.ids[index],
            step=raw["name"],
            line=self._document.position(("steps", index))[0],
            patterns=tuple(patterns),
            external=external_of(raw, self._outer),
        )
        raw_strategy = raw.get("strategy", {})
        strategy = Strategy(raw_strategy.get("fail-fast", False), raw_strategy.get("max-parallel"))
        try:
            self.items.append(each)
            paths = self._files(each)
            yield from instances(self.ids[index], each.patterns, paths, strategy)
        except (ItemError, PathError) as error:
            raise ExpandError(str(error), ("each",)) from error

    def _make(self, index: int, raw: Raw, one: tuple[str, StepInstance | None]) -> Step:
        step_id, instance = one
        name = step_name(raw, self._outer, instance)
        if instance and name == raw["name"]:
            name = f"{name} {instance.shown}"
        return make_step(
            raw,
            self._outer,
            instance,
            id=step_id,
            name=name,
            line=self._document.position(("steps", index))[0],
            position=index,
        )


def _without(raw: Raw, faulty: set[str]) -> dict[str, Any]:
    """An entry without its faulty keys; a command it has in any case."""
    return {"run": "true"} | {key: value for key, value in raw.items() if key not in faulty}


def _first(matrix: list[Combination] | None) -> Combination:
    keys: dict[str, Any] = {}
    for one in reversed(matrix or []):
        keys.update(one)
    return keys


def _group(raw: Any, index: int) -> str:
    """The id of an entry: as it says, or from its name without the expressions in it."""
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        return f"step-{index + 1}"
    if isinstance(raw.get("id"), str):
        return str(raw["id"])
    try:
        plain = "".join(p.text for p in pieces(raw["name"]) if not p.expression)
    except ExpressionError:
        plain = raw["name"]
    return slug(plain) or f"step-{index + 1}"


def _filled(value: Any, outer: WorkflowContext, path: Path) -> Any:
    """A matrix with its expressions filled in; each keeps the type of its value."""
    if isinstance(value, dict):
        return {key: _filled(item, outer, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, outer, (*path, number)) for number, item in enumerate(value)]
    if not isinstance(value, str) or not has_expression(value):
        return value
    parts = pieces(value.strip())
    if len(parts) != 1:
        raise ExpandError("an expression stands alone here: ${{ … }}", path)
    try:
        return evaluate(
            parts[0].text, ExpressionScope(contexts={"params": outer.params}, strict=STRICT)
        )
    except ExpressionError as error:
        raise ExpandError(str(error), path, parts[0].text) from error
