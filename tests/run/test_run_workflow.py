"""A whole run with real commands: what a listener is told, and what an early end leaves."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from mlpipe_ci.cli.locate import find_locations
from mlpipe_ci.cli.open_session import open_session
from mlpipe_ci.cli.options import SessionOptions
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import MissingInputError
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.repo.private_directory import LOCK
from mlpipe_ci.run.executors import EXECUTORS
from mlpipe_ci.run.executors.base import ExecutorContext
from mlpipe_ci.run.executors.local import LocalExecutor
from mlpipe_ci.run.listener import SilentListener
from mlpipe_ci.run.run_workflow import run_workflow
from mlpipe_ci.run.settings import RunSettings
from tests.support.processes import wait_for
from tests.support.repository import Repo

CLEAN: dict[str, Any] = {
    "name": "clean",
    "run": "cat raw > clean.txt; echo cleaned",
    "inputs": ["raw"],
    "outputs": ["clean.txt"],
}
TRAIN: dict[str, Any] = {
    "name": "train",
    "run": "cat clean.txt > model",
    "inputs": ["clean.txt"],
    "outputs": ["model"],
}


class Recorder(SilentListener):
    """Remembers what it is told, as `word detail`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.printed: list[str] = []

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        self.told.append(f"head {len(workflow.steps)}")

    def planned(self, plan: Plan) -> None:
        self.told.append(f"planned {' '.join(str(one.action) for one in plan.decisions)}")

    def start(self, decision: Decision, seconds: float | None) -> None:
        before = "" if seconds is None else " again"
        self.told.append(f"start {decision.step.id} {decision.action}{before}")

    def output(self, step: str, data: bytes) -> None:
        self.printed.append(f"{step}: {data.decode()}")

    def end(self, outcome: StepOutcome) -> None:
        self.told.append(f"end {outcome.step.id} {outcome.status}")

    def message(self, text: str) -> None:
        self.told.append(f"message {text}")

    def close(self) -> None:
        if self.told[-1] != "close":  # it may be called twice
            self.told.append("close")


def steps(repo: Repo, *found: dict[str, Any]) -> None:
    repo.write({"mlpipe.yml": json.dumps({"steps": list(found)})})


def ran(repo: Repo, listener: SilentListener, **settings: Any) -> Run:
    """Run as the command line does, but for its printing."""
    env = dict(os.environ)
    locations = find_locations(str(repo.root), env)
    with hold(locations.private / LOCK, listener.message):
        session = open_session(locations, SessionOptions(), env, readonly=False)
        return run_workflow(session, RunSettings(**settings), listener)


def test_a_listener_is_told_in_the_order_of_the_run(repo: Repo) -> None:
    repo.commit({"raw": "1\n"})
    steps(repo, CLEAN, TRAIN)
    first = Recorder()
    run = ran(repo, first)
    assert first.told == [
        "head 2",
        "planned run maybe",
        "start clean run",
        "end clean succeeded",
        "start train run",
        "end train succeeded",
        "close",
    ]
    assert first.printed == ["clean: cleaned\n"]
    assert [o.status for o in run.outcomes] == ["succeeded", "succeeded"]
    assert (run.result, run.cancelled, repo.read("model")) == ("success", False, "1\n")
    repo.write({"raw": "2\n"})
    second = Recorder()
    ran(repo, second)
    assert second.told[2:4] == ["start clean run again", "end clean succeeded"]
    third = Recorder()
    ran(repo, third)
    assert third.told == [
        "head 2",
        "planned reuse reuse",
        "start clean reuse",
        "end clean reused",
        "start train reuse",
        "end train reused",
        "close",
    ]


class Raiser(Recorder):
    """Raises an error when the second command is about to start."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def start(self, decision: Decision, seconds: float | None) -> None:
        super().start(decision, seconds)
        if sum(one.startswith("start") for one in self.told) == 2:
            raise self.error


@pytest.fixture
def slow(repo: Repo) -> Repo:
    """Steps a and b, which take a minute now, and `train`, which needs both; all have run once."""
    repo.commit({"raw": "1\n"})
    two = [CLEAN | {"name": name, "run": f"cat raw > {name}", "outputs": [name]} for name in "ab"]
    last = TRAIN | {"inputs": ["a", "b"], "run": "cat a b > model"}
    steps(repo, *two, last)
    ran(repo, SilentListener())
    repo.write({"raw": "2\n"})
    steps(repo, *(one | {"run": f"{one['run']}; sleep 60"} for one in two), last)
    return repo


def outputs(repo: Repo) -> list[str]:
    return [repo.read(name) for name in ("a", "b", "model")]


def test_an_interrupted_run_cancels_and_blocks_and_puts_old_outputs_back(slow: Repo) -> None:
    listener = Raiser(KeyboardInterrupt())
    run = ran(slow, listener, jobs=2)
    assert {o.step.id: str(o.status) for o in run.outcomes} == {
        "a": "cancelled",
        "b": "cancelled",
        "train": "blocked",
    }
    assert {o.reasons for o in run.outcomes} == {("the run was interrupted",)}
    assert (run.result, run.cancelled) == ("cancelled", True)
    assert outputs(slow) == ["1\n", "1\n", "1\n1\n"]
    at = listener.told.index("message interrupted; ending what runs (once more: at once)")
    assert listener.told[at - 1] == "close", "what is printed comes after the live view"
    ended = [one for one in listener.told[at:] if one.startswith("end")]
    assert sorted(ended) == ["end a cancelled", "end b cancelled", "end train blocked"]


def test_a_fault_of_a_listener_leaves_no_command_and_the_old_outputs(slow: Repo) -> None:
    listener = Raiser(RuntimeError("a fault"))
    with pytest.raises(RuntimeError, match="a fault"):
        ran(slow, listener, jobs=2)
    assert listener.told[-1] == "close"
    assert outputs(slow) == ["1\n", "1\n", "1\n1\n"]


def test_what_a_killed_run_set_aside_is_put_back_first(repo: Repo) -> None:
    repo.commit({"raw": "1\n"})
    steps(repo, CLEAN)
    ran(repo, SilentListener())
    steps(repo, CLEAN | {"run": "echo half > clean.txt; sleep 60"})
    started = [sys.executable, "-m", "mlpipe_ci", "run"]
    with subprocess.Popen(started, cwd=repo.root, stdout=subprocess.DEVNULL) as killed:
        wait_for(lambda: (repo.root / "clean.txt").exists() and repo.read("clean.txt") == "half\n")
        killed.send_signal(signal.SIGKILL)
    steps(repo, CLEAN)
    seen = []

    class Reader(Recorder):
        def head(self, workflow: Workflow, comparison: Comparison) -> None:
            super().head(workflow, comparison)
            seen.append(repo.read("clean.txt"))

    listener = Reader()
    run = ran(repo, listener)
    at = listener.told.index("head 1")
    message = "message step 'clean' was interrupted last time; its old outputs were put back"
    assert listener.told[at - 1] == message
    assert seen == ["1\n"]
    assert run.outcomes[0].status == "reused"


def test_what_items_wrote_that_are_gone_is_moved_away(repo: Repo) -> None:
    repo.commit({f"data/{name}": f"{name}\n" for name in "abcdef"})
    copy = 'cp "${{ each.path }}" "${{ each.name }}"'
    outputs = ["${{ each.name }}"]
    steps(repo, {"name": "copy", "each": "data/*", "run": copy, "outputs": outputs})
    ran(repo, SilentListener())
    (repo.root / "data/a").unlink()
    listener = Recorder()
    ran(repo, listener)
    begin, end = "message step 'copy': ", f"moved to {repo.root}/.git/mlpipe/aside/previous/copy"
    assert listener.told[0] == f"{begin}a belongs to an item that no longer exists; {end}"
    assert listener.told[1] == "head 5"
    assert not (repo.root / "a").exists()
    assert (repo.root / ".git/mlpipe/aside/previous/copy/a").read_text() == "a\n"
    for name in "bcde":
        (repo.root / "data" / name).unlink()
    listener = Recorder()
    ran(repo, listener)
    some = f"{begin}b, c, d, … belong to an item that no longer exists; {end}"
    assert listener.told[0].startswith(some)
    assert [name for name in "bcdef" if (repo.root / name).exists()] == ["f"]
    listener = Recorder()
    ran(repo, listener)
    assert listener.told[0] == "head 1", "it is said once"


class Spy(LocalExecutor):
    """Says how often it was closed."""

    closed = 0

    def close(self) -> None:
        type(self).closed += 1
        super().close()


def open_spy(context: ExecutorContext) -> Spy:
    return Spy(context.printed, context.locks, context.jobs)


def test_the_executor_is_closed_where_planning_fails(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXECUTORS, "spy", f"{__name__}:open_spy")
    monkeypatch.setattr(Spy, "closed", 0)
    repo.commit({"raw": "1\n"})
    steps(repo, CLEAN | {"inputs": ["gone"]})
    listener = Recorder()
    with pytest.raises(MissingInputError, match="'gone' is missing"):
        ran(repo, listener, executor="spy")
    assert Spy.closed == 1
    assert listener.told == ["head 1"], "nothing was planned"
