"""A step that was watched, made by hand: real files, and a trace that says what it did to them."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.known_state import KnownState
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from mlpipe_ci.tracing.discovery.readers import Readers
from mlpipe_ci.tracing.discovery.watched_step import WatchedStep
from mlpipe_ci.tracing.file_identity import signature_of
from tests.support.fakes import step


def signature(path: Path) -> tuple[int, int, int, int, int]:
    """What `stat` says of a file."""
    found = signature_of(os.lstat(path))
    assert found is not None
    return found


def watched(
    root: Path,
    trace: Trace,
    *,
    outputs: tuple[str, ...] = (),
    later: Iterable[str] = (),
    earlier: Iterable[str] = (),
    kept: Iterable[str] = (),
) -> WatchedStep:
    """The step number 1 of a workflow in `root`; what other steps write (`later`, `earlier`), and
    what an earlier one keeps as state.
    """
    writes, keepers = LaterWrites(), LaterWrites()
    writes.add(2, later)
    writes.add(0, earlier)
    keepers.add(0, kept)
    state = KnownState(keepers=keepers)
    return WatchedStep(
        root=str(root),
        step=step("s", outputs=outputs),
        index=1,
        started=time.time(),
        env={},
        trace=trace,
        checker=InputChecker(str(root), WorkTree(root, None, ()), {}, writes, state=state),
        readers=Readers(),
    )
