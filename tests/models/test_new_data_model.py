"""Random arrivals, edits and losses of data, held against what all would give from scratch."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_cases import cases

NAMES = ("a", "b", "c d", "é")
RUNS = 'echo "$MLPIPE_STEP" >> "$RUNS"; '


def _each(name: str, pattern: str, path: str, *inputs: Any) -> dict[str, Any]:
    return {
        "name": name,
        "each": pattern,
        "inputs": list(inputs),
        "run": f'{RUNS}mkdir -p {path}; cp "${{{{ each.path }}}}" "{path}/$NAME.txt"',
        "env": {"NAME": "${{ each.stem }}"},
        "outputs": [f"{path}/${{{{ each.stem }}}}.txt"],
    }


class World:
    """A work tree, a share beside it, and what is expected of the last step."""

    def __init__(self, top: Path) -> None:
        self.top, self.root, self.share = top, top / "work", top / "share"
        for path in (self.root / "data", self.share):
            path.mkdir(parents=True)
        source = {"url": f"file://{self.share}/*.csv", "path": "raw/"}
        total = {
            "name": "sum",
            "run": f"{RUNS}cat k build/*.txt ext/*.txt > sum.txt",
            "inputs": ["k", "build/*.txt", "ext/"],
            "outputs": ["sum.txt"],
        }
        steps = [
            _each("clean", "data/*.csv", "build"),
            _each("ext", "raw/*.csv", "ext", source),
            total,
        ]
        (self.root / "mlpipe.yml").write_text(json.dumps({"steps": steps}))
        (self.root / ".gitignore").write_text("build/\next/\nraw/\nsum.txt\n")
        self.write("data", 0, 0)
        self.write("share", 0, 0)
        self.edit(0)
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "all")

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def place(self, where: str) -> Path:
        return self.share if where == "share" else self.root / "data"

    def write(self, where: str, name: int, content: int) -> None:
        """A file comes or changes."""
        (self.place(where) / f"{NAMES[name]}.csv").write_text(f"{where} {NAMES[name]} {content}\n")

    def remove(self, where: str, name: int) -> None:
        """A file goes, unless it is the last."""
        path = self.place(where) / f"{NAMES[name]}.csv"
        if path.exists() and len(list(self.place(where).iterdir())) > 1:
            path.unlink()

    def edit(self, content: int) -> None:
        """Another input of the last step changes."""
        (self.root / "k").write_text(f"{content}\n")

    def lose(self, what: int) -> None:
        """Something that can be had again is deleted, or spoiled."""
        if what < 4:
            shutil.rmtree(
                self.root / ("build", "ext", "raw", ".git/mlpipe")[what], ignore_errors=True
            )
        else:
            spoiled = sorted(self.root.glob(("build/*", "ext/*", "raw/*", "sum.txt")[what - 4]))
            for path in spoiled[:1]:
                path.write_text("spoiled")

    def expected(self) -> str:
        """What the last step writes if all is run from scratch."""
        parts = [(self.root / "k").read_text()]
        for where in ("data", "share"):
            parts += [path.read_text() for path in _in_order(self.place(where))]
        return "".join(parts)

    def run(self, *arguments: str) -> list[str]:
        """Run; ids of the steps whose command was started."""
        runs = self.top / "runs"
        runs.write_text("")
        done = subprocess.run(
            [sys.executable, "-m", "mlpipe_ci", *arguments],
            cwd=self.root,
            env={**os.environ, "RUNS": str(runs), "MLPIPE_CACHE_DIR": str(self.top / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.out = done.stdout
        return runs.read_text().split()


def _in_order(place: Path) -> list[Path]:
    """As a shell lists what a pattern means, where all is bytes."""
    return sorted(place.iterdir(), key=lambda path: path.stem.encode())


FILES = st.tuples(st.sampled_from(("data", "share")), st.integers(0, 3))
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), FILES, st.integers(0, 2)),
    st.tuples(st.just("remove"), FILES, st.just(0)),
    st.tuples(st.just("edit"), st.just(("", 0)), st.integers(0, 2)),
    st.tuples(st.just("lose"), st.just(("", 0)), st.integers(0, 7)),
)
ROUND = st.lists(OPERATIONS, min_size=1, max_size=4)
Round = list[tuple[str, tuple[str, int], int]]


@pytest.mark.slow
@given(
    st.lists(st.lists(OPERATIONS, min_size=1, max_size=4), min_size=2, max_size=6), st.booleans()
)
@cases(12)
def test_each_run_ends_as_from_scratch(tmp_path: Path, rounds: list[Round], at_once: bool) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LC_ALL", "C")
        world = World(Path(name))
        world.run("run")
        for operations in rounds:
            for what, (where, number), value in operations:
                if what == "write":
                    world.write(where, number, value)
                elif what == "remove":
                    world.remove(where, number)
                else:
                    getattr(world, what)(value)
            before = sorted(path for path in world.root.rglob("*") if ".git" not in path.parts)
            assert world.run("plan", "--json") == []
            plan = {one["id"]: one["action"] for one in json.loads(world.out)["steps"]}
            after = sorted(path for path in world.root.rglob("*") if ".git" not in path.parts)
            assert before == after, "a plan does nothing"
            ran = world.run("run", *(["--jobs", "3"] if at_once else []))
            told = f"{operations} {plan} {ran} {world.out}"
            assert (world.root / "sum.txt").read_text() == world.expected(), told
            assert {one for one, action in plan.items() if action == "run"} <= set(ran), told
            assert not {one for one, action in plan.items() if action == "reuse"} & set(ran), told
            assert world.run("run") == [], told
