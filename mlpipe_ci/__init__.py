"""mlpipe: runs a machine-learning workflow, and only the part that a change made necessary.

As a library: `load_workflow` reads a workflow file, `plan_workflow` says what a run would do and
why, `run_workflow` does it. They give values: `Workflow`, `Plan`, `Run`. What is wrong with a file,
a path or an argument is raised as `MlpipeError`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

API = {
    "MlpipeError": "core.errors",
    "Plan": "core.plan",
    "Run": "core.run",
    "Workflow": "core.workflow",
    "load_workflow": "cli.api",
    "plan_workflow": "cli.api",
    "run_workflow": "cli.api",
}
"""Public names, and the modules below this one that have them: imported when they are asked for, as
`mlpipe --version` needs none. `__init__.pyi` has their types.
"""

__all__ = ["__version__", *API]  # noqa: PLE0604 - the keys of API are names


def __getattr__(name: str) -> Any:
    """A public name, from its module."""
    if name not in API:
        raise AttributeError(f"module 'mlpipe_ci' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{API[name]}"), name)
