"""Schemas, the types that mirror them, and the pages made from them agree."""

import json
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlpipe_ci.load import SCHEMA_DIR
from mlpipe_ci.workflow import Step, Workflow

NAMES = ("workflow", "plan", "report")
FIELD_OF = {"if": "condition"}
"""Keys whose field cannot have the same name in Python."""


def schema(name: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMA_DIR / f"{name}.schema.json").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


def test_step_has_a_field_for_each_key_and_no_other() -> None:
    keys = {FIELD_OF.get(key, key) for key in schema("workflow")["$defs"]["step"]["properties"]}
    assert keys == {field.name for field in fields(Step)} - {"line"}


def test_workflow_has_a_field_for_each_key() -> None:
    keys = set(schema("workflow")["properties"]) - {"env"}  # merged into each step's
    assert keys == {field.name for field in fields(Workflow)} - {"file"}


def test_every_key_is_described_with_an_example_that_is_valid() -> None:
    whole = schema("workflow")
    step = whole["$defs"]["step"]["properties"]
    for key, value in {**whole["properties"], **step}.items():
        assert value["description"].endswith("."), key
        for example in value["examples"]:
            validator = Draft202012Validator({**value, "$defs": whole["$defs"]})
            assert not list(validator.iter_errors(example)), key


def objects(value: Any) -> list[dict[str, Any]]:
    found = [value] if isinstance(value, dict) and value.get("type") == "object" else []
    children = value.values() if isinstance(value, dict) else value
    return found + [o for c in children if isinstance(c, dict | list) for o in objects(c)]


@pytest.mark.parametrize("name", NAMES)
def test_every_object_of_a_schema_is_closed(name: str) -> None:
    for found in objects(schema(name)):
        assert "additionalProperties" in found, found
