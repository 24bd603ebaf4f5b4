from mlpipe_ci.cli.api import load_workflow as load_workflow
from mlpipe_ci.cli.api import plan_workflow as plan_workflow
from mlpipe_ci.cli.api import run_workflow as run_workflow
from mlpipe_ci.core.errors import MlpipeError as MlpipeError
from mlpipe_ci.core.plan import Plan as Plan
from mlpipe_ci.core.run import Run as Run
from mlpipe_ci.core.workflow import Workflow as Workflow

__version__: str
API: dict[str, str]
__all__ = [
    "MlpipeError",
    "Plan",
    "Run",
    "Workflow",
    "__version__",
    "load_workflow",
    "plan_workflow",
    "run_workflow",
]
