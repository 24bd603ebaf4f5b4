"""Which paths are state: a tool's own memory, which stays where it is from run to run. Pure.

State is never moved, deleted, stored or restored, and counts in no key. A step that reads what an
earlier one keeps so has that as an input, but for `REMADE`.
"""

import re
from collections.abc import Iterable
from functools import cache

from mlpipe_ci.core.paths import above
from mlpipe_ci.core.patterns import matches

JOBLIB = (
    r"joblib/(.+/)?(func_code\.py|[0-9a-f]{32}(/.*)?)",
    "joblib.Memory: results by the hash of their arguments",
)
REMADE = (
    (r"mlruns/(\.trash|\d+/meta\.yaml)", "MLflow makes an experiment where there is none"),
    (r"\.dvc/cache(/.*)?", "DVC's contents by their hash, which its pointers need"),
    (r"\.dvc/tmp(/.*)?", "DVC's locks and notes"),
    JOBLIB,
)
"""State that a step would make the same where it finds none: no input of those that read it."""
BUILT_IN = (
    (r"mlruns(/.*)?", "MLflow's file store adds runs to what is there, and needs all of it"),
    (r"mlflow\.db(-journal|-wal|-shm)?", "MLflow's database, which each run adds to"),
    (r"wandb(/.*)?", "the runs of Weights & Biases, by time"),
    (r"lightning_logs(/.*)?", "Lightning numbers its runs by those that are there"),
    (r"events\.out\.tfevents\.[^/]*", "TensorBoard's events, named by time, host and process"),
    *REMADE,
)
"""Expressions for the end of a path, each with its reason."""
_WORDS = ("mlruns", "mlflow.db", "wandb", "lightning_logs", "tfevents", ".dvc/", "joblib/")
"""One of them is in each path that fits: most paths are decided by that."""


def is_state(path: str, patterns: Iterable[str] = ()) -> bool:
    """True if a path of the repository is a tool's memory: by its name, or declared by `patterns`.

    What git tracks, or a step declares as its output, is no state by its name alone: the caller
    knows that.
    """
    for word in _WORDS:  # a loop: it is asked of each path that a step touches
        if word in path and _marks(BUILT_IN).fullmatch(path):
            return True
    return is_declared(path, patterns) if patterns else False


def is_declared(path: str, patterns: Iterable[str]) -> bool:
    """True if a path is declared to be state, or lies in what is."""
    return any(matches(pattern, path) for pattern in patterns)


def is_remade(path: str) -> bool:
    """True for state that says nothing to a step that reads it."""
    return bool(_marks(REMADE).fullmatch(path))


def is_of_joblib(path: str) -> bool:
    """True for what `joblib.Memory` keeps."""
    return "joblib/" in path and bool(_marks((JOBLIB,)).fullmatch(path))


def state_top(path: str, patterns: Iterable[str] = ()) -> str:
    """The directory nearest to the root that is state and holds a path of state, or the path."""
    patterns = tuple(patterns)
    return next((one for one in reversed([*above(path)]) if is_state(one, patterns)), path)


@cache
def _marks(table: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    """Compiled only where it is asked for: that takes longer than most looks."""
    either = "|".join(text for text, _ in table)
    return re.compile(f"(?:.*/)?(?:{either})", re.DOTALL)
