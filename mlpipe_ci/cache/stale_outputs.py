"""What steps left that the workflow has no more: removed, renamed, of an item that is gone.

It goes before anything runs, else a pattern of a later step would go on finding it. It goes only if
it is still as the step left it, git does not track it, and nobody else declares or left it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mlpipe_ci.cache.left_record import Left, LeftRecord, key_of
from mlpipe_ci.cache.outputs import Digest, digest_at
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under, path_fault
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.state_paths import is_state
from mlpipe_ci.core.workflow import Step, Workflow


@frozen
class StaleStep:
    """A step that is gone. `step`: the id that its instances share; `is_item`: it was one of them,
    and the others are still there.
    """

    key: str
    step: str
    paths: tuple[str, ...]
    is_item: bool


@frozen(kw_only=False)
class StaleOutputs:
    """Finds what is left over of one workflow in one work tree.

    `results`: the newest result of each step by its name, asked where there is no record. `digest`:
    how a file is read; `tracked`: what git tracks at a path.
    """

    root: Path
    workflow: Workflow
    record: LeftRecord
    results: Callable[[], Mapping[str, Result]]
    digest: Digest
    tracked: Callable[[str], Sequence[str]]

    def gone(self) -> tuple[StaleStep, ...]:
        """Steps that are gone and of which something is there."""
        gone = self.record.gone(self.workflow)
        if not gone and not self.record.exists and self.workflow.items:
            gone = self._by_results()
        if not gone:
            return ()
        declared = DeclaredOutputs(self.workflow.steps)
        groups = {step.group for step in self.workflow.steps} | {
            each.id for each in self.workflow.items
        }
        return tuple(
            StaleStep(
                key=key,
                step=left.step,
                is_item=left.step in groups and "\n" in key,
                paths=tuple(
                    path
                    for path in sorted(left.paths.keys() - left.changed)
                    if not declared.containing(path) and self._is_lost(path, left)
                ),
            )
            for key, left in gone.items()
        )

    def before(self, step: Step) -> tuple[str, ...]:
        """What the last result of a step left where it does not declare to write now; also as a
        later step has changed it since.
        """
        left = self.record.of(step)
        if not left.paths:
            return ()
        index = self._order[key_of(step)]
        own = sorted(left.paths.keys() - left.changed)
        more = (path for path in own if not any(is_under(path, one) for one in step.writes))
        return tuple(path for path in more if self._is_own(path, index))

    @cached_property
    def _order(self) -> dict[str, int]:
        return {key_of(step): index for index, step in enumerate(self.workflow.steps)}

    def _is_own(self, path: str, index: int) -> bool:
        """True for what the step at this place and those after it alone have left."""
        by = self.record.left_by(path)
        earlier = any(self._order.get(key, index) < index for key in by)
        return not earlier and self._may_go(path, {one.paths[path] for one in by.values()})

    def _is_lost(self, path: str, left: Left) -> bool:
        """True for what no step has left that is still there."""
        others = self._order.keys() & self.record.left_by(path).keys()
        return not others and self._may_go(path, {left.paths[path]})

    def _may_go(self, path: str, digests: set[str]) -> bool:
        if path_fault(path) or is_state(path, self.workflow.all_state) or self.tracked(path):
            return False
        return digest_at(self.root, path, self.digest) in digests

    def _by_results(self) -> dict[str, Left]:
        """What items left whose result is known, where nothing is remembered."""
        if not self._may_be_left():
            return {}
        names = {step.name for step in self.workflow.steps}
        return {
            f"{each.id}\n{result.step}": Left(
                step=each.id,
                name=result.step,
                paths={o.path: o.digest for o in result.outputs if o.kind == "file"},
            )
            for result in self.results().values()
            for each in self.workflow.items
            if result.step.startswith(f"{each.step} (") and result.step not in names
        }

    def _may_be_left(self) -> bool:
        """True if something lies where items write: else the results need not be read."""
        paths = {
            path.rstrip("/").rpartition("/")[0]
            for step in self.workflow.steps
            if step.strategy is not None
            for path in step.writes
        }
        return any(path and (self.root / path).is_dir() for path in paths)
