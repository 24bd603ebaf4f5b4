"""Settings from the environment: the table holds all of them, and refuses what is no value."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpipe_ci.cli.parser import parser
from mlpipe_ci.core import settings
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.settings import FOR_STEPS, INPUT_PREFIX, Settings, Variable, from_env, table
from tests.support.repository import ROOT

TABLE = ROOT / "mlpipe_ci/core/settings.py"
OF_STEPS = ROOT / "mlpipe_ci/tracing/discovery/env_variables.py"
"""Names by which the variables of steps are told apart: it reads none of them."""
SOURCES = sorted((ROOT / "mlpipe_ci").rglob("*.py"))
TEXTS = [ROOT / "README.md", ROOT / "action.yml", *sorted((ROOT / "docs").rglob("*.md"))]
NAME = re.compile(r"MLPIPE_[A-Z_]*[A-Z]")
KNOWN = {line.name for line in table()} | set(FOR_STEPS)
ATTRIBUTES = {name for name, line in vars(Settings).items() if isinstance(line, Variable)}


def test_all_names_stand_in_the_table() -> None:
    inputs = re.compile(re.escape(INPUT_PREFIX) + "[A-Z_]*")
    for path in (*SOURCES, *TEXTS):
        text = inputs.sub("", path.read_text("utf-8"))
        assert set(NAME.findall(text)) <= KNOWN, path


def test_a_name_is_code_in_one_file_alone() -> None:
    names = KNOWN - {"TERM"}  # which is also the name of a signal, and no input of a step
    found = {
        (path.name, node.value)
        for path in SOURCES
        if path not in {TABLE, OF_STEPS}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert found == set()


def test_each_line_is_read() -> None:
    read = {name for path in SOURCES if path != TABLE for name in _read(path)}
    assert read == ATTRIBUTES


def _read(path: Path) -> Iterator[str]:
    """Attributes of what `from_env` returns in a file, also of a variable that holds it."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    held = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _is_settings(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Attribute):
            owner = node.value
            if _is_settings(owner) or (isinstance(owner, ast.Name) and owner.id in held):
                yield node.attr


def _is_settings(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "from_env"
    )


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_a_variable_that_is_not_set_or_empty_has_its_default(name: str) -> None:
    line = getattr(Settings, name)
    wanted = line.parse(line.default)
    assert getattr(from_env({}), name) == wanted
    assert getattr(from_env({line.name: ""}), name) == wanted


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_a_wrong_value_is_refused_where_there_are_wrong_ones(name: str) -> None:
    line = getattr(Settings, name)
    env = from_env({line.name: "much"})
    if line.parse is str:
        assert (getattr(env, name), line.wrong) == ("much", "")
        return
    with pytest.raises(UsageError, match=rf"^{line.name}=much: it is .*; write \S+"):
        getattr(env, name)
    example = line.wrong.partition("; write ")[2].partition(",")[0]
    assert getattr(from_env({line.name: example}), name) == line.parse(example)


def test_values_have_their_type() -> None:
    env = {"MLPIPE_CACHE_MAX_SIZE": "1.5T", "MLPIPE_CACHE_MAX_AGE": "0.5", "MLPIPE_TOKEN": "x"}
    found = from_env(env)
    assert (found.cache_max_size, found.cache_max_age) == (1_500_000_000_000, 0.5)
    assert (found.remote_timeout, found.tracer, found.token) == (30.0, "auto", "x")
    assert "x" not in repr(found).removeprefix("Settings")


def test_the_help_has_the_defaults() -> None:
    choices = next(action.choices for action in parser()._actions if action.choices)
    text = " ".join(dict(choices)["cache"].format_help().split())
    for line in (Settings.cache_max_size, Settings.cache_max_age):
        assert f"(default: {line.name}, else {line.default})" in text


def test_the_module_is_cheap() -> None:
    """It is imported at each start: it may import nothing that takes time."""
    imported = {
        node.module
        for node in ast.walk(ast.parse(Path(settings.__file__).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert {name for name in imported if name and name.startswith("mlpipe_ci")} == {
        "mlpipe_ci.core.errors",
        "mlpipe_ci.core.frozen",
        "mlpipe_ci.core.units",
    }
