"""Whatever works with the store is killed at random moments: nothing is damaged or left."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from tests.support.random_repo import call
from tests.support.reference_model import Snapshot, snapshot
from tests.support.repository import Repo

ROUNDS, PARTS = 60, 4
"""Kills in a part, and parts, which pytest-xdist runs side by side."""
WORKFLOW = """
steps:
  - name: make
    run: |
      mkdir -p parts/empty
      awk -v s="$(cat seed.txt)" 'BEGIN { for (i = 0; i < 150; i++) print s, i > "parts/" i }'
      awk -v s="$(cat seed.txt)" 'BEGIN { while (i++ < 120000) print s, i }' > parts/big
    inputs: [seed.txt]
    outputs: [parts/]
  - name: join
    run: cat parts/*[0-9g] conf.txt > joined; chmod +x joined
    inputs: [parts/, conf.txt]
    outputs: [joined]
  - name: count
    run: wc -c < joined > count
    inputs: [joined]
    outputs: [count]
"""
RUN = ("run", "--force")
GC = ("cache", "gc", "--max-age", "0", "--max-size")
SIZES = ("0", "3M", "5M")
"""Limits of a collection: all goes, or a part. A version takes 3 MB."""
WAYS = ("run", "run", "restore", "gc", "gc", "both", "both")
VERSIONS = 4


def edit(repo: Repo, version: int) -> None:
    repo.write({"seed.txt": f"seed {version // 2}\n", "conf.txt": f"conf {version}\n"})


def start(repo: Repo, *arguments: str) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "mlpipe_ci", *arguments, "-q"]
    return subprocess.Popen(command, cwd=repo.root, stdout=quiet, stderr=quiet)


@dataclass
class Bed:
    """A repository, its store, and what each version of its sources ends with."""

    repo: Repo
    chance: random.Random
    truth: dict[int, Snapshot] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)
    landed: int = 0

    @property
    def store(self) -> Path:
        return Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1"

    def measure(self) -> None:
        """Learn what is right, from an empty store, and how long an undisturbed command takes."""
        for version in range(VERSIONS):
            shutil.rmtree(self.store, ignore_errors=True)
            edit(self.repo, version)
            for way, arguments in {"run": RUN, "restore": RUN[:1]}.items():
                self.time(way, *arguments)
                self.truth[version] = snapshot(self.repo.root)
                self.forget_outputs()
            self.age()
            self.time("gc", *GC, "0")

    def time(self, way: str, *arguments: str) -> None:
        begun = time.monotonic()
        assert start(self.repo, *arguments).wait(60) == 0
        self.took.setdefault(way, []).append(time.monotonic() - begun)

    def forget_outputs(self) -> None:
        for name in ("joined", "count"):
            (self.repo.root / name).unlink(missing_ok=True)
        shutil.rmtree(self.repo.root / "parts", ignore_errors=True)

    def age(self) -> None:
        """Nothing in the store was used for two hours: all of it may be collected or swept."""
        for path in self.store.rglob("*"):
            if path.is_file():
                os.utime(path, (time.time() - 7200,) * 2)

    def kill(self, way: str) -> None:
        """Kill one command at a moment between its start and its end; beside another or alone."""
        gc = (*GC, self.chance.choice(SIZES))
        commands = {"gc": (gc,), "run": (RUN,), "restore": (RUN[:1],), "both": (RUN, gc)}[way]
        seconds = median(self.took["run" if way == "both" else way])
        # Every other one in the second half: the first is Python being started.
        moment = self.chance.uniform(self.chance.choice((0, seconds / 2)), seconds)
        running = [start(self.repo, *command) for command in commands]
        time.sleep(moment)
        victims = running if self.chance.random() < 0.5 else [self.chance.choice(running)]
        for process in victims:
            self.landed += process.poll() is None
            process.send_signal(signal.SIGKILL)
        codes = [process.wait(60) for process in running]
        assert set(codes) <= {0, -signal.SIGKILL}, codes

    def round(self) -> None:
        version, way = self.chance.randrange(VERSIONS), self.chance.choice(WAYS)
        edit(self.repo, version)
        if self.chance.random() < 0.3:
            self.repo.write({"mlpipe.yml": WORKFLOW + f"# {self.chance.random()}\n"})
        if self.chance.random() < 0.3:
            shutil.rmtree(self.store, ignore_errors=True)
        if self.chance.random() < 0.5:
            self.age()
        if way == "restore":
            call(self.repo.root, "run")
        if way == "restore" or self.chance.random() < 0.3:
            self.forget_outputs()
        self.kill(way)
        code, _, err = call(self.repo.root, "cache", "verify")
        assert code == 0, (way, err)
        code, _, err = call(self.repo.root, "run")
        assert code == 0, (way, err)
        self.check(version, way)

    def check(self, version: int, way: str) -> None:
        found = snapshot(self.repo.root)
        found["mlpipe.yml"] = self.truth[version]["mlpipe.yml"]
        assert found == self.truth[version], way


@pytest.fixture
def bed(repo: Repo) -> Callable[[int], Bed]:
    def make(part: int) -> Bed:
        repo.commit({"mlpipe.yml": WORKFLOW, ".gitignore": "parts/\njoined\ncount\n"})
        made = Bed(repo, random.Random(part))  # noqa: S311 - only chooses when to kill
        made.measure()
        return made

    return make


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_moment_the_store_is_whole(bed: Callable[[int], Bed], part: int) -> None:
    made = bed(part)
    for _ in range(ROUNDS):
        made.round()
    assert made.landed > ROUNDS / 4, "the commands ended before they could be killed"
    check_nothing_is_left(made)


def check_nothing_is_left(bed: Bed) -> None:
    """No temporary file stays for good: two runs later, and an hour later, all of them are gone."""
    bed.age()
    edit(bed.repo, 0)
    for arguments in (("--force",), ()):
        bed.forget_outputs()
        assert call(bed.repo.root, "run", *arguments)[0] == 0
    bed.check(0, "the end")
    own = bed.repo.root / ".git/mlpipe"
    files = {p.relative_to(own).as_posix() for p in own.rglob("*") if p.is_file()}
    places = [name.partition("/")[0] for name in files]
    assert set(places) <= {
        "lock",
        "runs",
        "scripts",
        "aside",
        "workflows",
        "left",
        "state.db",
        "report.json",
    }, files
    kept = {name.split("/")[1] for name in files if name.startswith("aside/")}
    assert kept <= {"replaced", "previous", "failed"}, files
    assert list((bed.store / "tmp").iterdir()) == []
