"""mlpipe is killed at random moments; the next run ends with the same bytes, every time."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import lives, wait_for
from tests.support.repository import Repo

WORKFLOW = """
steps:
  - name: clean
    run: for i in 1 2 3 4 5 6; do echo $i; sleep 0.01; done > clean.csv; cat raw.csv >> clean.csv
    inputs: [raw.csv]
    outputs: [clean.csv]
  - name: train
    run: |
      mkdir -p models/parts
      for part in a b c d; do cat clean.csv train.txt > models/parts/$part; sleep 0.01; done
      cat models/parts/* > models/all
    inputs: [train.txt, clean.csv]
    outputs: [models/]
  - name: evaluate
    run: wc -l < models/all > lines; sleep 0.02; cp lines report.txt
    inputs: [models/]
    outputs: [report.txt, lines]
"""
IGNORED = "clean.csv\nmodels/\nreport.txt\nlines\n"
OUTPUTS = ("clean.csv", "models/parts/a", "models/parts/d", "models/all", "lines", "report.txt")


def content(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


def edit(repo: Repo, version: int) -> None:
    repo.write({"raw.csv": f"raw {version // 2}\n", "train.txt": f"train {version}\n"})


def start(repo: Repo, cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run", "-q"],
        cwd=repo.root,
        env=os.environ | {"MLPIPE_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def truth(make_repo: Callable[[str], Repo], tmp_path: Path) -> Callable[[int], dict[str, str]]:
    """The bytes that an undisturbed run of a version ends with, from an empty cache."""

    def make(version: int) -> dict[str, str]:
        repo = make_repo(f"truth {version}")
        repo.commit({"mlpipe.yml": WORKFLOW, ".gitignore": IGNORED})
        edit(repo, version)
        repo.mlpipe("run", MLPIPE_CACHE_DIR=str(tmp_path / f"truth cache {version}"))
        return content(repo.root)

    return make


def kill_and_run_again(
    repo: Repo, cache: Path, truth: Callable[[int], dict[str, str]], kills: int, number: int
) -> None:
    chance = random.Random(20261123)  # noqa: S311 - only chooses when to kill
    known = {version: truth(version) for version in range(4)}
    repo.commit({"mlpipe.yml": WORKFLOW, ".gitignore": IGNORED})
    landed = 0
    for round_ in range(kills):
        version = chance.randrange(4)
        edit(repo, version)
        if chance.random() < 0.3:  # so that there is something to run, not only to restore
            subprocess.run(["rm", "-rf", str(cache)], check=True)
        if chance.random() < 0.3:
            (repo.root / "models/all").unlink(missing_ok=True)
        mlpipe = start(repo, cache)
        time.sleep(chance.uniform(0, 0.5))
        if mlpipe.poll() is None:
            landed += 1
            mlpipe.send_signal(number)
        mlpipe.wait()
        repo.mlpipe("run", MLPIPE_CACHE_DIR=str(cache))
        assert content(repo.root) == known[version], f"round {round_}"
        left = list((cache / "v1/tmp").iterdir()) if (cache / "v1/tmp").exists() else []
        assert len(left) <= landed
        again = repo.mlpipe("run", MLPIPE_CACHE_DIR=str(cache))
        assert "3 reused" in again.stdout
    assert landed > kills / 4, "the runs ended before they could be killed"


def test_killed_at_any_moment_the_next_run_is_right(
    repo: Repo, tmp_path: Path, truth: Callable[[int], dict[str, str]]
) -> None:
    kill_and_run_again(repo, tmp_path / "cache", truth, 6, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_at_many_moments_the_next_run_is_right(
    repo: Repo, tmp_path: Path, truth: Callable[[int], dict[str, str]], number: int
) -> None:
    kill_and_run_again(repo, tmp_path / "cache", truth, 60, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_its_step_and_says_so(repo: Repo, number: int) -> None:
    text = """
steps:
  - {name: first, run: echo 1 > one, inputs: [raw], outputs: [one]}
  - name: long
    run: echo half > two; echo $$ > pid; sleep 1000 & wait
    inputs: [raw]
    outputs: [two]
  - {name: last, run: echo never, inputs: [two]}
"""
    repo.commit({"mlpipe.yml": text, "raw": "1"})
    repo.write({"two": "the last good one"})
    mlpipe = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"],
        cwd=repo.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(lambda: (repo.root / "pid").exists() and repo.read("pid").strip() != "")
    mlpipe.send_signal(number)
    printed, _ = mlpipe.communicate(timeout=30)
    assert mlpipe.returncode == 130
    assert "✖ demo" not in printed
    assert "1 cancelled" in printed
    assert "1 ran" in printed
    assert repo.read("two") == "the last good one"
    pid = int(repo.read("pid"))
    wait_for(lambda: not lives(pid))
    assert "↺ first  reuse" in repo.mlpipe("plan").stdout, "what was finished is kept"


def test_two_runs_at_once_wait_for_each_other(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, ".gitignore": IGNORED})
    edit(repo, 1)
    runs = [start(repo, tmp_path / "cache") for _ in range(4)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0, 0, 0]
    assert repo.read("lines").strip() == "32"


def test_a_second_run_says_for_whom_it_waits(repo: Repo) -> None:
    text = "steps: [{name: long, run: touch started; while test ! -e go; do sleep 0.02; done}]"
    repo.commit({"mlpipe.yml": text})
    first = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run", "-q"], cwd=repo.root, stdout=subprocess.DEVNULL
    )
    wait_for((repo.root / "started").exists)
    second = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"], cwd=repo.root, stdout=subprocess.PIPE, text=True
    )
    assert second.stdout is not None
    line = second.stdout.readline()
    assert line.startswith(f"waiting for another run in this work tree (process {first.pid}, since")
    (repo.root / "go").touch()
    second.communicate(timeout=30)
    assert (first.wait(timeout=30), second.returncode) == (0, 0)
