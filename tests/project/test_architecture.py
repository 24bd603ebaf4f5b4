"""ARCHITECTURE.md speaks of files and names that exist."""

import ast
import re

import pytest

from tests.support.repository import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
NAMED = re.compile(r"`([\w./<>]+?\.(?:py|json|yml|md|toml))(?:: ([\w., ]+))?`")
PACKAGE = ROOT / "mlpipe_ci"


def named_files() -> list[tuple[str, str]]:
    """Each file that a line names, from the top, and the names in it. The second file of a line may
    lie in the directory of the one before; that of a paragraph, in the room that begins it.
    """
    found, room = list[tuple[str, str]](), ""
    for line in TEXT.splitlines():
        if start := re.match(r"\* \*\*(\w+)\*\* ", line):
            room = start[1]
        elif not line.startswith("  "):
            room = ""
        directory = room
        for path, names in NAMED.findall(line):
            if "<" in path:
                continue
            places = [ROOT / path, PACKAGE / path, PACKAGE / directory / path]
            places += sorted((PACKAGE / room).rglob(path)) if room else []
            file = next((one for one in places if one.is_file()), None)
            found.append((path if file is None else file.relative_to(ROOT).as_posix(), names))
            if file is not None and file.is_relative_to(PACKAGE):
                directory = file.parent.relative_to(PACKAGE).as_posix()
    return found


def test_there_are_many() -> None:
    assert len(named_files()) > 100


@pytest.mark.parametrize(("path", "names"), sorted(set(named_files())))
def test_files_and_names_exist(path: str, names: str) -> None:
    assert (ROOT / path).is_file(), f"ARCHITECTURE.md names {path}"
    for name in filter(None, names.split(", ")):
        defined = set[str]()
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined |= {one.id for one in targets if isinstance(one, ast.Name)}
        assert set(name.split(".")) <= defined, f"{path} has no {name}"
