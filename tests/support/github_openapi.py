"""GitHub's published description of its API, as a contract: npm @octokit/openapi (MIT).

A request or an answer that is not as described is an AssertionError.
"""

import copy
import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from jsonschema import Draft4Validator
from jsonschema.validators import extend

from tests.support.repository import ROOT

PACKAGE = ROOT / "tests/node/node_modules/@octokit/openapi"
FILE = PACKAGE / "generated/api.github.com.json"


@cache
def document() -> dict[str, Any]:
    """The whole description, some 13 MB."""
    value: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return value


def check(method: str, target: str, request: object, status: int, answer: object) -> None:
    """One exchange. `target`: path and query; `request`, `answer`: values of JSON, or None."""
    path, _, query = target.partition("?")
    operation, values = _operation(method, path)
    _check_query(operation, query)
    for name, text in values.items():
        schema = _parameter(operation, name)["schema"]
        value = int(text) if schema.get("type") == "integer" else text
        _validate(value, schema, f"{name} in {path}")
    body = operation.get("requestBody")
    if request is not None:
        assert body, f"{method} {path} takes no body"
        schema = _resolved(body)["content"]["application/json"]["schema"]
        _validate(request, schema, f"body of {method} {path}")
        unknown = set(request if isinstance(request, dict) else ()) - set(schema["properties"])
        assert not unknown, f"{method} {path} does not know {unknown}"
    told = operation["responses"].get(str(status))
    if told is None:
        assert status >= 400, f"{method} {path} does not answer {status}"
        return
    content = _resolved(told).get("content", {}).get("application/json")
    if content and answer is not None:
        _validate(answer, content["schema"], f"answer {status} of {method} {path}")


def _operation(method: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
    for template, operations in document()["paths"].items():
        names = re.findall(r"{(\w+)}", template)
        pattern = re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template))
        found = re.fullmatch(pattern, path)
        literal = template.count("{") == 0
        if found and method.lower() in operations and (literal or _better(template, path)):
            return operations[method.lower()], dict(zip(names, found.groups(), strict=True))
    raise AssertionError(f"GitHub has no {method} {path}")


def _better(template: str, path: str) -> bool:
    """No literal segment of the path is taken for a value: `/issues/comments/1`, not `{number}`."""
    pairs = zip(template.split("/"), path.split("/"), strict=True)
    return not any("{" in a and b in {"comments", "pulls", "statuses"} for a, b in pairs)


def _check_query(operation: dict[str, Any], query: str) -> None:
    for name, values in parse_qs(query, strict_parsing=bool(query)).items():
        schema = _parameter(operation, name)["schema"]
        for text in values:
            value = int(text) if schema.get("type") == "integer" else text
            _validate(value, schema, f"query {name}")
            assert name != "per_page" or int(text) <= 100


def _parameter(operation: dict[str, Any], name: str) -> dict[str, Any]:
    for one in operation.get("parameters", []):
        if (found := _resolved(one))["name"] == name:
            return found
    raise AssertionError(f"unknown parameter {name}")


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def _validate(value: object, schema: dict[str, Any], what: str) -> None:
    needed: dict[str, Any] = {}
    _collect(schema, needed)
    whole = {**schema, "components": {"schemas": needed}}
    faults = [f"{list(f.path)}: {f.message[:200]}" for f in VALIDATOR(whole).iter_errors(value)]
    assert not faults, f"{what}: {faults}"


def _collect(value: Any, found: dict[str, Any]) -> None:
    """The schemas that one refers to, and those that they do: all of them would take a second."""
    if isinstance(value, list):
        for one in value:
            _collect(one, found)
    elif isinstance(value, dict):
        name = str(value.get("$ref", "")).removeprefix("#/components/schemas/")
        if name and name not in found and "/" not in name:
            found[name] = document()["components"]["schemas"][name]
            _collect(found[name], found)
        for one in value.values():
            _collect(one, found)


def _or_null(kind: str) -> Any:
    """OpenAPI 3.0 has `nullable` beside `type` and its like."""

    def check_unless_null(validator: Any, rule: Any, value: Any, schema: dict[str, Any]) -> Any:
        if value is not None or not schema.get("nullable"):
            yield from Draft4Validator.VALIDATORS[kind](validator, rule, value, schema)

    return check_unless_null


KINDS = ("type", "enum", "anyOf", "oneOf", "allOf")
CHECKS = {kind: _or_null(kind) for kind in KINDS}
VALIDATOR: Any = extend(Draft4Validator, CHECKS)  # type: ignore[no-untyped-call]


def example(method: str, path: str) -> Any:
    """GitHub's own example of the answer 200."""
    operation, _ = _operation(method, path)
    content = _resolved(operation["responses"]["200"])["content"]["application/json"]
    first = next(iter(content["examples"].values()))
    return copy.deepcopy(_resolved(first)["value"])
