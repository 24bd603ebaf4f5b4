"""Compares what a step left in the copy with what its result says, path by path."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from mlpipe_ci.audit.causes import same
from mlpipe_ci.audit.compare.files import how_they_differ
from mlpipe_ci.audit.rerun import Rerun
from mlpipe_ci.audit.scratch import Scratch
from mlpipe_ci.audit.scratch_tree import bring
from mlpipe_ci.audit.time_stamps import Window, same_stamp
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import describe, keep
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.audit import OutputDifference
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import MetricsError, read_metrics
from mlpipe_ci.tracing.discovery.kinds import LOG

LONG = 120.0
"""Seconds that a result may have taken to be stored after its command had ended."""


@frozen
class Comparer:
    """`tolerance`: relative, of the numbers in metrics files."""

    store: Store
    scratch: Scratch
    tolerance: float

    def differences(
        self, step: Step, result: Result, rerun: Rerun, window: Window
    ) -> tuple[OutputDifference, ...]:
        """What is not the same. `window`: when the new one was made."""
        logs = {item.path for item in result.discovered if item.digest == LOG}
        before = {output.path: output for output in result.outputs if output.path not in logs}
        after = {output.path: output for output in rerun.outputs if output.path not in logs}
        for path in before.keys() - after.keys():
            if found := self._on_disk(step, path):
                after[path] = found
        paths = sorted(before.keys() | after.keys())
        then = Window(start=result.finished - result.seconds - LONG, end=result.finished)
        return tuple(
            self._difference(step, before.get(path), after.get(path), (then, window))
            for path in paths
            if not same(before.get(path), after.get(path))
            and not self._tolerated(step, before.get(path), after.get(path))
        )

    def _on_disk(self, step: Step, path: str) -> Output | None:
        """What nothing has watched, and is there."""
        root = self.scratch.work
        if not (root / path).exists():
            return None
        found = describe(root, step, (path,) if path not in step.writes else ())
        wanted = tuple(output for output in found if output.path == path)
        return next(iter(keep(root, wanted, None)), None)

    def _difference(
        self,
        step: Step,
        old: Output | None,
        new: Output | None,
        windows: tuple[Window, Window],
    ) -> OutputDifference:
        del step
        if new is None and old is not None:
            return OutputDifference(path=old.path, how="it was not written")
        if old is None and new is not None:
            return OutputDifference(path=new.path, how="it was written, and the result has none")
        assert old is not None  # noqa: S101 - one of them is there
        assert new is not None  # noqa: S101
        if old.kind != new.kind:
            return OutputDifference(path=old.path, how=f"it was a {old.kind}, now a {new.kind}")
        if old.digest == new.digest:
            how = f"its permission bits are {new.mode:o}, not {old.mode:o}"
            cause = ("the umask of who runs it",)
            return OutputDifference(path=old.path, how=how, causes=cause)
        if old.kind == "link":
            words = [one.digest.removeprefix("link:") for one in (old, new)]
            return OutputDifference(path=old.path, how=f"it led to {words[0]}, now to {words[1]}")
        try:
            stored = self._stored(old)
        except (DamagedError, OSError) as error:
            how = f"its stored content cannot be read: {error} (mlpipe cache verify)"
            return OutputDifference(path=old.path, how=how)
        now = self.scratch.work / new.path
        causes = tuple(self._evidence(stored, now, windows))
        how = how_they_differ(stored, now, old.path)
        return OutputDifference(path=old.path, how=how, causes=causes)

    def _stored(self, output: Output) -> Path:
        path = self.scratch.directory("stored") / "content"
        bring(self.store, output, str(path))
        path.chmod(0o600)
        return path

    def _evidence(self, old: Path, new: Path, windows: tuple[Window, Window]) -> Iterator[str]:
        """What can be seen in the bytes themselves."""
        if stamp := same_stamp(old, new, *windows):
            yield stamp
        if _holds(new, os.fsencode(self.scratch.work)):
            yield "the absolute path of the work tree is in it; write relative paths"

    def _tolerated(self, step: Step, old: Output | None, new: Output | None) -> bool:
        """True for metrics whose numbers are near enough."""
        if old is None or new is None or not self.tolerance or old.path not in step.metrics:
            return False
        try:
            before = dict(read_metrics(self._stored(old), old.path))
            after = dict(read_metrics(self.scratch.work / new.path, new.path))
        except (MetricsError, DamagedError, OSError):
            return False
        if before.keys() != after.keys():
            return False
        return all(_near(before[name], after[name], self.tolerance) for name in before)


def _near(one: float, other: float, tolerance: float) -> bool:
    if math.isnan(one) and math.isnan(other):
        return True
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=0.0)


def _holds(path: Path, wanted: bytes) -> bool:
    rest = b""
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            if wanted in rest + data:
                return True
            rest = data[-len(wanted) :]
    return False
