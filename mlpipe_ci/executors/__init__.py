"""Where commands run. `EXECUTORS` holds one entry for each way."""

from collections.abc import Callable
from typing import BinaryIO

from mlpipe_ci.executors.base import Executor
from mlpipe_ci.executors.local import LocalExecutor

EXECUTORS: dict[str, Callable[[BinaryIO, tuple[int, ...]], Executor]] = {"local": LocalExecutor}
