"""Finds what a command left behind: processes that it let go of, and that go on without it.

A process group is easily left (`setsid`), a parent as well; the environment that a process was
started with stays. So a job's processes are known by the variables that mlpipe gave it.
"""

import os
import signal
import sys
import time
from contextlib import suppress

from mlpipe_ci.core.settings import ROOT, STEP
from mlpipe_ci.run.executors.base import Job

MARKS = (STEP, ROOT)
"""Variables that only a step's own processes have, with its values."""
PATIENCE = 10.0
"""Seconds until processes that do not die are left alone."""
PAUSE = 0.01
WATCHMAN = """
read -r command || sleep 0.2
read -r _ && exit
[ "$command" ] && kill -s KILL -- "-$command"
while :; do
  left=
  for place in /proc/[0-9]*; do
    grep -qszxF -e "$1" "$place/environ" && grep -qszxF -e "$2" "$place/environ" || continue
    kill -s KILL "${place#/proc/}" && left=1
  done
  [ "$left" ] || exit
  sleep 0.1
done
"""
"""Is there before the command, and waits for two lines from mlpipe: the number of the command's
process, and that it is over. If the pipe closes before, mlpipe was killed: so the step's processes
must go too, before they write on beside the next run. Without a number the command has begun just
now, if at all, and is known by its marks as soon as it is executed."""


def marks(job: Job) -> tuple[str, ...]:
    """The marks of a job's processes, as they stand in their environment."""
    env = dict(job.env)
    return tuple(f"{name}={env.get(name, '')}" for name in MARKS)


def adopt() -> None:
    """From now on what our descendants let go of becomes our child, not the system's. Linux."""
    if sys.platform == "linux":
        # 5 ms for ctypes, which only a run that executes something should pay.
        from mlpipe_ci.tracing.seccomp.kernel import adopt_orphans  # noqa: PLC0415

        adopt_orphans()


def end_orphans(wanted: tuple[str, ...]) -> None:
    """Kill all processes with these marks that have become ours, and what they let go of."""
    deadline = time.monotonic() + PATIENCE
    killed: set[int] = set()
    while time.monotonic() < deadline:
        left = {process for process in _children() - killed if _has(process, wanted)}
        if not left and not killed:
            return
        for process in left:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        # Once one is reaped, what it had started is ours too: so the next look is the last.
        killed = {process for process in killed | left if not _is_reaped(process)}
        time.sleep(PAUSE)


def _children() -> set[int]:
    """Our own children, by the kernel's list of each thread; empty where there is none."""
    found: set[int] = set()
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
            with (
                suppress(OSError),
                open(f"/proc/self/task/{thread}/children", "rb") as file,  # noqa: PTH123
            ):
                found |= set(map(int, file.read().split()))
    return found


def _has(process: int, wanted: tuple[str, ...]) -> bool:
    """True if the process was started with all of these variables. A zombie has none left."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123
            given = set(file.read().split(b"\0"))
    except OSError:
        return False
    return {os.fsencode(one) for one in wanted} <= given


def _is_reaped(process: int) -> bool:
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except OSError:
        return True
