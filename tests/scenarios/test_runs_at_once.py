"""Runs at the same time: in one work tree, in several with one store, and beside a collection."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.random_repo import call
from tests.support.reference_model import snapshot
from tests.support.repository import Repo

ROUNDS, PARTS = 25, 4
"""Rounds in a part, and parts, which pytest-xdist runs side by side."""
WORKFLOW = """
steps:
  - name: make
    run: |
      echo make >> "$LOG"
      mkdir -p parts/empty
      for i in 0 1 2 3 4 5 6 7 8 9; do { cat seed.txt; echo $i; } > parts/$i; done
      chmod +x parts/9
    inputs: [seed.txt]
    outputs: [parts/]
  - name: join
    run: echo join >> "$LOG"; cat parts/? > joined
    inputs: [parts/]
    outputs: [joined]
  - name: same
    run: echo same >> "$LOG"; head -c 5 joined > same
    inputs: [joined]
    outputs: [same]
"""
GC = ("cache", "gc", "--max-age", "0", "--max-size")
STEPS = ["make", "join", "same"]


def start(root: Path, log: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", *arguments],
        cwd=root,
        env=os.environ | {"LOG": str(log)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(running: list[subprocess.Popen[str]]) -> None:
    for process in running:
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0, printed
        assert "warning" not in printed, printed


def started(log: Path) -> list[str]:
    found = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def check(root: Path, seed: str) -> None:
    """The outputs are those of the seed, all of them and nothing else."""
    found = snapshot(root)
    parts = [f"{seed}\n{i}\n".encode() for i in range(10)]
    wanted = {f"parts/{i}": ("program" if i == 9 else "file", p) for i, p in enumerate(parts)}
    wanted |= {"parts/empty": ("directory", b""), "joined": ("file", b"".join(parts))}
    wanted |= {"same": ("file", b"".join(parts)[:5])}
    sources = {"mlpipe.yml", "seed.txt", ".gitignore", ".git"}
    assert {path: entry for path, entry in found.items() if path not in sources} == wanted


def age() -> None:
    """Nothing in the store was used for two hours: all of it may be collected."""
    for path in Path(os.environ["MLPIPE_CACHE_DIR"], "v1").rglob("*"):
        if path.is_file() and path.parts[-2] != "locks":
            os.utime(path, (time.time() - 7200,) * 2)


@pytest.fixture
def ready(repo: Repo) -> Repo:
    ignored = "parts/\njoined\nsame\n"
    repo.commit({"mlpipe.yml": WORKFLOW, ".gitignore": ignored, "seed.txt": "first\n"})
    return repo


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_two_runs_in_one_work_tree(ready: Repo, tmp_path: Path, part: int) -> None:
    chance, log = random.Random(part), tmp_path / "log"  # noqa: S311 - only chooses when to start
    for number in range(ROUNDS):
        ready.write({"seed.txt": f"seed {number}\n"})
        first = start(ready.root, log, "run")
        time.sleep(chance.choice((0, chance.uniform(0, 0.4))))
        end([first, start(ready.root, log, "run")])
        assert started(log) == STEPS, "no command starts twice"
        check(ready.root, f"seed {number}")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_work_trees_with_one_store_beside_a_collection(
    ready: Repo, tmp_path: Path, part: int
) -> None:
    """What is collected just before it is restored is a miss: its step runs, and nothing else."""
    chance = random.Random(part)  # noqa: S311 - only chooses sizes and moments
    ready.git("worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    ready.git("clone", "-q", str(ready.root), str(tmp_path / "clone"))
    trees = (ready.root, tmp_path / "tree", tmp_path / "clone")
    logs = [tmp_path / f"log {number}" for number, _ in enumerate(trees)]
    for number in range(ROUNDS):
        seed = f"seed {number // 3}"  # two of three times there is something to restore
        chosen = chance.sample(list(zip(trees, logs, strict=True)), 2)
        age()
        for tree, _ in chosen:
            (tree / "seed.txt").write_text(f"{seed}\n")
            (tree / "joined").unlink(missing_ok=True)
        running = [start(tree, log, "run") for tree, log in chosen]
        time.sleep(chance.uniform(0, 0.4))
        end([*running, start(tmp_path, tmp_path / "log", *GC, chance.choice(("0", "1K", "5K")))])
        for tree, log in chosen:
            ran = started(log)
            assert len(ran) == len(set(ran)), ran
            check(tree, seed)
        assert call(ready.root, "cache", "verify")[0] == 0
    assert list(Path(os.environ["MLPIPE_CACHE_DIR"], "v1/tmp").iterdir()) == []


def test_two_stores_of_one_key_keep_one_result(
    ready: Repo, make_repo: Callable[[str], Repo], tmp_path: Path
) -> None:
    other = make_repo("other")
    other.commit({name: ready.read(name) for name in ("mlpipe.yml", ".gitignore", "seed.txt")})
    logs = tmp_path / "one", tmp_path / "two"
    end([start(r.root, log, "run") for r, log in zip((ready, other), logs, strict=True)])
    for repo in (ready, other):
        check(repo.root, "first")
    results = Path(os.environ["MLPIPE_CACHE_DIR"], "v1/results").rglob("*.json")
    assert len(list(results)) == len(STEPS)
