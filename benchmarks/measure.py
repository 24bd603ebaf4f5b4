"""Runs one whole process and says what it took: seconds, CPU seconds, memory, how busy others were.

A small interpreter starts the process, since a process inherits the peak memory of who starts it.
CPU is user and system time of the process and of all that it waited for.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

LAUNCH = """
import os, sys, time
def busy():
    try:
        with open("/proc/stat") as file:
            words = file.readline().split()[1:9]
    except OSError:
        return 0.0
    ticks = sum(map(int, words)) - int(words[3]) - int(words[4])
    return ticks / os.sysconf("SC_CLK_TCK")
said = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
actions = [(os.POSIX_SPAWN_DUP2, said, 1), (os.POSIX_SPAWN_DUP2, said, 2)]
before, started = busy(), time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=actions)
_, status, used = os.wait4(pid, 0)
wall, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
unit = 1 if sys.platform == "darwin" else 1024
others = max(0.0, busy() - before - cpu)
print(os.waitstatus_to_exitcode(status), wall, cpu, used.ru_maxrss * unit / 1e6, others)
"""
TAIL = 1500


class MeasureError(Exception):
    """The process failed, or did not do the work that it was asked for."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one process took."""

    wall: float
    cpu: float
    peak: float
    """Megabytes of the largest process; never less than those of the interpreter that starts it."""
    others: float
    """CPU seconds that the rest of the machine used meanwhile."""


def measure(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], said: Path
) -> Sample:
    """Run the command; what it prints goes into the file `said`."""
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCH, str(said), *command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if launched.returncode:
        raise MeasureError(f"{command[0]} could not be started: {launched.stderr[-TAIL:]}")
    code, *figures = launched.stdout.split()
    if code != "0":
        text = said.read_text("utf-8", "replace")[-TAIL:]
        raise MeasureError(f"{' '.join(command)[:200]}: exit code {code}\n{text}")
    return Sample(*map(float, figures))


def lines(path: Path) -> int:
    """The number of lines in a file that may not be there."""
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
