"""The tests mirror the package: a test file names a module, and a large module has a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.project.untested import UNTESTED
from tests.support.repository import ROOT

PACKAGE, TESTS = ROOT / "mlpipe_ci", ROOT / "tests"
LARGE = 80
"""Lines above which a module needs a test in its room."""
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
SUBJECTS = {
    "cache/test_every_byte": "damage anywhere in the store, whichever module reads it",
    "core/expressions/test_expressions": "the language as a whole",
    "core/expressions/test_github_expressions": "the language beside GitHub's implementation",
    "report/test_mermaid": "all diagrams of a report, read by Mermaid's own parser",
    "tracing/test_formats": "libraries and languages whose reads must be seen",
    "tracing/test_tracers": "what every tracer must see, seccomp and strace alike",
    "workflow/test_remembered": "the workflow that is loaded again without being read",
}
"""Test files of a room that are about more than one module, and about what."""


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name, packages too."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def defining(module: str, name: str, known: dict[str, Path]) -> str:
    """The module that an import means; where a package passes a name on, that which has it."""
    if f"{module}.{name}" in known:
        return f"{module}.{name}"
    if module in known and known[module].name == "__init__.py":
        for inner, passed_on in imports(known[module]):
            if passed_on == name and inner != module:
                return defining(inner, name, known)
    return module


def imported_in(room: str, known: dict[str, Path]) -> set[str]:
    """The modules that the tests of a room import."""
    files = (TESTS / room).rglob("*.py")
    return {defining(*found, known) for path in files for found in imports(path)}


def large_and_untested() -> set[str]:
    known = modules()
    of_room = {room: imported_in(room, known) for room in ROOMS}
    return {
        name.removeprefix("mlpipe_ci.")
        for name, path in known.items()
        if len(path.read_text("utf-8").splitlines()) > LARGE
        and name not in of_room.get(name.split(".")[1], set())
    }


def test_each_test_of_a_room_names_a_module() -> None:
    files = [path.relative_to(TESTS) for room in ROOMS for path in (TESTS / room).rglob("test_*")]
    python = [path for path in files if path.suffix == ".py"]
    modules = {path: PACKAGE / path.with_name(path.name.removeprefix("test_")) for path in python}
    nameless = {
        str(path.with_suffix("")) for path, module in modules.items() if not module.exists()
    }
    assert nameless == set(SUBJECTS)


def test_each_large_module_is_tested_in_its_room_or_listed() -> None:
    listed = [module for modules in UNTESTED.values() for module in modules]
    assert len(listed) == len(set(listed))
    assert large_and_untested() - set(listed) == set(), "write a test in its room"
    assert set(listed) - large_and_untested() == set(), "take it off the list in untested.py"


def test_what_tests_a_listed_module_is_there() -> None:
    for reason in UNTESTED:
        for path in re.findall(r"tests/[\w/.]*\w", reason):
            assert (ROOT / path).exists(), path


def test_no_test_lies_beside_the_rooms() -> None:
    others = {"models", "project", "scenarios", "zoo"}
    folders = {path.name for path in TESTS.iterdir() if path.is_dir()}
    assert folders - {"__pycache__", "cases", "node", "support"} <= others | set(ROOMS)
    assert not list(TESTS.glob("test_*.py"))
    assert not list((TESTS / "support").rglob("test_*.py"))


def test_a_name_that_a_package_passes_on_is_of_the_module_that_has_it() -> None:
    known = modules()
    assert defining("mlpipe_ci.repo.git", "open_git", known).startswith("mlpipe_ci.repo.git.")
    assert defining("mlpipe_ci.ci.github", "comments", known) == "mlpipe_ci.ci.github.comments"
    assert defining("mlpipe_ci.core.graph", "Edge", known) == "mlpipe_ci.core.graph"
