"""`mlpipe logs`, `mlpipe runs`, and what a run leaves for them; a second run beside the first."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import wait_for
from tests.support.repository import Repo

WORKFLOW = """
steps:
  - name: Clean data
    id: clean
    run: echo cleaning $(cat in); cat in > clean.csv
    inputs: [in]
    outputs: [clean.csv]
  - name: train
    run: echo training; printf 'half \\377'; cat clean.csv > model
    inputs: [clean.csv]
    outputs: [model]
"""
UNTIL_GO = "until [ -e go ]; do sleep 0.02; done"


@pytest.fixture
def ready(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": WORKFLOW, "in": "1\n"})
    return repo


def logs(repo: Repo, *arguments: str, code: int = 0) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "mlpipe_ci", "logs", *arguments],
        cwd=repo.root,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done
    return done.stdout


def test_what_steps_printed_in_the_last_run(ready: Repo) -> None:
    ready.mlpipe("run")
    assert logs(ready) == b"cleaning 1\ntraining\nhalf \xff"
    assert logs(ready, "train") == logs(ready, "train", "--run", "1") == b"training\nhalf \xff"
    assert logs(ready, "Clean data") == logs(ready, "clean") == b"cleaning 1\n"


def test_of_a_reused_step_it_is_what_was_printed_then(ready: Repo) -> None:
    ready.mlpipe("run")
    shutil.rmtree(ready.root / ".git/mlpipe")  # as on another runner, which has the cache alone
    ready.mlpipe("run")
    done = ready.mlpipe("logs", "clean")
    assert done.stdout == "cleaning 1\n"
    assert "reused in run 1; printed when its result was made" in done.stderr
    assert logs(ready, code=1) == b""
    told = json.loads(ready.mlpipe("logs", "clean", "--json").stdout)
    assert told == {
        "version": 1,
        "run": 1,
        "steps": [{"step": "clean", "reused": True, "text": "cleaning 1\n"}],
    }
    shutil.rmtree(Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1" / "objects")
    assert "not in the cache any more" in ready.mlpipe("logs", "clean", code=2).stderr


def test_an_earlier_run_and_one_that_is_not_there(ready: Repo) -> None:
    assert "no run in this work tree yet" in ready.mlpipe("logs", code=2).stderr
    assert "no run in this work tree yet" in ready.mlpipe("runs").stderr
    ready.mlpipe("run")
    ready.write({"in": "2\n"})
    ready.mlpipe("run", "clean")
    assert logs(ready, "clean") == b"cleaning 2\n"
    assert logs(ready, "clean", "--run", "1") == b"cleaning 1\n"
    assert logs(ready, "train") == b"training\nhalf \xff"  # it was not asked for in the last one
    assert "skipped in run 2" in ready.mlpipe("logs", "train", "--run", "2", code=1).stderr
    assert (
        "run 9 is not known; there are 1 to 2" in ready.mlpipe("logs", "--run", "9", code=2).stderr
    )
    error = ready.mlpipe("logs", "nothing", code=2).stderr
    assert "no step 'nothing' in the runs that are kept; there are: clean, train" in error


def test_the_runs(ready: Repo) -> None:
    ready.mlpipe("run")
    ready.mlpipe("run")
    ready.write({"mlpipe.yml": WORKFLOW.replace("echo training", "exit 3")})
    ready.mlpipe("run", code=1)
    lines = ready.mlpipe("runs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert [line.rsplit("mlpipe.yml  ")[1] for line in lines] == [
        "1 failed · 1 reused",
        "2 reused",
        "2 ran",
    ]
    told = json.loads(ready.mlpipe("runs", "--json").stdout)["runs"]
    assert [run["result"] for run in told] == ["failure", "success", "success"]
    assert told[0]["head"] == ready.git("rev-parse", "HEAD")
    assert told[2]["steps"][0]["status"] == "succeeded"


def test_a_run_that_goes_on_and_one_that_was_killed(ready: Repo) -> None:
    text = WORKFLOW.replace("echo training", f"echo one; touch begun; {UNTIL_GO}; echo two")
    ready.write({"mlpipe.yml": text})
    process = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"], cwd=ready.root, stdout=subprocess.DEVNULL
    )
    wait_for((ready.root / "begun").exists)
    assert "running" in ready.mlpipe("runs").stdout
    assert logs(ready, "train") == b"one\n"
    busy = ready.mlpipe("run", "--no-wait", code=2)
    assert f"another run has this work tree (process {process.pid}, since " in busy.stderr
    unknown = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "logs", "trian", "--follow"],
        cwd=ready.root,
        stderr=subprocess.PIPE,
        text=True,
    )
    follower = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "logs", "train", "--follow"],
        cwd=ready.root,
        stdout=subprocess.PIPE,
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"one\n"
    assert follower.poll() is None, "there is more to come"
    assert unknown.stderr is not None
    first = unknown.stderr.readline()  # it is there before the run is over
    (ready.root / "go").touch()
    assert follower.communicate(timeout=60)[0] == b"two\nhalf \xff"
    assert follower.returncode == 0
    assert process.wait() == 0
    told = first + unknown.communicate(timeout=10)[1]
    assert "step 'trian' has not begun in run 1; waiting for it" in told
    assert "run 1 is over; no command of a step 'trian' ran" in told
    assert unknown.returncode == 1
    assert "is over (success)" in ready.mlpipe("logs", "train", "-f", code=2).stderr
    (ready.root / "begun").unlink()
    (ready.root / "go").unlink()
    ready.write({"in": "2\n"})
    process = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"], cwd=ready.root, stdout=subprocess.DEVNULL
    )
    wait_for((ready.root / "begun").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "killed" in ready.mlpipe("runs").stdout.splitlines()[0]
    assert logs(ready, "clean") == b"cleaning 2\n"


def test_quiet_says_nothing_but_what_failed(ready: Repo) -> None:
    assert ready.mlpipe("run", "-q").stdout.splitlines()[0].startswith("✔ work tree: 2 ran")
    ready.write({"mlpipe.yml": WORKFLOW.replace("echo training", "echo the reason; exit 3")})
    lines = ready.mlpipe("run", "-q", code=1).stdout.splitlines()
    assert lines[0].startswith("✖ train  failed")
    assert "    │ the reason" in lines
    assert "cleaning" not in "".join(lines)


CHATTY = f"""
steps: [{{name: chatty, run: {sys.executable} chatty.py, inputs: [chatty.py], cache: true}}]
"""
PROGRAM = """
import sys
line = {line!r}
for _ in range({size} // len(line)):
    sys.stdout.buffer.write(line)
"""
LINES = (b"epoch 1 loss 0.25" * 60 + b"\n", b"x" * 4096, b"\r  50 %" * 99)


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_gigabyte_of_output_takes_no_memory(repo: Repo, line: bytes, jobs: str) -> None:
    program = PROGRAM.format(line=line, size=1 << 30)
    repo.commit({"mlpipe.yml": CHATTY, "chatty.py": program})
    script = (  # `ru_maxrss` would be that of who started it: it survives `exec`
        "import sys; from mlpipe_ci.cli.main import main; code = main(sys.argv[1:]); "
        "status = open('/proc/self/status').read(); "
        "sys.stderr.write(status.split('VmHWM:')[1].split()[0]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "--jobs", jobs],
        cwd=repo.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert int(done.stderr) < 100_000, "KB"
    (log,) = (repo.root / ".git/mlpipe/runs").glob("*/chatty.log")
    assert log.stat().st_size > (1 << 30) - 8192
