"""Copies of the notebooks that the steps of a run have written: the action keeps them."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.run import Run, StepOutcome

MOST = 100_000_000
"""Bytes of all copies; a notebook with some plots has a few hundred thousand."""


def copy_notebooks(
    run: Run, root: Path, store: Store, directory: Path, say: Callable[[str], None]
) -> None:
    """Copy each to its path below a directory, from the work tree or from the cache.

    What is too large, is a link, or cannot be copied is a warning.
    """
    room = MOST
    for outcome in run.outcomes:
        for path in outcome.notebooks:
            if path_fault(path):
                continue
            target = directory / path
            try:
                size = _size(outcome, root, path)
                if size is None or size > room:
                    why = "it is no file here" if size is None else "it is too large"
                    say(f"warning: {path} is not among the notebooks of the report: {why}")
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(outcome, root, store, path, target)
                room -= size
            except (OSError, DamagedError) as error:
                say(f"warning: {path} is not among the notebooks of the report: {error}")


def _size(outcome: StepOutcome, root: Path, path: str) -> int | None:
    """Bytes; None if it is no file."""
    try:
        status = (root / path).lstat()
    except FileNotFoundError:
        stored = (one for one in outcome.left.cached_outputs if one.path == path)
        return next((one.size for one in stored if one.kind == "file"), None)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _copy(outcome: StepOutcome, root: Path, store: Store, path: str, target: Path) -> None:
    if (root / path).exists():
        shutil.copyfile(root / path, target, follow_symlinks=False)
        return
    stored = next(one for one in outcome.left.cached_outputs if one.path == path)
    target.unlink(missing_ok=True)
    if stored.pack:
        store.fetch_packed([(stored, str(target))])
    else:
        store.fetch(stored.digest, str(target))
