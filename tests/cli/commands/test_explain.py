"""`mlpipe explain`, and the key as it is written down in docs/reference/cache-key.md."""

import argparse
import json
import re
from dataclasses import fields

import jsonschema
from blake3 import blake3

from mlpipe_ci.cli.commands import explain
from mlpipe_ci.core.cache_key import KeyParts
from mlpipe_ci.core.directory_listing import MOST
from tests.support.repository import ROOT, Repo

DOCUMENT = ROOT / "docs/reference/cache-key.md"


def example() -> tuple[str, str, str]:
    """Workflow, line and key of the document."""
    text = DOCUMENT.read_text("utf-8")
    workflow, line = re.findall(r"```(?:yaml|json)\n(.*?)```", text, re.DOTALL)
    key = re.search(r"and the key `([0-9a-f]{64})`", text)
    assert key is not None
    return workflow, line.strip(), key[1]


def test_the_example_of_the_document_is_right(repo: Repo) -> None:
    workflow, line, key = example()
    assert blake3(line.encode("ascii")).hexdigest() == key
    record = json.loads(line)
    assert json.dumps(record, sort_keys=True, separators=(",", ":")) == line
    repo.commit({"mlpipe.yml": workflow, "train.py": "print('trained')\n"})
    (step,) = json.loads(repo.mlpipe("plan", "--json").stdout)["steps"]
    assert step["key"] == key
    (told,) = json.loads(repo.mlpipe("explain", "train", "--json").stdout)["steps"]
    assert told["parts"] == {n: v for n, v in record.items() if n not in {"type", "version"}}


def test_the_document_names_each_part() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    assert rows == {"type", "version", *(field.name for field in fields(KeyParts))}


FILE = """
params: {rate: 0.1}
steps:
  - name: train
    run: |
      echo one
      echo rate ${{ params.rate }}
    env: {MODE: fast}
    inputs: [data/]
    outputs: []
  - name: report
    run: cat missing.txt || true
    inputs: [data/a]
    outputs: [out.txt]
"""


def test_what_differs_is_told_to_the_line(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": FILE, "data/a": "1", "data/b": "1"})
    first = repo.mlpipe("explain", "train").stdout
    assert first.startswith("train: run, ")
    assert "it has not succeeded here yet" in first
    repo.mlpipe("run", code=1)
    again = repo.mlpipe("explain", "train").stdout
    assert "train: reuse, same inputs as" in again
    assert "its key is the same since the last run here" in again
    made = r"the result was made [\d.]+ s ago by commit \w+, refs/heads/main, in 0\.\d+ s"
    assert re.search(made, again)
    changed = FILE.replace("0.1", "0.2").replace("echo one", "echo two").replace("fast", "slow")
    head = repo.commit({"mlpipe.yml": changed, "data/a": "2"}, "Week 2")
    told = repo.mlpipe("explain", "train").stdout
    for line in (
        "  command    echo two",
        "  params     rate = 0.2",
        "  env        MODE=slow",
        "  since the last run here:",
        f'    data/a changed ({head[:7]} "Week 2")',
        "    params.rate 0.1 → 0.2",
        "    env MODE 'fast' → 'slow'",
        "    - echo one",
        "    + echo two",
        "    - echo rate 0.1",
        "    + echo rate 0.2",
    ):
        assert line in told.splitlines(), told
    assert re.search(r"^  input      data/a  git:[0-9a-f]{12}$", told, re.MULTILINE)


def test_several_steps_as_json(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": FILE, "data/a": "1", "data/b": "1"})
    schema = json.loads((ROOT / "schema/explain.schema.json").read_text("utf-8"))
    for _ in range(2):
        told = json.loads(repo.mlpipe("explain", "train", "report", "--json").stdout)
        jsonschema.Draft202012Validator(schema).validate(told)
        repo.mlpipe("run", code=1)
    assert [step["action"] for step in told["steps"]] == ["reuse", "run"]
    assert told["steps"][0]["differences"] == []


def test_a_step_that_is_not_there(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": FILE, "data/a": "1"})
    done = repo.mlpipe("explain", "trian", code=2)
    assert "explain trian: there is no such step; did you mean 'train'?" in done.stderr
    assert "required" in repo.mlpipe("explain", code=2).stderr


def test_many_inputs_are_cut_and_told_in_json(repo: Repo) -> None:
    repo.write({f"data/{n:03}": "1" for n in range(90)})
    repo.commit({"mlpipe.yml": FILE, "data/a": "1"})
    assert "  input      and 71 more" in repo.mlpipe("explain", "train").stdout
    told = json.loads(repo.mlpipe("explain", "train", "--json").stdout)
    assert len(told["steps"][0]["parts"]["inputs"]) == 91


def test_in_a_new_clone_the_newest_stored_result_is_told(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": FILE, "data/a": "1", "data/b": "1"})
    repo.mlpipe("run", "train")
    made = repo.commit({"data/a": "2", "data/b": "2"})
    repo.mlpipe("run", "train")
    head = repo.commit({"data/b": "3"})
    repo.git("clone", "-q", str(repo.root), str(repo.root.parent / "clone"))
    clone = Repo(repo.root.parent / "clone")
    told = clone.mlpipe("explain", "train").stdout
    changed = f'data/b changed ({head[:7]} "change")'
    assert told.splitlines()[-2:] == [f"  since the run of main at {made[:7]}:", f"    {changed}"]
    (step,) = json.loads(clone.mlpipe("explain", "train", "--json").stdout)["steps"]
    assert step["differences"] == [changed]


def test_of_many_files_those_that_changed_are_named(repo: Repo) -> None:
    repo.write({f"data/{n:03}": "1" for n in range(MOST + 10)})
    repo.commit({"mlpipe.yml": FILE, "data/a": "1"})
    repo.mlpipe("run", "train")
    (repo.root / "data/007").unlink()
    repo.write({"data/005": "2", "data/new": "1"})
    told = repo.mlpipe("explain", "train").stdout
    assert f"  input      data/  listing:{MOST + 11}:" in told
    assert [line.strip() for line in told.splitlines()[-3:]] == [
        "data/005 changed",
        "data/007 removed",
        "data/new added",
    ]
    ran = repo.mlpipe("run", "train").stdout
    assert "data/005 changed since the last run here, data/007 removed, data/new added" in ran


def test_the_example_of_its_help_names_a_step() -> None:
    parser = argparse.ArgumentParser()
    explain.add_arguments(parser)
    words = explain.EXAMPLE.split()[2:]
    assert parser.parse_args(words).steps == words


def test_would_a_change_of_this_file_run_the_step(repo: Repo) -> None:
    steps = "steps:\n  - {name: s, run: cp in out, inputs: [in], outputs: [out]}\n"
    repo.commit({"mlpipe.yml": steps, "in": "1", "sub/x": "1"})
    repo.mlpipe("run")
    said = repo.mlpipe("explain", "s", "--why-not", "in").stdout
    assert said == "s: yes, its inputs name it: in\n"
    said = repo.mlpipe("explain", "s", "-C", "sub", "--why-not", "x").stdout
    assert said.startswith("s: no, ")
    told = json.loads(repo.mlpipe("explain", "s", "--json", "--why-not", "./sub/../in").stdout)
    assert told["file"] == "in"
    assert told["steps"] == [{"id": "s", "runs": True, "why": "its inputs name it: in"}]
    wrong = repo.mlpipe("explain", "s", "--why-not", "../x", code=2)
    assert "outside of the repository" in wrong.stderr
