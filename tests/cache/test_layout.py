"""Each path of the local cache and of mlpipe's own directory is named in one place."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpipe_ci.cache import layout
from mlpipe_ci.cache.remote import layout as remote
from mlpipe_ci.repo import private_directory
from tests.support.random_repo import call

PACKAGE = Path(layout.__file__).parents[1]
LAYOUTS = {Path(str(module.__file__)) for module in (layout, remote, private_directory)}
NAMES = {
    text
    for module in (layout, remote, private_directory)
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str)
} - {private_directory.DIRECTORY}  # which is also the name of the program
OTHERS = {("repo", "objects"), ("cli", "tmp")}
"""Parts of other paths that happen to be called the same: git's own objects, `/tmp`."""


def _constants(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _parts(tree: ast.AST) -> Iterator[str]:
    """Literal parts of the paths that a module makes: `a / "b"`, `f"{a}/b"`, `join(a, "b")`."""
    for node in ast.walk(tree):
        texts: list[str] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            texts += _constants([node.left, node.right])
        elif isinstance(node, ast.JoinedStr):
            texts += (text for text in _constants(node.values) if "/" in text)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            texts += _constants(node.args) if name in {"join", "joinpath", "Path"} else ()
        elif isinstance(node, ast.Assign):
            texts += (text for text in _constants([node.value]) if "/" in text)
        for text in texts:
            yield from (part for part in text.split("/") if part)


def test_the_search_finds_each_way_of_writing_a_path() -> None:
    lines = ('a / "v1" / "tmp"', 'f"{a}/runs/{b}"', 'os.path.join(a, "locks")', 'a = ".git/lock"')
    found = [set(_parts(ast.parse(line))) & NAMES for line in lines]
    assert found == [{"v1", "tmp"}, {"runs"}, {"locks"}, {"lock"}]


def test_no_other_module_names_a_part_of_a_path() -> None:
    found = {
        (path.relative_to(PACKAGE).parts[0], part)
        for path in sorted(PACKAGE.rglob("*.py"))
        if path not in LAYOUTS and not path.is_relative_to(PACKAGE / "ci")  # addresses of GitHub
        for part in _parts(ast.parse(path.read_text("utf-8")))
        if part in NAMES
    }
    assert found == OTHERS


def test_names_that_nothing_else_has_stand_in_no_other_module() -> None:
    unlike = {layout.VERSION, layout.TAG, private_directory.STATE}
    for path in set(PACKAGE.rglob("*.py")) - LAYOUTS:
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        found = {node.value for node in nodes if isinstance(node, ast.Constant)}
        assert not found & unlike, path


def test_another_version_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is kept is below the version; without git mlpipe's own directory is as well."""
    cache, root = tmp_path / "cache", tmp_path / "root"
    monkeypatch.setenv("MLPIPE_CACHE_DIR", str(cache))
    root.mkdir()
    (root / "raw").write_text("one\n")
    file = "steps: [{name: a, run: cat raw > out, inputs: [raw], outputs: [out]}]\n"
    (root / "mlpipe.yml").write_text(file)
    assert _ran(root) == [1, 0]
    before = sorted(cache.rglob("*"))
    monkeypatch.setattr(layout, "VERSION", "v0")
    assert _ran(root) == [1, 0]
    after = [path for path in cache.rglob("*") if path.relative_to(cache).parts[0] != "v0"]
    assert sorted(after) == before
    assert {path.name for path in cache.iterdir()} == {layout.TAG, "v0", "v1"}


def _ran(root: Path) -> list[int]:
    """How many steps two runs execute, one after the other."""
    told = [json.loads(call(root, "run")[1]) for _ in range(2)]
    return [sum(step["status"] == "succeeded" for step in one["steps"]) for one in told]


def test_a_name_goes_into_directories_and_back() -> None:
    path = layout.object_path("/c/v1", "blake3:abcdef")
    assert path == "/c/v1/objects/ab/cdef"
    assert layout.fan_in(Path(path)) == "abcdef"
    result = layout.result_path("/c/v1", "pr/7", "0123", "x")
    assert result == "/c/v1/results/pr/7/01/23/x.json"
    assert layout.fan_in(Path(result).parent) == "0123"
