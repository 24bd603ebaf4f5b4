"""What is read before the run, and is another value for the command, or for the next run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
TRAIN = "import re; open('model', 'w').write(re.search('lr: (.*)', open('params.yaml').read())[1])"
FILES = {
    "params.yaml": "lr: 0.1\nrounds: 3\n",
    "train.py": TRAIN,
    ".gitignore": "model\nout/\nmade/\ndata/b.csv\n",
    "data/a.csv": "1",
    "seed": "9",
}
EACH = """
  - name: clean
    each: data/*.csv
    run: mkdir -p out; cat "${{ each.path }}" > "out/${{ each.name }}"
    outputs: ["out/${{ each.name }}"]
"""


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def train(more: str = "") -> str:
    declared = "inputs: [train.py], outputs: [model]"
    return f"steps: [{{name: train, run: python train.py, {declared}{more}}}]\n"


def failed(repo: Repo, *arguments: str, code: int = 1) -> str:
    return repo.mlpipe("run", *arguments, code=code).stdout


def test_a_value_that_the_command_reads_is_the_one_that_counts(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "params: params.yaml\n" + train(", params: [lr]"), **FILES})
    repo.mlpipe("run")
    said = failed(repo, "--set", "lr=0.5")
    assert "it read params.yaml by itself, where lr is 0.1, while --set lr=0.5 says 0.5" in said
    assert "${{ params.lr }}" in said
    assert repo.read("model") == "0.1"
    repo.write({"params.yaml": "lr: 0.5\nrounds: 3\n"})
    repo.mlpipe("run")
    assert repo.read("model") == "0.5"


def test_a_value_that_a_stored_result_was_not_made_with(repo: Repo) -> None:
    """What the step would read is not what it is told: so its result is none for that either."""
    repo.commit({**FILES, "mlpipe.yml": "steps: [{name: train, run: python train.py}]\n"})
    repo.write({"mlpipe.yml": "params: params.yaml\n" + repo.read("mlpipe.yml")})
    assert repo.mlpipe("run").returncode == 0
    assert "it read params.yaml by itself, where lr is 0.1" in failed(repo, "--set", "lr=5", code=2)
    assert repo.mlpipe("run").returncode == 0


def test_a_value_that_the_step_does_not_name_may_be_another(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "params: params.yaml\n" + train(", params: [lr]"), **FILES})
    repo.mlpipe("run", "--set", "rounds=5")
    repo.commit({"mlpipe.yml": "params: params.yaml\n" + train()})
    assert "where rounds is 3, while --set rounds=5 says 5" in failed(repo, "--set", "rounds=5")


@pytest.mark.parametrize(
    ("later", "by"),
    [("{lr: 0.7}", "the map in params says 0.7"), ("late.yaml", "late.yaml says 0.7")],
)
def test_a_later_source_of_params(repo: Repo, later: str, by: str) -> None:
    head = f"params: [params.yaml, {later}]\n"
    repo.commit({"mlpipe.yml": head + train(), "late.yaml": "lr: 0.7\n", **FILES})
    assert by in failed(repo)


def test_a_step_that_reads_the_later_file_too_puts_them_together_itself(repo: Repo) -> None:
    both = {**FILES, "train.py": TRAIN + "; open('late.yaml').read()", "late.yaml": "lr: 0.7\n"}
    repo.commit({"mlpipe.yml": "params: [params.yaml, late.yaml]\n" + train(), **both})
    repo.mlpipe("run")


@pytest.mark.parametrize(
    ("command", "head"),
    [
        ("cp seed data/b.csv", ""),
        ("mkdir -p made; cp seed made/b.csv; mv made/b.csv data/", ""),
        ("ln -s ../seed data/b.csv", ""),
        ("cp seed data/b.csv", "tracing: off\n"),
    ],
)
def test_an_item_that_a_step_makes_is_told_here_and_in_a_clone(
    repo: Repo, tmp_path: Path, command: str, head: str
) -> None:
    steps = f'{head}steps:\n  - {{name: fetch, run: "{command}"}}{EACH}'
    repo.commit({"mlpipe.yml": steps, **FILES})
    said = failed(repo)
    assert "it changed 'data/b.csv', which 'data/*.csv' of each of step 'clean' means" in said
    subprocess.run(["git", "clone", "-q", repo.root, tmp_path / "clone"], check=True)
    assert "it changed 'data/b.csv'" in failed(Repo(tmp_path / "clone"))


def test_an_item_that_a_step_removes(repo: Repo) -> None:
    steps = f"steps:{EACH}  - {{name: tidy, run: rm data/a.csv}}\n"
    repo.commit({"mlpipe.yml": steps, **FILES})
    assert "it changed 'data/a.csv', which 'data/*.csv' of each" in failed(repo)


def test_an_item_of_every_clone_may_get_another_content(repo: Repo) -> None:
    steps = f"steps:\n  - {{name: fill, run: cp seed data/a.csv}}{EACH}"
    repo.commit({"mlpipe.yml": steps, **FILES})
    repo.mlpipe("run")
    assert repo.read("out/a.csv") == "9"


def test_a_stored_result_with_an_item_of_a_later_each(repo: Repo) -> None:
    fetch = "steps:\n  - {name: fetch, run: cp seed data/b.csv}"
    repo.commit({"mlpipe.yml": fetch + "\n", **FILES})
    repo.mlpipe("run")
    (repo.root / "data/b.csv").unlink()
    repo.commit({"mlpipe.yml": fetch + EACH})
    assert "by its stored result, it changed 'data/b.csv'" in failed(repo, code=2)
    assert not (repo.root / "data/b.csv").exists()


@pytest.mark.parametrize("head", ["", "tracing: off\n"])
def test_params_that_a_step_changes(repo: Repo, head: str) -> None:
    write = 'sleep 0.1; echo "lr: 0.9" > params.yaml'
    steps = f"{head}params: params.yaml\nsteps:\n  - {{name: tune, run: '{write}'}}\n"
    repo.commit({"mlpipe.yml": steps, **FILES})
    assert "it changed 'params.yaml', from which the workflow's params were read" in failed(repo)


def test_params_that_a_step_puts_away_and_back(repo: Repo) -> None:
    stash = "cat params.yaml > out; git stash -q; git stash pop -q"
    steps = f"params: params.yaml\nsteps:\n  - {{name: tune, run: '{stash}'}}\n"
    repo.commit({"mlpipe.yml": steps, ".gitignore": "out\n", **FILES})
    repo.write({"params.yaml": "lr: 0.8\n"})
    repo.mlpipe("run")
    assert (repo.read("out"), repo.read("params.yaml")) == ("lr: 0.8\n", "lr: 0.8\n")


def test_links_hide_nothing(repo: Repo) -> None:
    (repo.root / "conf").mkdir()
    (repo.root / "params.yaml").symlink_to("conf/real.yaml")
    (repo.root / "data").symlink_to("store")
    steps = "params: params.yaml\n" + train(", params: [lr]")
    files = {name: text for name, text in FILES.items() if "/" not in name}
    real = {"conf/real.yaml": files.pop("params.yaml"), "store/a.csv": "1"}
    repo.commit({"mlpipe.yml": steps, **files, **real})
    assert "it read params.yaml by itself" in failed(repo, "--set", "lr=0.5")
    fetch = f"steps:\n  - {{name: fetch, run: cp seed data/b.csv}}{EACH}"
    repo.commit({"mlpipe.yml": fetch})
    assert "it changed 'data/b.csv', which 'data/*.csv' of each" in failed(repo)


def test_what_steps_write_elsewhere_or_only_for_a_moment_is_no_fault(repo: Repo) -> None:
    command = "mkdir -p made; cp seed made/b.csv; touch data/t.csv; rm data/t.csv; touch data/x"
    steps = f"params: params.yaml\nsteps:\n  - {{name: fetch, run: '{command}'}}{EACH}"
    repo.commit({"mlpipe.yml": steps, **FILES})
    repo.mlpipe("run")
