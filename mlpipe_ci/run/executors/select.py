"""Which executor runs the commands of a run."""

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.import_path import load_object
from mlpipe_ci.run.executors import EXECUTORS
from mlpipe_ci.run.executors.base import Executor, ExecutorContext


def make_executor(name: str, context: ExecutorContext) -> Executor:
    """The executor of a name in the table. Raises UsageError if it cannot be used."""
    executor: Executor = load_object(EXECUTORS[name])(context)
    if not executor.shares_disk:
        raise UsageError(
            f"--executor {name} does not see this work tree, and mlpipe carries no files to it; "
            "use an executor that shares the disk"
        )
    return executor
