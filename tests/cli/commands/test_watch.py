"""`mlpipe watch`: a run for each change that a step reads, one at a time, until it is ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.cli.commands.watch import WatchedPaths, _wait
from mlpipe_ci.repo.location import Locations
from tests.support.repository import Repo

STEPS: list[dict[str, Any]] = [
    {"name": "a", "run": "echo a >> $RUNS; cp in a.txt", "inputs": ["in"], "outputs": ["a.txt"]},
    {
        "name": "b",
        "run": "echo b >> $RUNS; cp a.txt b.txt",
        "inputs": ["a.txt"],
        "outputs": ["b.txt"],
    },
    {"name": "c", "run": "echo c >> $RUNS; cp x c.txt", "inputs": ["x"], "outputs": ["c.txt"]},
]
PATIENCE = 20.0


class Watching:
    """A watch that goes on, and what it has done."""

    def __init__(self, repo: Repo, *arguments: str, **env: str) -> None:
        self.repo = repo
        self.runs = repo.root.parent / "runs"
        self.runs.write_text("")
        with (repo.root.parent / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlpipe_ci", "watch", *arguments],
                cwd=repo.root,
                env={**os.environ, "RUNS": str(self.runs), **env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        """All that it has printed."""
        return (self.repo.root.parent / "log").read_text(errors="replace")

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)

    def idle(self, times: int) -> None:
        """Wait until it has ended so many runs."""
        self.until(lambda: self.said().count("watching for changes") >= times)

    def ran(self) -> list[str]:
        """What was started since this was asked last."""
        found = self.runs.read_text().split()
        self.runs.write_text("")
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        """Have it end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def repo_of_steps(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": json.dumps({"steps": STEPS}), "in": "1", "x": "1", "README.md": "1"})
    repo.write({".gitignore": "*.txt\n"})
    return repo


@pytest.fixture
def watching(repo_of_steps: Repo) -> Iterator[Watching]:
    watching = Watching(repo_of_steps)
    yield watching
    watching.process.kill()
    watching.process.wait()


def test_only_what_changed_runs_and_a_signal_ends_it(watching: Watching) -> None:
    repo = watching.repo
    watching.idle(1)
    assert watching.ran() == ["a", "b", "c"]
    repo.write({"x": "2"})
    watching.idle(2)
    assert watching.ran() == ["c"]
    assert "x changed" in watching.said()
    repo.write({"README.md": "2"})
    time.sleep(1.5)
    assert watching.said().count("watching for changes") == 2, "no step reads it"
    for number in range(50):
        repo.write({"in": str(number)})
    watching.idle(3)
    assert watching.ran() == ["a", "b"], "a burst is one change"
    assert repo.read("b.txt") == "49"
    repo.git("checkout", "-q", "-b", "topic")
    repo.git("stash", "-q")
    watching.idle(4)
    assert watching.ran() == [], "what it goes back to is known, and comes from the cache"
    assert repo.read("b.txt") == "1"
    assert watching.end() == 0
    assert "no longer watching" in watching.said()


def test_a_change_while_steps_run_is_not_missed(repo_of_steps: Repo) -> None:
    steps = [{**STEPS[0], "run": "echo a >> $RUNS; cp in a.txt; sleep 1"}]
    repo_of_steps.write({"mlpipe.yml": json.dumps({"steps": steps})})
    watch = Watching(repo_of_steps)
    try:
        watch.until(lambda: "a" in watch.runs.read_text())
        repo_of_steps.write({"in": "2"})
        watch.until(
            lambda: (
                (repo_of_steps.root / "a.txt").exists() and watch.runs.read_text().count("a") > 1
            )
        )
        watch.idle(2)
        assert repo_of_steps.read("a.txt") == "2"
        assert watch.end(signal.SIGTERM) == 0
    finally:
        watch.process.kill()
        watch.process.wait()


def test_a_failure_and_a_fault_of_the_file_are_mended_by_the_next_change(
    watching: Watching,
) -> None:
    repo = watching.repo
    watching.idle(1)
    good = repo.read("mlpipe.yml")
    repo.write({"mlpipe.yml": good.replace('"inputs"', '"input"')})
    watching.idle(2)
    assert "did you mean 'inputs'?" in watching.said()
    repo.write({"mlpipe.yml": good.replace("cp x c.txt", "cp y c.txt")})
    watching.idle(3)
    assert "✖ c  failed" in watching.said()
    repo.write({"y": "3"})
    watching.idle(4)
    assert repo.read("c.txt") == "3"
    assert watching.end() == 0


def test_what_runs_each_time_is_no_reason_by_itself(repo: Repo) -> None:
    steps = [
        STEPS[0],
        {"name": "tell", "run": "echo tell >> $RUNS", "inputs": ["a.txt"], "cache": False},
    ]
    repo.commit({"mlpipe.yml": json.dumps({"steps": steps}), "in": "1", "README.md": "1"})
    watch = Watching(repo)
    try:
        watch.idle(1)
        repo.write({"README.md": "2"})
        time.sleep(1.5)
        assert watch.ran() == ["a", "tell"]
        repo.write({"in": "2"})
        watch.idle(2)
        assert watch.ran() == ["a", "tell"]
        assert watch.end() == 0
    finally:
        watch.process.kill()
        watch.process.wait()


def test_steps_that_declare_nothing_and_only_some_of_them(repo: Repo) -> None:
    steps = [
        {"name": "a", "run": "echo a >> $RUNS; sh a.sh > a.txt"},
        {"name": "b", "run": "cat x > b.txt"},
    ]
    repo.commit(
        {"mlpipe.yml": json.dumps({"steps": steps}), "a.sh": "cat in\n", "in": "1", "x": "1"}
    )
    watch = Watching(repo, "a", MLPIPE_TRACER="notify")
    try:
        watch.idle(1)
        repo.write({"x": "2"})
        time.sleep(1.5)
        repo.write({"in": "2"})
        watch.idle(2)
        assert repo.read("a.txt") == "2"
        assert not (repo.root / "b.txt").exists()
        assert watch.end() == 0
    finally:
        watch.process.kill()
        watch.process.wait()


def test_interrupted_while_a_step_runs(repo: Repo) -> None:
    step = {"name": "a", "run": "echo a >> $RUNS; sleep 60", "inputs": [], "outputs": []}
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]})})
    watch = Watching(repo)
    watch.until(lambda: "a" in watch.runs.read_text())
    assert watch.end() == 130
    assert "interrupted" in watch.said()


def test_in_github_actions_it_is_refused(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": json.dumps({"steps": STEPS})})
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push"}
    assert "is for a desk" in repo.mlpipe("watch", code=2, **env).stderr


def test_a_change_between_the_run_and_the_first_look_has_a_run(tmp_path: Path) -> None:
    """The first look sees it already: nothing differs after that, and yet no run knew of it."""
    known = WatchedPaths(reused=frozenset({("a", "key")}), inputs=("in",), outputs=("a.txt",))
    locations = Locations(
        start=tmp_path, root=tmp_path, git=None, private=tmp_path, state=tmp_path, cache=tmp_path
    )

    def waited(*changes: str) -> list[str]:
        said: list[str] = []
        batches = iter([frozenset({path}) for path in changes])
        try:
            _wait(batches, lambda: known, locations, said.append)
        except StopIteration:
            return []
        return said

    assert waited("in") == ["\nin changed"]
    assert waited("a.txt", "in") == ["\nin changed"]
    assert waited("README.md", "a.txt") == []
    assert waited("README.md", "in") == [], "touched later: what it holds is what the run saw"
