"""How a run is carried out."""

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.run.executors import DEFAULT_EXECUTOR
from mlpipe_ci.run.machine import cores
from mlpipe_ci.run.resources import Capacity

ENDLESS = Capacity(cpus=float("inf"))


@frozen
class RunSettings:
    """`jobs`: commands at once; 1: in the listed order. `keep_going`: a failure stops only what
    needs the step that failed. `capacity`: of the machine. `largest_plot`: bytes of a
    file that is drawn. `locks`: file descriptors that stay open until all processes of the run are
    gone, even if mlpipe is killed. `executor`: the name of what runs the commands.
    """

    jobs: int = 1
    keep_going: bool = False
    capacity: Capacity = ENDLESS
    largest_plot: int = 0
    locks: tuple[int, ...] = ()
    executor: str = DEFAULT_EXECUTOR


IN_ORDER = RunSettings()


def jobs_of(text: str) -> int:
    """How many commands may run at once. Raises UsageError."""
    if text == "auto":
        return cores()
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(f"--jobs is '{text}'; it must be a number above 0, or auto")
