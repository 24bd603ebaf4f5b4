"""The local executor, with real processes."""

import io
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from mlpipe_ci.core.workflow import command_line
from mlpipe_ci.run.executors.base import Job, JobResult, Printed
from mlpipe_ci.run.executors.local import LocalExecutor
from tests.support.processes import lives, wait_for
from tests.support.repository import ROOT


def job(directory: Path, command: str, **env: str) -> Job:
    variables = {"PATH": os.environ["PATH"], **env}
    return Job(
        id="s",
        argv=command_line("bash", command, ""),
        directory=directory,
        env=tuple(variables.items()),
        log=directory / "logs" / "s.log",
    )


def printed_to(screen: BinaryIO) -> Printed:
    return lambda _, data: (screen.write(data), screen.flush())[1]


def execute(directory: Path, command: str, **env: str) -> tuple[JobResult, bytes]:
    screen = io.BytesIO()
    executor = LocalExecutor(printed_to(screen))
    executor.start(job(directory, command, **env))
    assert executor.free() == 0
    outcome = executor.run_to_end()
    assert executor.free() == 1
    executor.close()
    assert (directory / "logs" / "s.log").read_bytes() == screen.getvalue()
    return outcome, screen.getvalue()


def test_output_of_both_streams_in_order(tmp_path: Path) -> None:
    outcome, printed = execute(tmp_path, "echo out; echo err >&2; printf 'no newline \\xff'")
    assert (outcome.exit_code, printed) == (0, b"out\nerr\nno newline \xff")
    assert not outcome.trace.complete


def test_there_is_nothing_to_wait_for_if_nothing_runs(tmp_path: Path) -> None:
    executor = LocalExecutor(lambda _job, _data: None)
    assert not executor.wait(None)
    executor.start(job(tmp_path, "true"))
    assert executor.wait(None)
    assert executor.result().exit_code == 0
    assert not executor.wait(None)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("false; true", 1),
        ("false | true", 1),
        ("kill -SEGV $$", -signal.SIGSEGV),
        ("no_such_program", 127),
    ],
)
def test_exit_codes(tmp_path: Path, command: str, code: int) -> None:
    assert execute(tmp_path, command)[0].exit_code == code


def test_the_environment_and_directory_are_the_jobs(tmp_path: Path) -> None:
    _, printed = execute(tmp_path, 'echo "$MODE|${HOME-unset}|$PWD"; cat', MODE="fast")
    assert printed == f"fast|unset|{tmp_path}\n".encode()


def test_no_startup_file_of_the_user_is_read(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("echo from bashrc")
    _, printed = execute(tmp_path, "true", HOME=str(tmp_path), BASH_ENV=str(tmp_path / "none"))
    assert printed == b""


def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    _, printed = execute(tmp_path, "sleep 1000 & echo $!; disown")
    wait_for(lambda: not lives(int(printed)))


def test_a_daemon_that_holds_the_pipe_does_not_hold_the_run(tmp_path: Path) -> None:
    outcome, printed = execute(tmp_path, "setsid sleep 1000 & echo $!; sleep 0.3; echo done")
    daemon = int(printed.split()[0])
    assert (outcome.exit_code, printed.split()[1]) == (0, b"done")
    assert lives(daemon), "it left the process group, and the run did not wait for it"
    os.kill(daemon, signal.SIGKILL)


def test_close_ends_all_processes_also_those_that_ignore_term(tmp_path: Path) -> None:
    screen = io.BytesIO()
    executor = LocalExecutor(printed_to(screen))
    executor.start(job(tmp_path, "trap '' TERM; sleep 1000 & echo $$ $!; wait; sleep 1000"))
    wait_for(lambda: screen.getvalue().count(b"\n") == 1)
    executor.close()
    assert executor.free() == 1
    for pid in screen.getvalue().split():
        wait_for(lambda pid=pid: not lives(int(pid)))  # type: ignore[misc]


def test_a_closed_screen_does_not_end_the_command(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as screen:  # noqa: PTH123 - a descriptor, not a path
        executor = LocalExecutor(printed_to(screen))
        executor.start(job(tmp_path, "for i in $(seq 5000); do echo $i; done"))
        assert executor.run_to_end().exit_code == 0
    assert (tmp_path / "logs/s.log").read_bytes().endswith(b"5000\n")


def test_a_shell_that_cannot_be_started_is_an_os_error(tmp_path: Path) -> None:
    nowhere = replace(job(tmp_path, "true"), directory=tmp_path / "nowhere")
    with pytest.raises(OSError, match="nowhere"):
        LocalExecutor(lambda *_: None).start(nowhere)


def test_if_mlpipe_is_killed_its_processes_go_before_the_lock_is_free(tmp_path: Path) -> None:
    """A step that writes on while the next run starts would spoil its outputs."""
    program = textwrap.dedent(f"""
        import fcntl, io, os, sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from mlpipe_ci.run.executors.local import LocalExecutor
        from tests.run.executors.test_local import job
        lock = os.open("lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        executor = LocalExecutor(lambda *_: None, (lock,))
        command = "sleep 1000 & echo $$ $! > pids; wait"
        executor.start(job(Path.cwd(), command, MLPIPE_STEP="s", MLPIPE_ROOT=str(Path.cwd())))
        executor.wait(None)
    """)
    mlpipe = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    wait_for(
        lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().count(" ") > 0
    )
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(lives(pid) for pid in pids)
    mlpipe.kill()
    mlpipe.wait()
    subprocess.run(["flock", str(tmp_path / "lock"), "true"], check=True, timeout=20)
    for pid in pids:
        wait_for(lambda pid=pid: not lives(pid))  # type: ignore[misc]  # killed: it only ends


def test_a_job_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    executor = LocalExecutor(lambda *_: None)
    executor.start(replace(job(tmp_path, "sleep 600 & echo $! > child; wait"), timeout=0.5))
    outcome = executor.run_to_end()
    assert outcome.timed_out
    assert outcome.exit_code == -signal.SIGTERM
    assert not lives(int((tmp_path / "child").read_text()))


def test_a_job_in_time_did_not_time_out(tmp_path: Path) -> None:
    executor = LocalExecutor(lambda *_: None)
    executor.start(replace(job(tmp_path, "exit 3"), timeout=60))
    outcome = executor.run_to_end()
    assert (outcome.timed_out, outcome.exit_code) == (False, 3)


def test_a_second_attempt_is_written_behind_the_first(tmp_path: Path) -> None:
    for attempt in (1, 2):
        executor = LocalExecutor(lambda *_: None)
        executor.start(replace(job(tmp_path, f"echo {attempt}"), append=attempt > 1))
        executor.run_to_end()
    assert (tmp_path / "logs" / "s.log").read_text() == "1\n2\n"


def test_a_secret_is_in_neither_log_nor_screen(tmp_path: Path) -> None:
    screen = io.BytesIO()
    executor = LocalExecutor(printed_to(screen))
    command = 'printf "a hun"; sleep 0.2; echo "ter22 b"; printf hunter2'
    executor.start(replace(job(tmp_path, command), secrets=("hunter22",)))
    executor.run_to_end()
    assert screen.getvalue() == b"a *** b\nhunter2"
    assert (tmp_path / "logs" / "s.log").read_bytes() == screen.getvalue()
    assert "hunter22" not in repr(replace(job(tmp_path, command), secrets=("hunter22",)))


def test_a_command_is_ended_in_time_whatever_the_caller_does(tmp_path: Path) -> None:
    executor = LocalExecutor(lambda _, __: None)
    begun = tmp_path / "begun"
    executor.start(replace(job(tmp_path, f"echo $$ > {begun}; exec sleep 600"), timeout=0.5))
    wait_for(lambda: begun.exists() and bool(begun.read_text()))
    wait_for(lambda: not lives(int(begun.read_text())))  # and nobody asks the executor
    outcome = executor.run_to_end()
    assert outcome.timed_out
    assert not outcome.cancelled
