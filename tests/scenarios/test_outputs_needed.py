"""`--outputs needed`: what reused steps wrote comes back only where a step that runs reads it."""

import json
import os
from pathlib import Path

import pytest

from tests.support.repository import Repo

FILE = """
steps:
  - {name: clean, run: cat raw > clean.out, inputs: [raw], outputs: [clean.out]}
  - name: train
    run: |
      mkdir -p model
      cat clean.out train.txt > model/m.out
      echo '{"auc": 0.9}' > m.json
    inputs: [clean.out, train.txt]
    outputs: [model/]
    metrics: [m.json]
  - {name: plot, run: cat clean.out > plot.out, inputs: [clean.out], outputs: [plot.out]}
  - name: evaluate
    run: ls model > list.out; cat model/m.out eval.txt > report.out
    inputs: [model/, eval.txt]
    outputs: [report.out, list.out]
"""
MADE = ("clean.out", "model", "m.json", "plot.out", "report.out", "list.out")


@pytest.fixture
def clone(repo: Repo) -> Repo:
    """A fresh clone of a repository whose steps have all run elsewhere, with the same cache."""
    repo.write({name: f"{name} 1\n" for name in ("raw", "train.txt", "eval.txt")})
    repo.commit({"mlpipe.yml": FILE, ".gitignore": "*.out\nmodel/\nm.json\n"})
    repo.mlpipe("run")
    repo.git("clone", "-q", str(repo.root), str(repo.root.parent / "clone"))
    return Repo(repo.root.parent / "clone")


def there(repo: Repo) -> set[str]:
    return {name for name in MADE if (repo.root / name).exists()}


def statuses(output: str) -> dict[str, str]:
    lines = [line.split() for line in output.splitlines() if line[:1] in "↺✔✖"]
    return {words[1]: words[2] for words in lines[:-1]}  # the last one is the verdict


def test_nothing_comes_back_if_nothing_runs(clone: Repo) -> None:
    done = clone.mlpipe("run", "--outputs", "needed")
    assert list(statuses(done.stdout).values()) == ["reused"] * 4
    assert there(clone) == set()
    assert "auc 0.9" in done.stdout, "a result holds its metrics"
    clone.mlpipe("run")
    assert there(clone) == set(MADE)


def test_what_a_running_step_reads_comes_back(clone: Repo) -> None:
    clone.write({"eval.txt": "eval 2\n", "model/stale.out": "from another branch"})
    done = clone.mlpipe("run", "--outputs", "needed")
    assert statuses(done.stdout)["evaluate"] == "succeeded"
    assert there(clone) == {"model", "m.json", "report.out", "list.out"}
    assert clone.read("report.out") == "raw 1\ntrain.txt 1\neval 2\n"
    assert clone.read("list.out") == "m.out\n", "what the result does not have is not read"
    clone.write({"train.txt": "train 2\n"})
    clone.mlpipe("run", "--outputs", "needed")
    assert there(clone) == set(MADE) - {"plot.out"}
    assert clone.read("report.out") == "raw 1\ntrain 2\neval 2\n"


def test_damage_that_is_found_late_runs_the_step_after_all(clone: Repo) -> None:
    store = Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1" / "objects"
    content = b"raw 1\ntrain.txt 1\n"
    (model,) = (p for p in store.rglob("*") if p.is_file() and p.read_bytes() == content)
    model.chmod(0o644)
    model.write_bytes(b"raw 1\ntrain.txt 7\n")
    clone.write({"eval.txt": "eval 2\n"})
    done = clone.mlpipe("run", "--outputs", "needed", "--json")
    assert "the stored result is damaged" in done.stdout
    ended = {step["id"]: step["status"] for step in json.loads(done.stdout)["steps"]}
    assert list(ended) == ["clean", "train", "plot", "evaluate"]
    assert ended["train"] == ended["evaluate"] == "succeeded"
    assert clone.read("report.out") == "raw 1\ntrain.txt 1\neval 2\n"
    assert there(clone) == set(MADE) - {"plot.out"}
    assert "4 reused" in clone.mlpipe("run").stdout


def test_a_step_that_says_nothing_may_read_all(clone: Repo) -> None:
    step = "  - {name: pack, run: cat plot.out clean.out > pack.txt}\n"
    clone.commit({"mlpipe.yml": FILE + step})
    clone.mlpipe("run", "--outputs", "needed")
    assert there(clone) == set(MADE)
    assert clone.read("pack.txt") == "raw 1\nraw 1\n"


def test_a_condition_that_asks_for_files_sees_all(clone: Repo) -> None:
    step = """
  - name: ship
    if: hashFiles('plot.out') != ''
    run: cat eval.txt > ship.out
    inputs: [eval.txt]
    outputs: [ship.out]
"""
    clone.commit({"mlpipe.yml": FILE + step})
    clone.mlpipe("run", "--outputs", "needed")
    assert clone.read("ship.out") == "eval.txt 1\n"
