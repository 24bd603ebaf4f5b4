"""Reads a workflow file: a `Workflow`, or all its faults with their lines."""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from mlpipe_ci import expressions, rules
from mlpipe_ci.errors import Fault, MlpipeError, WorkflowError
from mlpipe_ci.workflow import Step, Workflow, normal, slug
from mlpipe_ci.yaml_text import LEAST, MAX_BYTES, Document, Spot, YamlError, parse

HERE = Path(__file__).resolve().parent
SCHEMA_DIR = next(d for d in (HERE / "schema", HERE.parent / "schema") if d.is_dir())
"""In a wheel the schemas are inside of the package, in a checkout beside it."""


def load(path: Path, shown: str, default_name: str) -> Workflow:
    """Read a workflow file. `shown` is its name in messages. Raises WorkflowError, MlpipeError."""
    text = _read(path, shown)
    try:
        document = parse(text)
    except YamlError as error:
        raise WorkflowError(tuple(_fault(shown, spot) for spot in error.spots)) from error
    spots = tuple(_schema_spots(document))
    if not spots:
        steps = tuple(_steps(document))
        spots = tuple(rules.faults(steps, document.place)) + tuple(_expression_spots(document))
    if spots:
        raise WorkflowError(tuple(_fault(shown, spot) for spot in spots))
    return Workflow(name=document.value.get("name", default_name), file=shown, steps=steps)


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            size = path.stat().st_size / 1e6
            message = f"the file has {size:.1f} MB; a workflow has at most 1 MiB"
            raise WorkflowError((_fault(shown, Spot(1, 1, message)),))
        return data.decode("utf-8-sig")
    except FileNotFoundError as error:
        text = f"{shown}: there is no such file. Write one at the root of the repository; at least"
        raise MlpipeError(f"{text}:\n{LEAST}\n(or name another with --file)") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = "not UTF-8; save the file with that encoding"
        raise WorkflowError((_fault(shown, Spot(line, column, message)),)) from error
    except OSError as error:
        raise MlpipeError(f"{shown}: cannot be read: {error.strerror}") from error


def _fault(shown: str, spot: Spot) -> Fault:
    return Fault(file=shown, line=spot.line, column=spot.column, message=spot.message)


def _steps(document: Document) -> Iterator[Step]:
    value = document.value
    shared = _env(value.get("env"))
    for index, step in enumerate(value["steps"]):
        condition = step.get("if")
        yield Step(
            id=step.get("id") or slug(step["name"]) or f"step-{index + 1}",
            name=step["name"],
            run=step["run"],
            env=tuple((shared | _env(step.get("env"))).items()),
            inputs=tuple(_normal_pattern(p) for p in step.get("inputs", ())),
            outputs=tuple(normal(p) for p in step.get("outputs", ())),
            metrics=tuple(normal(p) for p in step.get("metrics", ())),
            condition=None if condition is None else _text(condition),
            cache=step.get("cache"),
            line=document.place(("steps", index))[0],
        )


def _normal_pattern(pattern: str) -> str:
    return "!" + normal(pattern[1:]) if pattern.startswith("!") else normal(pattern)


def _env(value: dict[str, Any] | None) -> dict[str, str]:
    return {name: _text(item) for name, item in (value or {}).items()}


def _text(value: object) -> str:
    """A scalar as GitHub Actions passes it to a program: `true`, `0.1`, `text`."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _expression_spots(document: Document) -> Iterator[Spot]:
    for index, step in enumerate(document.value["steps"]):
        if isinstance(step.get("if"), str):
            fault = expressions.fault(step["if"])
            if fault:
                place = document.place(("steps", index, "if"))
                yield Spot(*place, f"step '{step['name']}': if: {fault}")


def _schema_spots(document: Document) -> Iterator[Spot]:
    schema = json.loads((SCHEMA_DIR / "workflow.schema.json").read_text("utf-8"))
    for error in Draft202012Validator(schema).iter_errors(document.value):
        yield from _spots_of(error, document)


def _spots_of(error: ValidationError, document: Document) -> Iterator[Spot]:
    path = tuple(error.absolute_path)
    where = _where(path, document.value)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known: dict[str, Any] = _schema_of(error).get("properties", {})
        for key in error.instance.keys() - known.keys():
            place = document.place((*path, key), key=True)
            yield Spot(*place, f"{where}unknown key '{key}'{_did_you_mean(key, list(known))}")
        return
    in_name = bool(error.schema_path) and "propertyNames" in error.schema_path
    place = document.place((*path, str(error.instance)) if in_name else path, key=in_name)
    yield Spot(*place, where + _message(error, path))


def _schema_of(error: ValidationError) -> dict[str, Any]:
    return dict(error.schema) if isinstance(error.schema, Mapping) else {}


def _where(path: tuple[str | int, ...], value: Any) -> str:
    if len(path) < 2 or path[0] != "steps":  # noqa: PLR2004 - ("steps", index)
        return f"{'.'.join(str(part) for part in path)}: " if path else ""
    step = value["steps"][path[1]]
    name = step.get("name") if isinstance(step, dict) else None
    shown = f"step '{name}'" if isinstance(name, str) and name else f"step {int(path[1]) + 1}"
    rest = ".".join(str(part) for part in path[2:])
    return f"{shown}: {rest}: " if rest else f"{shown}: "


def _did_you_mean(key: object, known: list[str]) -> str:
    near = get_close_matches(str(key), known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(known)}"


KINDS = {
    "string": "text",
    "array": "a list",
    "object": "a map of keys",
    "boolean": "true or false",
    "number": "a number",
}


def _message(error: ValidationError, path: tuple[str | int, ...]) -> str:
    instance: Any = error.instance
    if error.validator == "type":
        return _wrong_type(error, path)
    if error.validator == "required":
        missing = re.findall(r"'([^']+)' is a required", error.message)
        return f"'{missing[0]}' is missing" if missing else error.message
    if error.validator == "minItems":
        return f"the list is empty; it needs at least: {LEAST}"
    if error.validator == "minLength":
        return "the text is empty"
    if error.validator == "maxLength":
        hint = "; put the command into a script and run that" if path[-1:] == ("run",) else ""
        return f"the text has {len(instance):,} characters; {error.validator_value:,} is most{hint}"
    if error.validator == "pattern" and path[-1:] == ("id",):
        return f"'{instance}' may hold only a-z, 0-9, _ and -; perhaps '{slug(instance)}'"
    if error.validator == "pattern":
        return f"'{instance}' is not a name of a variable (letters, digits, _)"
    return error.message


def _wrong_type(error: ValidationError, path: tuple[str | int, ...]) -> str:
    instance: Any = error.instance
    wanted: Any = error.validator_value
    if path == ():
        return f"the file is {_kind(instance)}; it must be a map of keys, at least: {LEAST}"
    if path == ("steps",) and isinstance(instance, dict):
        return "a map, where a list belongs: put a dash before each step, as in '- name: …'"
    if len(path) == 2 and isinstance(instance, str):  # noqa: PLR2004 - ("steps", index)
        words = instance.split(maxsplit=1)
        if words and words[0] in {"run", "name"} and len(words) > 1:
            return f"a colon is missing after '{words[0]}'; write: {words[0]}: {words[1]}"
        return "a text where a step belongs; write '- name: …' and 'run: …' below it"
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    return f"must be {' or '.join(KINDS[kind] for kind in kinds)}, and is {_kind(instance)}"


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{json.dumps(value)}"
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return f"the number {value}" if isinstance(value, int | float) else f"the text '{value:.40}'"
