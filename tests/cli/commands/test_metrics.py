"""`mlpipe metrics`: what is here beside a base, from results or committed files; it runs nothing.

The first ten are what DVC's own tests expect of `dvc metrics diff`, and what its users miss in it.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.github_runner import Hub
from tests.support.repository import ROOT, Repo

ONE = {"name": "e", "run": "cp in.json m.json", "inputs": ["in.json"], "metrics": ["m.json"]}


def flow(**more: Any) -> str:
    return json.dumps({"steps": [ONE | more]})


def told(repo: Repo, *arguments: str) -> dict[str, Any]:
    found = dict(json.loads(repo.mlpipe("metrics", "--json", *arguments).stdout))
    shape = json.loads((ROOT / "schema/metrics.schema.json").read_text())
    Draft202012Validator(shape).validate(found)
    return found


def rows(found: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    return {m["name"]: (m["base"], m["here"], m["change"]) for m in found["metrics"]}


FORMS = {
    "m.yaml": ("a: {b: {c: 1, e: '3'}}\n", "a: {b: {c: 2, e: '3'}}\n"),
    "m.json": ('{"a": {"b": {"c": 1, "e": "3"}}}', '{"a": {"b": {"c": 2, "e": "3"}}}'),
    "m.toml": ("[a.b]\nc = 1\n", "[a.b]\nc = 2\n"),
}


@pytest.mark.parametrize("name", FORMS)
def test_one_row_for_each_nested_name(repo: Repo, name: str) -> None:
    before, after = FORMS[name]
    repo.commit({"mlpipe.yml": flow(metrics=[name], run="true"), name: before, "in.json": ""})
    repo.write({name: after})
    assert rows(told(repo)) == {"a.b.c": (1, 2, 1)}


def test_what_did_not_change_has_no_difference(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": flow(), "m.json": '{"auc": 0.5}', "in.json": "{}"})
    assert rows(told(repo)) == {"auc": (0.5, 0.5, 0)}
    assert "auc ↑    0.5   0.5  =" in repo.mlpipe("metrics").stdout


def test_a_new_metric_and_one_that_is_gone(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": flow(), "m.json": '{"old": 1}', "in.json": "{}"})
    repo.write({"m.json": '{"new": 2}'})
    assert rows(told(repo)) == {"new": (None, 2, None), "old": (1, None, None)}


def test_a_file_that_is_gone(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": flow(), "m.json": '{"auc": 1}', "in.json": "{}"})
    (repo.root / "m.json").unlink()
    found = told(repo)
    assert rows(found) == {"auc": (1, None, None)}
    assert found["notes"] == ["metrics file 'm.json' cannot be read: No such file or directory"]


@pytest.mark.parametrize("side", ["base", "here"])
def test_a_broken_file_leaves_the_other_side(repo: Repo, side: str) -> None:
    good, bad = '{"auc": 1}', '{"auc": 1'
    repo.commit({"mlpipe.yml": flow(), "m.json": bad if side == "base" else good, "in.json": "{}"})
    repo.write({"m.json": good if side == "base" else bad})
    found = told(repo)
    assert rows(found) == {"auc": (None, 1, None) if side == "base" else (1, None, None)}
    assert any("m.json" in note and "delimiter" in note for note in found["notes"])


def test_a_file_with_one_number(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": flow(), "m.json": "3", "in.json": "{}"})
    repo.write({"m.json": "4"})
    assert rows(told(repo)) == {"m": (3, 4, 1)}


def test_a_repository_without_commits(repo: Repo) -> None:
    repo.write({"mlpipe.yml": flow(), "in.json": "{}"})
    found = told(repo)
    assert (found["metrics"], found["base"]) == ([], None)


def test_uncommitted_changes_against_the_last_commit(repo: Repo) -> None:
    first = repo.commit({"mlpipe.yml": flow(), "in.json": '{"auc": 0.5}', ".gitignore": "m.json"})
    repo.mlpipe("run")
    repo.write({"in.json": '{"auc": 0.75}'})
    found = told(repo)
    assert rows(found) == {"auc": (0.5, 0.5, 0)}
    assert "e would run: its numbers are those of an earlier run" in found["notes"]
    repo.mlpipe("run")
    assert rows(told(repo)) == {"auc": (0.5, 0.75, 0.25)}
    assert told(repo)["base"]["sha"] == first


def test_numbers_are_rounded_to_five_digits(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": flow(), "m.json": '{"auc": 1.23456789}', "in.json": "{}"})
    repo.write({"m.json": '{"auc": 3.45678910111213}'})
    said = repo.mlpipe("metrics").stdout.splitlines()
    assert said[1].split() == ["auc", "↑", "1.2346", "3.4568", "+2.22", "better"]
    text = repo.mlpipe("metrics", "--csv").stdout
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["base"], row["here"], row["better"]) == (
        *("1.23456789", "3.45678910111213", "better"),
    )


def test_a_clone_with_one_commit_has_a_base(hub: Hub, tmp_path: Path) -> None:
    files = {"mlpipe.yml": flow(), "in.json": '{"auc": 0.5}', ".gitignore": "m.json"}
    hub.desk.commit(dict(files))
    hub.desk.mlpipe("run")
    first = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"in.json": '{"auc": 0.75}'})
    hub.push()
    job = hub.clone(tmp_path / "clone", "topic")
    job.mlpipe("run")
    found = told(job, first)
    assert rows(found) == {"auc": (0.5, 0.75, 0.25)}
    assert job.git("rev-list", "--count", "HEAD") == "1"


def test_a_base_that_was_never_run_is_said_so(repo: Repo) -> None:
    first = repo.commit({"mlpipe.yml": flow(), "in.json": '{"auc": 0.5}', ".gitignore": "m.json"})
    done = repo.mlpipe("metrics")
    assert (done.stdout, f"no base: e never ran on {first[:7]}" in done.stderr) == ("", True)


def test_params_that_differ_are_beside_it(repo: Repo) -> None:
    run = {"run": "echo '{\"auc\": ${{ params.rate }}}' > m.json", "inputs": ["in.json"]}
    text = json.dumps({"params": "params.yaml", "steps": [ONE | run]})
    files = {"mlpipe.yml": text, "params.yaml": "rate: 1\nother: {a: 1}\n", "in.json": ""}
    repo.commit({**files, ".gitignore": "m.json"})
    repo.mlpipe("run")
    repo.write({"params.yaml": "rate: 2\nother: {a: 1}\nnew: x\n"})
    repo.mlpipe("run")
    found = told(repo)
    assert found["params"] == [
        {"path": "new", "base": None, "here": '"x"'},
        {"path": "rate", "base": "1", "here": "2"},
    ]
    assert 'params.new none → "x"\nparams.rate 1 → 2\n' in repo.mlpipe("metrics").stdout
    markdown = repo.mlpipe("metrics", "--markdown").stdout
    assert "| <code>auc</code>&nbsp;↑ | 🟢&nbsp;+1 | 1&nbsp;→ 2 |" in markdown


def test_not_finite_numbers_are_shown(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": flow(), "in.json": '{"loss": 1}', ".gitignore": "m.json"})
    repo.mlpipe("run")
    repo.write({"in.json": '{"loss": NaN}'})
    repo.mlpipe("run")
    assert rows(told(repo)) == {"loss": (1, "NaN", None)}
    assert "NaN  not a number" in repo.mlpipe("metrics").stdout
