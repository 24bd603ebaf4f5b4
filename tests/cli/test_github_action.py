"""The action's inputs become a command line."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mlpipe_ci.cli.github_action import artifact_name, command_line, label_of
from mlpipe_ci.cli.parser import parser
from mlpipe_ci.core.settings import INPUT_PREFIX as PREFIX
from tests.support.repository import ROOT


@pytest.fixture
def action() -> dict[str, Any]:
    return dict(YAML(typ="safe").load((ROOT / "action.yml").read_text()))


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
        *("--html=/t/mlpipe-report.html", "--notebooks=/t/mlpipe-notebooks"),
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
    assert command_line(env) == ["report", "--post"]


def test_the_reports_of_all_jobs_are_posted(tmp_path: Path) -> None:
    files = [
        tmp_path / "mlpipe-report-of-run" / f"mlpipe-report-{job}.json" / "mlpipe-report.json"
        for job in ("test-a", "test-b")
    ]
    for file in files:
        file.parent.mkdir(parents=True)
        file.touch()
    env = {f"{PREFIX}MODE": "report", "RUNNER_TEMP": str(tmp_path)}
    assert command_line(env) == ["report", "--post", *map(str, files)]


@pytest.mark.parametrize(
    ("matrix", "label"),
    [
        ('{"os": "ubuntu-latest", "seed": 1}', "os=ubuntu-latest, seed=1"),
        ('{"a": "x, b=1", "c": [1]}', 'a="x, b=1", c=[1]'),
        ("null", ""),
        ("", ""),
        ("[", ""),
    ],
)
def test_a_leg_is_called_by_the_values_of_its_matrix(matrix: str, label: str) -> None:
    assert label_of(matrix) == label
    words = command_line({f"{PREFIX}MATRIX": matrix})
    assert [word for word in words if "label" in word] == [f"--label={label}"] * bool(label)
    words = command_line({f"{PREFIX}MATRIX": matrix, f"{PREFIX}LABEL": "mine"})
    assert "--label=mine" in words


def test_long_labels_stay_apart() -> None:
    one, two = (label_of(f'{{"a": "{"x" * 200}{n}"}}') for n in range(2))
    assert one != two
    assert len(one) == 100


def test_artifacts_are_named_after_job_and_leg() -> None:
    env = {f"{PREFIX}ARTIFACT": "mlpipe-report"}
    assert artifact_name(env) == "mlpipe-report"
    env["GITHUB_JOB"] = "train"
    assert artifact_name(env) == "mlpipe-report-train"
    env[f"{PREFIX}MATRIX"] = '{"os": "linux", "seed": 1}'
    assert artifact_name(env) == "mlpipe-report-train-os=linux-seed=1"
    names = set()
    for label in ("a/b", "a:b", "x" * 300, "ü"):
        env[f"{PREFIX}LABEL"] = label
        names.add(artifact_name(env))
        assert re.fullmatch(r"mlpipe-report-train-[\w.=-]{1,90}", artifact_name(env), re.ASCII)
    assert len(names) == 4
    assert "--html=/t/" + artifact_name(env) + ".html" in command_line(env | {"RUNNER_TEMP": "/t"})
    assert artifact_name({"GITHUB_JOB": "train"}) == ""


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
