"""Results of functions that joblib keeps for the next run: they stay while the code does.

joblib finds them by the function's own code and its arguments, and does not look at what the
function calls. So they are set aside before a step runs of which a source or a package changed.
"""

from collections.abc import Iterable, Mapping

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.state_paths import is_declared, is_of_joblib
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.tracing.discovery.kinds import PREFIX

SOURCES = (".py", ".ipynb")


def code_among(inputs: Iterable[Input]) -> dict[str, str]:
    """Digests of the sources and packages among what a step saw, by the path of the input."""
    code = (item for item in inputs if item.path.endswith(SOURCES) or item.path.startswith(PREFIX))
    return {item.path: item.digest for item in code}


def outdated_results(context: RunContext, step: Step) -> tuple[str, ...]:
    """What joblib has kept of a step's earlier runs, if their code is another now."""
    left = context.stale_outputs.record.of(step)
    known = context.workflow.all_state  # who names it as state knows what is in it
    paths = (path for path in (*left.state, *left.older) if is_of_joblib(path))
    kept = tuple(path for path in paths if not is_declared(path, known))
    return kept if kept and _has_changed(context, step, left.code) else ()


def _has_changed(context: RunContext, step: Step, code: Mapping[str, str]) -> bool:
    index, checker = context.workflow.index_by_id[step.id], context.discovery.checker
    for path, digest in code.items():
        try:
            if checker.current(Input(path=path, digest=digest), index).digest != digest:
                return True
        except PathError:
            return True
    return False
