"""Schemas, the types that mirror them, and the pages made from them agree."""

import re
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlpipe_ci.core.workflow import CacheSettings, Plot, Resources, Step, Workflow
from tests.support.repository import ROOT
from tests.support.schemas import schema

NAMES = ("workflow", "plan", "report", "validate", "graph", "audit", "verify")
FIELD_OF = {"if": "condition", "environment": "strict_environment"}
"""Keys whose field has another name: of Python's, or as only one of two values matters."""
ADDED = {"external", "directions", "names_params", "line", "position", "shared", "secret_env"}
"""Fields of a step that are no keys of it."""
INTO_STEPS = {"env", "environment", "inputs", "defaults", "version"}
"""Keys of the file that go into each step, or are the same in all files."""
HEAD = "| expected | here | shown by |"
"""The first row of a table of decisions."""


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


def test_step_has_a_field_for_each_key_and_no_other() -> None:
    keys = schema("workflow")["$defs"]["step"]["properties"]
    named = {FIELD_OF.get(key, key).replace("-", "_") for key in keys}
    assert named == {field.name for field in fields(Step)} - ADDED


@pytest.mark.parametrize(
    ("part", "kind"), [("plot", Plot), ("resources", Resources), ("cache", CacheSettings)]
)
def test_a_part_has_a_field_for_each_key_and_no_other(part: str, kind: type) -> None:
    keys = {key.replace("-", "_") for key in schema("workflow")["$defs"][part]["properties"]}
    assert keys == {field.name for field in fields(kind)}


def test_workflow_has_a_field_for_each_key() -> None:
    keys = set(schema("workflow")["properties"]) - INTO_STEPS
    made = {"file", "params_files", "overridden", "items"}
    assert keys == {field.name for field in fields(Workflow)} - made


def test_every_key_is_described_with_an_example_that_is_valid() -> None:
    whole = schema("workflow")
    parts = [whole, *(part for part in whole["$defs"].values() if "properties" in part)]
    for key, value in (item for part in parts for item in part["properties"].items()):
        if key in {"include", "exclude"}:
            continue  # told in the words of their matrix
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


@pytest.mark.parametrize("table", ["0008-params-and-matrix", "0010-steps-keys-and-store"])
def test_what_the_decisions_show_by_a_test_is_there(table: str) -> None:
    """Each case and test that a table of docs/decisions names exists."""
    text = (ROOT / f"docs/decisions/{table}.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and line != HEAD]
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for row in rows:
        shown = re.findall(r"`((?:valid|invalid)/[\w-]+|test_\w+)`", row.split("|")[3])
        assert shown, row
        for name in shown:
            case = ROOT / "tests" / "cases" / f"{name}.yml"
            assert case.is_file() if "/" in name else f"def {name}(" in tests, name
