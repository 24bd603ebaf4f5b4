"""What goes wrong while steps run: what becomes of processes, outputs, the store, the exit code.

The table in docs/running.md is written from these cases.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlpipe_ci.core.frozen import frozen
from tests.support.processes import lives, wait_for
from tests.support.repository import Repo

FIRST = """
steps:
  - name: first
    run: cat in > first.txt; echo made >> ../made
    inputs: [in]
    outputs: [first.txt]
  - name: long
"""
LAST = """
    inputs: [in]
    outputs: [long.txt]
    {more}
  - name: last
    run: cat long.txt > last.txt
    inputs: [long.txt]
    outputs: [last.txt]
"""
BEGUN = "echo half > long.txt; echo $$ >> ../pids; touch ../begun; "
HANGS = BEGUN + "sleep 600"
CHILDREN = (
    BEGUN + "(sleep 600; echo late > long.txt) & echo $! >> ../pids; "
    "setsid sleep 600 & echo $! >> ../pids; wait"
)
DEAF = BEGUN + "trap '' TERM INT HUP; touch ../deaf; while :; do sleep 600; done"
DEAF_CHILD = (
    BEGUN
    + "setsid bash -c \"trap '' TERM HUP; echo \\$\\$ >> ../pids; sleep 600; sleep 600\" & wait"
)
DAEMON = (
    "echo $$ >> ../pids; setsid bash -c 'echo $$ >> ../pids; exec sleep 600' < /dev/null "
    "> /dev/null 2>&1 & sleep 0.3; cat in > long.txt"
)
HOLDER = "(echo $BASHPID >> ../pids; sleep 600) & sleep 0.1; cat in > long.txt"
ORPHAN = (
    BEGUN + "setsid bash -c '(setsid bash -c \"echo \\$\\$ >> ../pids; exec sleep 600\" &)'; "
    "sleep 600"
)
PATIENT = """
from mlpipe_ci.cli.main import main
from mlpipe_ci.run.executors import local
local.GRACE_SECONDS = 3600.0
raise SystemExit(main())
"""
"""mlpipe that gives a command an hour to end by itself after one signal."""


@frozen
class Fault:
    """`run`: the command; `then`: what is done once it has begun; `code`, `status`: how it ends."""

    run: str
    then: tuple[str, ...] = ()
    code: int | None = 1
    status: str = "failed"
    more: str = ""


FAULTS = {
    "a command that fails": Fault(run=BEGUN + "exit 3"),
    "a command that ends itself by a signal": Fault(run=BEGUN + "kill -SEGV $$"),
    "the command is killed": Fault(run=HANGS, then=("kill command",)),
    "it takes too long": Fault(run=HANGS, status="timed-out", more="timeout-minutes: 0.01"),
    "it takes too long, with children": Fault(
        run=CHILDREN, status="timed-out", more="timeout-minutes: 0.01"
    ),
    "it leaves a daemon": Fault(run=DAEMON, code=0, status="succeeded"),
    "what it leaves holds its output open": Fault(run=HOLDER, code=0, status="succeeded"),
    "SIGINT": Fault(run=CHILDREN, then=("INT",), code=130, status="cancelled"),
    "SIGTERM": Fault(run=CHILDREN, then=("TERM",), code=130, status="cancelled"),
    "SIGHUP": Fault(run=CHILDREN, then=("HUP",), code=130, status="cancelled"),
    "SIGINT, with an orphan": Fault(run=ORPHAN, then=("INT",), code=130, status="cancelled"),
    "SIGINT twice, to a deaf command": Fault(
        run=DEAF, then=("INT", "wait", "INT"), code=130, status="cancelled"
    ),
    "SIGTERM, to a command with a deaf daemon": Fault(
        run=DEAF_CHILD, then=("TERM",), code=130, status="cancelled"
    ),
    "mlpipe is killed": Fault(run=CHILDREN, then=("KILL",), code=-9, status=""),
    "mlpipe is killed, and there is an orphan": Fault(
        run=ORPHAN, then=("KILL",), code=-9, status=""
    ),
    "its terminal is lost": Fault(run=CHILDREN, then=("close", "HUP"), code=130, status=""),
}


@pytest.fixture
def start(repo: Repo) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def begin(
        *arguments: str, program: tuple[str, ...] = ("-m", "mlpipe_ci")
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *program, "run", *arguments],
            cwd=repo.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def prepare(repo: Repo, fault: Fault) -> None:
    script = f"    run: |\n      {fault.run}"
    text = FIRST + script + LAST.format(more=fault.more)
    repo.commit({"mlpipe.yml": text, "in": "1\n", ".gitignore": "*.txt\n"})
    repo.write({"long.txt": "from before\n"})


def pids(repo: Repo) -> list[int]:
    path = repo.root.parent / "pids"
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def act(repo: Repo, process: subprocess.Popen[str], what: str) -> None:
    if what == "kill command":
        os.kill(pids(repo)[0], signal.SIGKILL)
    elif what == "wait":
        time.sleep(0.5)
    elif what == "close" and process.stdout:
        process.stdout.close()
    else:
        process.send_signal(getattr(signal, f"SIG{what}"))


def healthy(repo: Repo) -> None:
    """The store is whole, the next run is right, and does not do again what was finished."""
    repo.mlpipe("cache", "verify")
    whole = "    run: cat in > long.txt\n"
    text = FIRST + whole + LAST.format(more="")
    repo.write({"mlpipe.yml": text})
    repo.mlpipe("run")
    assert [repo.read(f"{name}.txt") for name in ("first", "long", "last")] == ["1\n"] * 3
    assert repo.read("../made") == "made\n", "what was finished before was done again"
    assert not list((repo.root / ".git/mlpipe/aside/running").iterdir())


@pytest.mark.parametrize("tracer", ["off", "auto"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(
    repo: Repo,
    start: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    tracer: str,
) -> None:
    fault = FAULTS[name]
    monkeypatch.setenv("MLPIPE_TRACER", tracer)
    prepare(repo, fault)
    process = start()
    if fault.then:
        wait_for((repo.root.parent / "begun").exists)
        time.sleep(0.2)
    for what in fault.then:
        act(repo, process, what)
    out = "" if "close" in fault.then else process.communicate(timeout=30)[0]
    assert process.wait(30) == fault.code, out
    wait_for(lambda: not any(lives(pid) for pid in pids(repo)))
    if fault.status:
        assert f"long  {fault.status}" in out, out
    if fault.code and fault.code > 0:
        assert repo.read("long.txt") == "from before\n"
        assert not (repo.root / "last.txt").exists()
    healthy(repo)


def test_the_second_signal_does_not_wait(
    repo: Repo, start: Callable[..., subprocess.Popen[str]]
) -> None:
    prepare(repo, FAULTS["SIGINT twice, to a deaf command"])
    process = start(program=("-c", PATIENT))
    wait_for((repo.root.parent / "deaf").exists)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "the first waits for the command to end by itself"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert not any(lives(pid) for pid in pids(repo))


def test_a_result_that_is_being_kept_when_the_signal_comes_is_kept(
    repo: Repo, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Hashing and storing 600 MB takes a moment; what took hours is not lost in it."""
    text = """
steps:
  - name: big
    run: head -c 600000000 /dev/zero > big.bin; touch ../written
    inputs: [in]
    outputs: [big.bin]
  - {name: after, run: cat in > after.txt, inputs: [big.bin], outputs: [after.txt]}
"""
    repo.commit({"mlpipe.yml": text, "in": "1\n", ".gitignore": "*.bin\n"})
    process = start()
    wait_for((repo.root.parent / "written").exists)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130, out
    assert "big  succeeded" in out, out
    assert "after  blocked" in out, out
    assert "big  reused" in repo.mlpipe("run").stdout


def test_what_ends_while_another_is_being_kept_when_the_signal_comes_is_kept(
    repo: Repo, start: Callable[..., subprocess.Popen[str]]
) -> None:
    text = """
steps:
  - name: big
    run: head -c 600000000 /dev/zero > big.bin; touch ../written
    inputs: [in]
    outputs: [big.bin]
  - name: quick
    run: while ! [ -e ../written ]; do sleep 0.01; done; cat in > quick.txt
    inputs: [in]
    outputs: [quick.txt]
  - {name: long, run: sleep 60; cat in > long.txt, inputs: [in], outputs: [long.txt]}
"""
    repo.commit({"mlpipe.yml": text, "in": "1\n", ".gitignore": "*.bin\n"})
    process = start("--jobs", "3")
    wait_for((repo.root.parent / "written").exists)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130, out
    told = [f"{step}  {how}" in out for step, how in ENDINGS.items()]
    assert all(told), out
    assert "quick  reused" in repo.mlpipe("run", "quick").stdout


ENDINGS = {"big": "succeeded", "quick": "succeeded", "long": "cancelled"}

TREE = """
steps:
""" + "".join(
    f"""
  - name: s{n}
    run: |
      echo begin {n} >> ../log
      (sleep 0.0{n}; setsid sleep 0.2) &
      sleep 0.0{2 * n}; cat {"in" if n < 3 else f"s{n - 3}.txt"} > s{n}.txt
      echo end {n} >> ../log
    inputs: [{"in" if n < 3 else f"s{n - 3}.txt"}]
    outputs: [s{n}.txt]
"""
    for n in range(9)
)


@pytest.mark.slow
@pytest.mark.parametrize("tracer", ["off", "auto"])
@pytest.mark.parametrize("part", range(4))
def test_interrupted_at_random_no_process_is_left_and_no_finished_step_is_lost(
    repo: Repo,
    start: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    part: int,
    tracer: str,
) -> None:
    """200 times in all, three steps at once, by each of four signals."""
    monkeypatch.setenv("MLPIPE_TRACER", tracer)
    chance = random.Random(f"{part}{tracer}")  # noqa: S311 - moments
    repo.commit({"mlpipe.yml": TREE, "in": "0\n", ".gitignore": "*.txt\n"})
    for number in range(25):
        repo.write({"in": f"{number}\n"})
        finished: set[str] = set()
        while len(finished) < 9:
            process = start("--jobs", "3")
            time.sleep(chance.uniform(0.1, 1.2))
            process.send_signal(
                chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL))
            )
            out = process.communicate(timeout=30)[0]
            # Below zero: it had not begun yet, or was over already.
            assert process.returncode in (0, 130, -1, -2, -9, -15), out
            done = {f"s{n}" for n in range(9) if f"✔ s{n}  succeeded" in out}
            assert not done & finished, f"done twice: {done & finished}\n{out}"
            finished |= done | {f"s{n}" for n in range(9) if f"↺ s{n}  reused" in out}
            wait_for(lambda: not left_of(repo.root), 10)
            if chance.random() < 0.7:
                break
    repo.mlpipe("run", "--jobs", "3")
    assert {repo.read(f"s{n}.txt") for n in range(9)} == {"24\n"}
    repo.mlpipe("cache", "verify")


def left_of(root: Path) -> list[int]:
    """Processes that a step in this work tree has started."""
    mark = f"MLPIPE_ROOT={root}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0") and lives(int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue
    return found
