"""Where commands run. `EXECUTORS` holds one entry for each way."""

from collections.abc import Callable

from mlpipe_ci.run.executors.base import Executor, Printed
from mlpipe_ci.run.executors.local import LocalExecutor

EXECUTORS: dict[str, Callable[[Printed, tuple[int, ...], int], Executor]] = {"local": LocalExecutor}
"""Each is made with what gets the output, file descriptors to hold, and how many jobs at once."""
