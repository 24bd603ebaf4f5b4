"""Inputs of many files: they count together in the key, and every one of them counts."""

import json

import pytest

from mlpipe_ci.core.directory_listing import MOST
from tests.support.repository import Repo

FILE = """
steps:
  - name: count
    run: echo run >> ../log; cat {shell} | wc -c > out.txt
    inputs: {inputs}
    outputs: [out.txt]
"""
MANY = MOST + 20


def make(repo: Repo, top: str, inputs: str, ignored: str = "") -> None:
    repo.write({f"{top}{n:03}.csv": f"{n}\n" for n in range(MANY)})
    text = FILE.format(inputs=inputs, shell=f"{top}*.csv")
    repo.commit({"mlpipe.yml": text, ".gitignore": f"out.txt\n{ignored}\n"})
    repo.mlpipe("run")


def runs(repo: Repo) -> int:
    log = repo.root.parent / "log"
    count = len(log.read_text().splitlines())
    repo.mlpipe("run")
    return len(log.read_text().splitlines()) - count


def key(repo: Repo) -> str:
    return str(json.loads(repo.mlpipe("plan", "--json").stdout)["steps"][0]["key"])


@pytest.mark.parametrize("top", ["data/", ".hidden/", ""])
@pytest.mark.parametrize("ignored", [False, True])
def test_each_of_many_files_counts(repo: Repo, top: str, *, ignored: bool) -> None:
    inputs = f"[{top or '.'}]" if top else "['*.csv']"
    make(repo, top, inputs, f"{top or '*.csv'}" if ignored else "")
    assert runs(repo) == 0
    repo.write({f"{top}007.csv": "8\n"})
    assert runs(repo) == 1
    (repo.root / f"{top}008.csv").unlink()
    assert runs(repo) == 1
    repo.write({f"{top}new.csv": "8\n"})
    assert runs(repo) == 1
    assert runs(repo) == 0
    repo.commit()
    assert runs(repo) == 0, "a commit changes nothing"


@pytest.mark.parametrize("top", ["data/", ".hidden/"])
def test_the_same_files_by_other_patterns_are_the_same_key(repo: Repo, top: str) -> None:
    make(repo, top, f"[{top}]")
    keys = {key(repo)}
    for inputs in (f"[{top}**]", f"['{top}*']", f"[{top}, {top}007.csv]", f"[{top}*.csv]"):
        repo.write({"mlpipe.yml": FILE.format(inputs=inputs, shell=f"{top}*.csv")})
        keys.add(key(repo))
    assert len(keys) == 1
    assert runs(repo) == 0


@pytest.mark.parametrize("ignored", ["", "data/"])
def test_what_is_excluded_does_not_count(repo: Repo, ignored: str) -> None:
    make(repo, "data/", "[data/, '!data/00*.csv', '!data/draft/']", ignored)
    repo.write({"data/003.csv": "other\n", "data/draft/x.csv": "1\n"})
    assert runs(repo) == 0
    repo.write({"data/030.csv": "other\n"})
    assert runs(repo) == 1


def test_a_file_that_git_ignores_counts_if_a_pattern_names_it(repo: Repo) -> None:
    repo.write({"data/a.log": "1"})
    make(repo, "data/", "[data/, data/*.log]", "*.log")
    assert runs(repo) == 0
    repo.write({"data/a.log": "2"})
    assert runs(repo) == 1
    assert runs(repo) == 0


def test_an_output_among_many_inputs_is_what_its_step_wrote(repo: Repo) -> None:
    repo.write({f"data/{n:03}.csv": f"{n}\n" for n in range(MANY)})
    text = """
steps:
  - {name: make, run: cat seed > data/made.csv, inputs: [seed], outputs: [data/made.csv]}
  - {name: sum, run: cat data/*.csv | wc -c > out.txt, inputs: [data/], outputs: [out.txt]}
"""
    repo.commit({"mlpipe.yml": text, "seed": "1\n", ".gitignore": "data/\nout.txt\n"})
    repo.mlpipe("run")
    first = repo.read("out.txt")
    repo.write({"seed": "12\n"})
    planned = json.loads(repo.mlpipe("plan", "--json").stdout)["steps"]
    assert [step["action"] for step in planned] == ["run", "maybe"]
    repo.mlpipe("run")
    assert int(repo.read("out.txt")) == int(first) + 1
    repo.write({"seed": "1\n", "data/made.csv": "edited by hand\n"})
    assert "2 reused" in repo.mlpipe("run").stdout
    assert repo.read("out.txt") == first
