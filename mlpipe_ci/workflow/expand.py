"""One entry of `steps` with its expressions filled in: a `Step` for each of its instances. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mlpipe_ci.core.cache_key import json_text
from mlpipe_ci.core.expressions import (
    ExpressionError,
    ExpressionScope,
    Piece,
    bare,
    evaluate,
    has_expression,
    names,
    parse,
    pieces,
    text,
)
from mlpipe_ci.core.metric_direction import HIGHER, LOWER
from mlpipe_ci.core.paths import is_under, normal, normal_pattern
from mlpipe_ci.core.step_contexts import own_contexts
from mlpipe_ci.core.workflow import (
    DEFAULT_SHELL,
    ExternalInput,
    Gate,
    Plot,
    Resources,
    SecretVariable,
    Step,
    StepInstance,
)
from mlpipe_ci.workflow.each import command_fault
from mlpipe_ci.workflow.env import STRICT, ExpandError, Path, WorkflowContext, piece_text, variables
from mlpipe_ci.workflow.params import WHOLE, look_up, missing_key

COUNTED = ("run", "env", "working-directory", "inputs", "outputs")
"""Keys of a step whose params count in its key."""
UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
BINARY_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}


class Expander:
    """Fills in the expressions of one step for one combination of its matrix."""

    def __init__(
        self, raw: Mapping[str, Any], outer: WorkflowContext, instance: StepInstance | None
    ) -> None:
        self.raw, self.outer = raw, outer
        contexts = own_contexts(instance)
        own, self.used = variables(raw.get("env") or {}, outer, contexts, ("env",))
        self.env = {**outer.env, **own}
        plain = {name: variable.value for name, variable in self.env.items() if not variable.source}
        self._contexts = {"params": outer.params, **contexts, "env": plain}
        self._item = instance.each if instance else ""

    def value(self, key: str, default: Any = None) -> Any:
        """The value of a key. One that is an expression and nothing else keeps its type."""
        raw = self.raw.get(key, self.outer.defaults.get(key, default))
        scope = ExpressionScope(contexts=self._contexts, strict=STRICT)
        filled = self._fill(raw, scope, (key,))
        if key in COUNTED:
            self.used.update(scope.used)
        return filled

    def text(self, key: str, default: str = "") -> str:
        """The value of a key that is a text."""
        value = self.value(key, default)
        return value if isinstance(value, str) else text(value)

    def _fill(self, raw: Any, scope: ExpressionScope, path: Path) -> Any:
        if isinstance(raw, dict):
            return {name: self._fill(item, scope, (*path, name)) for name, item in raw.items()}
        if isinstance(raw, list):
            return [self._fill(item, scope, (*path, index)) for index, item in enumerate(raw)]
        if isinstance(raw, int | float) and path[0] in TYPED:
            return _fitting(raw, str(raw), path)  # the schema lets .nan through
        if not isinstance(raw, str) or not has_expression(raw):
            return raw
        parts = pieces(raw.strip())
        if len(parts) == 1 and path[0] in TYPED:
            return self._typed(parts[0], scope, path)
        if self._item and path[0] == "run":
            self._refuse_item(pieces(raw))
        return "".join(piece_text(piece, scope, path) for piece in pieces(raw))

    def _refuse_item(self, parts: tuple[Piece, ...]) -> None:
        """The name of a file is text from outside."""
        before = ""
        for piece in parts:
            if not piece.expression:
                before += piece.text
                continue
            of_item = any(n.root.lower() == "each" for n in names(parse(piece.text)))
            fault = command_fault(self._item, before, piece.text.strip()) if of_item else ""
            if fault:
                raise ExpandError(fault, ("run",), piece.text)

    def _typed(self, piece: Piece, scope: ExpressionScope, path: Path) -> Any:
        try:
            value = evaluate(piece.text, scope)
        except ExpressionError as error:
            raise ExpandError(str(error), path, piece.text) from error
        return _fitting(value, piece.text, path)


def _fitting(value: Any, source: str, path: Path) -> Any:
    wanted, fits = TYPED[str(path[-1])]
    if not fits(value):
        shown = "a list or a map" if isinstance(value, list | dict) else f"'{text(value)}'"
        raise ExpandError(f"must be {wanted}, and is {shown}", path, source)
    return value


def _is_number(value: Any, least: float, most: float = 1e9) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and least < value <= most


TYPED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "timeout-minutes": ("a number above 0, at most 525600", lambda v: _is_number(v, 0, 525600)),
    "retries": ("a whole number from 0 to 10", lambda v: _is_number(v, -1) and v in range(11)),
    "repeat": ("a whole number from 1 to 100", lambda v: _is_number(v, 0) and v in range(1, 101)),
    "continue-on-error": ("true or false", lambda value: isinstance(value, bool)),
    "resources": ("a map", lambda value: isinstance(value, dict)),
    "cpus": ("a number above 0", lambda value: _is_number(value, 0)),
    "memory": ("a size, as in 4GiB", lambda v: isinstance(v, str) and memory_bytes(v) is not None),
    "gpus": ("a number, 0 or more", lambda value: _is_number(value, -1)),
}
"""Keys whose value may be an expression and nothing else, and what it has to give."""


def memory_bytes(size: str) -> int | None:
    """Bytes of a size such as `4GiB` or `1.5 GB`; None if it is none."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([KMGT]i?|)B", size)
    return int(float(found[1]) * {**UNITS, **BINARY_UNITS}[found[2]]) if found else None


def make_step(
    raw: Mapping[str, Any], outer: WorkflowContext, instance: StepInstance | None, **fixed: Any
) -> Step:
    """The step of one combination. `fixed`: id, name, line, position. Raises ExpandError."""
    expander = Expander(raw, outer, instance)
    condition, run = raw.get("if"), expander.text("run")
    if not run.strip():
        raise ExpandError("the command is empty once its expressions are filled in", ("run",))
    metrics, given = expander.value("metrics", []), expander.value("inputs", [])
    item = (instance.each,) if instance and instance.each else ()
    patterns = tuple(normal_pattern(_path_of(one)) for one in given)
    external = _externals(given)
    # Of a source of many, the step reads its own item alone.
    around = {one.path for one in external for path in item if is_under(path, one.path)}
    fields = {
        "run": run,
        "description": raw.get("description", ""),
        "shell": expander.text("shell", DEFAULT_SHELL),
        "working_directory": normal(expander.text("working-directory", ".")).rstrip("/"),
        "inputs": tuple(p for p in patterns if p not in around) + item,
        "external": external,
        "shared": outer.shared,
        "outputs": tuple(normal(p) for p in expander.value("outputs", [])),
        "metrics": tuple(normal(_path_of(one)) for one in metrics),
        "directions": tuple(_directions(metrics)),
        "plots": tuple(_plot(plot) for plot in expander.value("plots", [])),
        "needs": tuple(raw.get("needs", ())),
        "condition": None if condition is None else text(condition),
        "timeout_minutes": expander.value("timeout-minutes"),
        "retries": int(expander.value("retries", 0)),
        "continue_on_error": expander.value("continue-on-error", False),
        "cache": raw.get("cache"),
        "each": tuple(normal_pattern(p) for p in _patterns(expander.value("each", ()))),
        "tracing": raw.get("tracing"),
        "state": tuple(normal(p) for p in expander.value("state", [])),
        "portable": expander.value("portable", False),
        "strict_environment": raw.get("environment", outer.environment) == "strict",
        "gates": tuple(_gate(one) for one in raw.get("gates", ())),
        "repeat": int(expander.value("repeat", 1)),
        "resources": _resources(expander.value("resources")),
    }
    used = dict(_used_params(expander, outer.params))
    return Step(
        **fields,
        **fixed,
        strategy=instance,
        env=tuple((name, variable.value) for name, variable in expander.env.items()),
        secret_env=tuple(
            SecretVariable(name=name, parts=variable.parts)
            for name, variable in expander.env.items()
            if variable.parts
        ),
        params=tuple(sorted(used.items())),
        names_params=bool(raw.get("params")),
    )


def step_name(raw: Mapping[str, Any], outer: WorkflowContext, instance: StepInstance | None) -> str:
    """The name of a step with its expressions filled in. Raises ExpandError."""
    scope = ExpressionScope(
        contexts={"params": outer.params, **own_contexts(instance)}, strict=STRICT
    )
    try:
        parts = pieces(raw["name"])
    except ExpressionError as error:
        raise ExpandError(str(error), ("name",)) from error
    name = "".join(piece_text(piece, scope, ("name",)) for piece in parts)
    if not name.strip():
        raise ExpandError("the name is empty once its expressions are filled in", ("name",))
    return name


def _used_params(expander: Expander, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and JSON text of what the step uses: in expressions, and as its `params` say."""
    for path, value in expander.used.items():
        if path[0] == "params":
            yield ".".join(path[1:]) or WHOLE, json_text(value)
    for index, path_text in enumerate(expander.value("params", [])):
        missing = missing_key(params, path_text)
        if missing and re.search(r"\.(ya?ml|json|toml)(:|$)", path_text):
            missing = f"'{path_text}': name the file in 'params' of the workflow, here its keys"
        if missing:
            raise ExpandError(missing, ("params", index))
        yield path_text, json_text(look_up(params, path_text))


def _patterns(raw: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (raw,) if isinstance(raw, str) else tuple(raw)


def _path_of(raw: str | Mapping[str, Any]) -> str:
    return raw if isinstance(raw, str) else str(raw["path"])


def external_of(raw: Mapping[str, Any], outer: WorkflowContext) -> tuple[ExternalInput, ...]:
    """What a step with `each` reads from outside of git: the same for all its items.

    Raises ExpandError.
    """
    expander = Expander(
        {"inputs": [one for one in raw.get("inputs", ()) if not isinstance(one, str)]}, outer, None
    )
    return _externals(expander.value("inputs", []))


def _externals(given: list[Any]) -> tuple[ExternalInput, ...]:
    return tuple(
        ExternalInput(
            url=str(raw["url"]),
            path=normal(str(raw["path"])),
            use_last=raw.get("if-unreachable") == "use-last",
            entry=number,
        )
        for number, raw in enumerate(given)
        if not isinstance(raw, str)
    )


def _directions(metrics: list[Any]) -> Iterator[tuple[str, str]]:
    """Which metrics are better higher or lower, as the entries say it."""
    for one in metrics:
        for better in (HIGHER, LOWER) if isinstance(one, dict) else ():
            yield from ((name, better) for name in one.get(f"{better}-is-better", ()))


def _gate(raw: str | Mapping[str, Any]) -> Gate:
    given: Mapping[str, Any] = {"gate": raw} if isinstance(raw, str) else raw
    return Gate(text=bare(given["gate"]).strip(), require_base=given.get("require-base", False))


def _plot(raw: str | Mapping[str, Any]) -> Plot:
    given = {"path": raw} if isinstance(raw, str) else dict(raw)
    y = given.get("y", ())
    return Plot(
        path=normal(given["path"]),
        kind=given.get("kind"),
        spec=normal(given["spec"]) if "spec" in given else None,
        x=given.get("x"),
        y=(y,) if isinstance(y, str) else tuple(y),
        title=given.get("title"),
        x_label=given.get("x-label"),
        y_label=given.get("y-label"),
    )


def _resources(raw: Mapping[str, Any] | None) -> Resources | None:
    if raw is None:
        return None
    memory = raw.get("memory")
    return Resources(
        cpus=raw.get("cpus"),
        memory=None if memory is None else memory_bytes(memory),
        gpus=raw.get("gpus"),
    )
