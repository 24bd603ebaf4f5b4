"""What a JSON Schema says of a workflow file, in words that teach."""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from mlpipe_ci.core.workflow import slug
from mlpipe_ci.core.yaml.parse import LEAST, Document, Problem

HERE = Path(__file__).resolve().parent.parent
SCHEMA_DIR = next(d for d in (HERE / "schema", HERE.parent / "schema") if d.is_dir())
"""In a wheel the schemas are inside of the package, in a checkout beside it."""
KINDS = {
    "string": "text",
    "array": "a list",
    "object": "a map of keys",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
}
EXPRESSION = "an expression (${{ … }})"
RULE = "schema"
KeyPath = tuple[str | int, ...]


def schema_problems(document: Document) -> Iterator[tuple[KeyPath, Problem]]:
    """All that breaks the schema: path of keys in the file, and what is wrong there."""
    schema = json.loads((SCHEMA_DIR / "workflow.schema.json").read_text("utf-8"))
    for error in Draft202012Validator(schema).iter_errors(document.value):
        yield from _problems_of(error, document)


def report_fault(value: object) -> str:
    """The first thing that keeps a value from being a report; empty if it is one."""
    schema = json.loads((SCHEMA_DIR / "report.schema.json").read_text("utf-8"))
    for error in Draft202012Validator(schema).iter_errors(value):
        return f"{error.json_path}: {error.message[:200]}"
    return ""


def _problems_of(error: ValidationError, document: Document) -> Iterator[tuple[KeyPath, Problem]]:
    inner = _nearest_branch(error)
    if inner:
        for one in inner:
            yield from _problems_of(one, document)
        return
    path = tuple(error.absolute_path)
    where = _where(path, document.value)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known: dict[str, Any] = _schema_of(error).get("properties", {})
        for key in error.instance.keys() - known.keys():
            line_column = document.position((*path, key), key=True)
            hint = _key_hint(str(key), list(known), path)
            yield (*path, key), Problem(*line_column, f"{where}unknown key '{key}'{hint}", RULE)
        return
    in_name = bool(error.schema_path) and "propertyNames" in error.schema_path
    line_column = document.position((*path, str(error.instance)) if in_name else path, key=in_name)
    yield path, Problem(*line_column, where + _message(error, path), RULE)


def _nearest_branch(error: ValidationError) -> list[ValidationError]:
    """Of an `anyOf`, the faults of the one branch that the value was meant for, if one was."""
    if error.validator != "anyOf" or not error.context:
        return []
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(int(inner.schema_path[0]), []).append(inner)
    fitting = [faults for faults in branches.values() if not any(_at_top(f) for f in faults)]
    return fitting[0] if len(fitting) == 1 else []


def _at_top(fault: ValidationError) -> bool:
    """True if the value itself is of another kind, or no expression: not meant for the branch."""
    return not fault.path and fault.validator in {"type", "enum", "pattern", "anyOf"}


def _schema_of(error: ValidationError) -> dict[str, Any]:
    return dict(error.schema) if isinstance(error.schema, Mapping) else {}


def _where(path: KeyPath, value: Any) -> str:
    if len(path) < 2 or path[0] != "steps":  # noqa: PLR2004 - ("steps", index)
        return f"{'.'.join(str(part) for part in path)}: " if path else ""
    step = value["steps"][path[1]]
    name = step.get("name") if isinstance(step, dict) else None
    shown = f"step '{name}'" if isinstance(name, str) and name else f"step {int(path[1]) + 1}"
    rest = ".".join(str(part) for part in path[2:])
    return f"{shown}: {rest}: " if rest else f"{shown}: "


FOREIGN = {
    "uses": "a step has no action; write its command as 'run'",
    "with": "a step has no action; pass values through 'env' or in the command",
    "on": "when it runs is said in .github/workflows, not here",
    "jobs": "there are no jobs here; write the steps directly under 'steps'",
    "stages": "write them as a list under 'steps', each with name and run",
    "stage": "write a list under 'steps', each with name and run",
    "cmd": "write 'run'",
    "command": "write 'run'",
    "script": "write 'run'",
    "deps": "write 'inputs'",
    "dependencies": "write 'inputs', or 'needs' for steps",
    "depends_on": "write 'needs'",
    "depends-on": "write 'needs'",
    "outs": "write 'outputs'",
    "wdir": "write 'working-directory'",
    "cwd": "write 'working-directory'",
    "foreach": "write 'strategy: {matrix: …}'",
    "matrix": "write 'strategy: {matrix: …}'",
    "vars": "write 'params'",
    "timeout": "write 'timeout-minutes'",
    "frozen": "a step whose inputs are the same is not run again anyway",
    "always_changed": "write 'cache: false'",
    "always-run": "write 'cache: false'",
    "retry": "write 'retries'",
    "environment": "write 'env'",
    "runs-on": "where it runs is said in .github/workflows, not here",
}
"""Keys that people bring along from other tools, and what they are called here."""


def _key_hint(key: str, known: list[str], path: KeyPath) -> str:
    spelled = key.replace("_", "-")
    if spelled in known:
        return f"; did you mean '{spelled}'?"
    foreign = FOREIGN.get(key.lower())
    if foreign and (len(path) == 2 or path == ()):  # noqa: PLR2004 - a step, or the file
        return f"; {foreign}"
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(known)}"


def _message(error: ValidationError, path: KeyPath) -> str:
    said = MESSAGES.get(str(error.validator))
    return said(error, path) if said else error.message


def _required(error: ValidationError, _path: KeyPath) -> str:
    missing = re.findall(r"'([^']+)' is a required", error.message)
    return f"'{missing[0]}' is missing" if missing else error.message


def _too_few(error: ValidationError, path: KeyPath) -> str:
    least = f"; it needs at least: {LEAST}" if path == ("steps",) else "; leave the key out"
    return f"the {'map' if isinstance(error.instance, dict) else 'list'} is empty{least}"


def _too_long(error: ValidationError, path: KeyPath) -> str:
    hint = "; put the command into a script and run that" if path[-1:] == ("run",) else ""
    count: Any = error.instance
    return f"the text has {len(count):,} characters; {error.validator_value:,} is most{hint}"


def _pattern(error: ValidationError, path: KeyPath) -> str:
    instance: Any = error.instance
    if path[-1:] == ("id",):
        return f"'{instance}' may hold only a-z, 0-9, _ and -; perhaps '{slug(instance)}'"
    if path[-1:] == ("remote",):
        return f"'{instance:.80}' is not a URL such as s3://bucket/directory"
    return f"'{instance:.80}' is not a name (letters, digits, _; no digit first)"


def _one_of(error: ValidationError, _path: KeyPath) -> str:
    instance: Any = error.instance
    known = [str(value) for value in _schema_of(error)["enum"]]
    if instance is False and "off" in known:
        return "must be one of auto, strict, off, and is false; write off"
    near = get_close_matches(str(instance), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"must be {' or '.join(known)}, and is {_kind(instance)}{hint}"


def _bound(error: ValidationError, _path: KeyPath) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    return f"must be {words[str(error.validator)]} {error.validator_value}, and is {error.instance}"


def _any_of(error: ValidationError, path: KeyPath) -> str:
    if path[-1:] == ("memory",):
        return f"must be a size such as 4GiB or 512MB, and is {_kind(error.instance)}"
    if path[-1:] == ("shell",):
        near = get_close_matches(str(error.instance), ["bash", "sh", "python"], n=1, cutoff=0.75)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        ways = "bash, sh, python, or a command line in which {0} is the file with the command"
        return f"must be {ways} ('Rscript {{0}}'), and is {_kind(error.instance)}{hint}"
    kinds = [_branch(branch) for branch in _schema_of(error)["anyOf"]]
    text: Any = error.instance if isinstance(error.instance, str) else ""
    hint = f"; write [{text:.60}]" if text and KINDS["array"] in kinds else ""
    return f"must be {' or '.join(dict.fromkeys(kinds))}, and is {_kind(error.instance)}{hint}"


def _branch(branch: Mapping[str, Any]) -> str:
    reference = str(branch.get("$ref", "")).rpartition("/")[2]
    named = {"expression": EXPRESSION, "plot": KINDS["object"], "params-source": "a file or a map"}
    named["external"] = "a map with url and path"
    return named.get(reference) or KINDS.get(str(branch.get("type")), "another value")


def _type(error: ValidationError, path: KeyPath) -> str:
    instance: Any = error.instance
    wanted: Any = error.validator_value
    if path == ():
        return f"the file is {_kind(instance)}; it must be a map of keys, at least: {LEAST}"
    if path == ("steps",) and isinstance(instance, dict):
        return "a map, where a list belongs: put a dash before each step, as in '- name: …'"
    if len(path) == 2 and path[0] == "steps" and isinstance(instance, str):  # noqa: PLR2004
        words = instance.split(maxsplit=1)
        if words and words[0] in {"run", "name"} and len(words) > 1:
            return f"a colon is missing after '{words[0]}'; write: {words[0]}: {words[1]}"
        return "a text where a step belongs; write '- name: …' and 'run: …' below it"
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    hint = ""
    if kinds == ["array"] and isinstance(instance, str) and "\n" not in instance:
        hint = f"; write [{instance:.60}]"
    if "env" in path and instance is None:
        hint = '; for an empty text write ""'
    return f"must be {' or '.join(KINDS[kind] for kind in kinds)}, and is {_kind(instance)}{hint}"


MESSAGES = {
    "type": _type,
    "required": _required,
    "minItems": _too_few,
    "minProperties": _too_few,
    "minLength": lambda _error, _path: "the text is empty",
    "maxLength": _too_long,
    "pattern": _pattern,
    "enum": _one_of,
    "const": lambda error, _path: (
        f"must be {error.validator_value}, and is {_kind(error.instance)}"
    ),
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "anyOf": _any_of,
}


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{json.dumps(value)}"
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return f"the number {value}" if isinstance(value, int | float) else f"the text '{value:.40}'"
