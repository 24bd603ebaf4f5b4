"""`mlpipe show`: which result made a file, from what inputs, commits, params; what it measured."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.repository import ROOT, Repo

STEPS = [
    {"name": "clean", "run": "cat raw/*.csv > clean.csv", "inputs": ["raw/*.csv"]}
    | {"outputs": ["clean.csv"]},
    {"name": "train", "run": "cat clean.csv > model.pkl; echo ${{ params.rate }} >> model.pkl"}
    | {"inputs": ["clean.csv"], "outputs": ["model.pkl"]},
    {"name": "evaluate", "run": "cat clean.csv model.pkl; echo '{\"auc\": 0.9}' > m.json"}
    | {"inputs": ["model.pkl", "clean.csv"], "metrics": ["m.json"]},
]


@pytest.fixture
def made(repo: Repo) -> str:
    """A run of three steps; the commit that it was of."""
    text = json.dumps({"params": {"rate": 3}, "steps": STEPS})
    ignored = "clean.csv\nmodel.pkl\nm.json\nraw/own.csv\n"
    commit = repo.commit({"mlpipe.yml": text, ".gitignore": ignored, "raw/a.csv": "1\n"})
    repo.write({"raw/own.csv": "2\n"})
    repo.mlpipe("run")
    return commit


def shown(repo: Repo, *files: str, code: int = 0) -> list[dict[str, Any]]:
    found = json.loads(repo.mlpipe("show", "--json", *files, code=code).stdout)
    shape = json.loads((ROOT / "schema/show.schema.json").read_text())
    Draft202012Validator(shape).validate(found)
    return list(found)


def test_a_model_is_followed_to_its_sources(repo: Repo, made: str) -> None:
    (model,) = shown(repo, "model.pkl")
    assert model["made_by"]["step"] == "train"
    assert (model["made_by"]["commit"], model["made_by"]["params"]) == (made, {"rate": "3"})
    (clean,) = model["inputs"]
    assert (clean["path"], clean["made_by"]["step"]) == ("clean.csv", "clean")
    sources = {one["path"]: one["digest"].partition(":")[0] for one in clean["inputs"]}
    assert sources == {"raw/a.csv": "git", "raw/own.csv": "blake3"}
    assert model["measured"] == [{"step": "evaluate", "metrics": {"auc": 0.9}}]


def test_a_person_reads_it_from_top_to_bottom(repo: Repo, made: str) -> None:
    said = repo.mlpipe("show", "m.json").stdout
    lines = [line.strip().split("  ")[0] for line in said.splitlines()]
    assert lines[0] == "m.json"
    assert "made by step evaluate" in said
    assert f"of commit {made[:7]}, main" in said
    assert "param    rate = 3" in said
    assert "raw/own.csv" in said
    assert said.count("which clean made: see above") == 1


def test_after_another_run_each_file_has_its_own_story(repo: Repo, made: str) -> None:
    old = repo.read("model.pkl")
    text = json.dumps({"params": {"rate": 4}, "steps": STEPS})
    repo.commit({"mlpipe.yml": text})
    repo.mlpipe("run")
    assert shown(repo, "model.pkl")[0]["made_by"]["params"] == {"rate": "4"}
    repo.write({"model.pkl": old})
    (model,) = shown(repo, "model.pkl")
    assert model["made_by"]["params"] == {"rate": "3"}
    assert model["made_by"]["commit"] == made


def test_what_no_result_made_is_said_so(repo: Repo, made: str) -> None:
    repo.write({"model.pkl": "edited by hand"})
    assert "no stored result made this file" in repo.mlpipe("show", "model.pkl", code=1).stdout
    assert shown(repo, "model.pkl", code=1)[0]["made_by"] is None
    assert made


@pytest.mark.parametrize("name", ["nothing.pkl", "../outside", "/etc/passwd"])
def test_a_path_that_is_not_there(repo: Repo, made: str, name: str) -> None:
    said = repo.mlpipe("show", name, code=2).stderr
    assert name in said
    assert made


def test_from_below_the_root_and_for_a_directory(repo: Repo, made: str) -> None:
    found = shown(repo, "-C", "raw", "../clean.csv")
    assert found[0]["path"] == "clean.csv"
    assert [one["path"] for one in shown(repo, "raw", code=1)] == ["raw/a.csv", "raw/own.csv"]
    assert made


def test_a_step_that_declares_nothing_was_seen(repo: Repo) -> None:
    steps = [{"name": "all", "run": "python3 make.py"}]
    files = {"mlpipe.yml": json.dumps({"steps": steps}), ".gitignore": "out\n", "a": "1"}
    repo.commit({**files, "make.py": "open('out', 'w').write(open('a').read())"})
    repo.mlpipe("run", MLPIPE_TRACER="auto")
    (out,) = shown(repo, "out")
    assert {one["path"] for one in out["inputs"]} == {"a", "make.py"}
