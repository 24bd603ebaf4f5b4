"""What instances wrote that the workflow has no more: of an item of `each` that is gone, say.

Remembered in the directory of the work tree: which paths the instances of each step declare. A path
of an instance that is gone goes too, if its step is still there and nobody else declares it; else a
pattern of a later step would go on finding it.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.repo.private_directory import INSTANCES

Written = Mapping[str, Mapping[str, tuple[str, ...]]]
"""For the id of a step in the file, each item or combination, and what it declares to write."""


@frozen(kw_only=False)
class StaleOutputs:
    """The record of one workflow in one work tree. `directory`: of the work tree alone.

    `results`: the newest result of each step by its name, `digest`: of a file of the work tree now;
    both are asked where the record is lost. `tracked`: what git tracks at or inside of a path.
    """

    directory: Path
    root: Path
    workflow: Workflow
    results: Callable[[], Mapping[str, Result]]
    digest: Callable[[str], str]
    tracked: Callable[[str], Sequence[str]]

    def paths(self) -> dict[str, tuple[str, ...]]:
        """What is there of instances that are gone, by the id of their step; nothing of git's."""
        if self._file().exists():
            found = self._by_record()
        else:
            found = self._by_results() if self.workflow.items else {}
        ours = {group: self._untracked(paths) for group, paths in found.items()}
        return {group: paths for group, paths in ours.items() if paths}

    def _untracked(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those that git does not track; no directory either in which it tracks something."""
        return tuple(p for p in paths if not self.tracked(p) and not self.tracked(f"{p}/"))

    def _by_record(self) -> dict[str, tuple[str, ...]]:
        """What the last run noted."""
        now = _declared(self.workflow)
        declared = {path.rstrip("/") for path in self.workflow.writes}
        found: dict[str, tuple[str, ...]] = {}
        for group, before in self._read().items():
            gone = before.keys() - now[group].keys() if group in now else ()
            paths = {path.rstrip("/") for instance in gone for path in before[instance]} - declared
            there = (p for p in paths if not path_fault(p) and os.path.lexists(self.root / p))
            found[group] = tuple(sorted(there))
        return found

    def _by_results(self) -> dict[str, tuple[str, ...]]:
        """The same, of items whose result is known, and whose output is still that of it."""
        names = {step.name for step in self.workflow.steps}
        declared = {path.rstrip("/") for path in self.workflow.writes}
        found: dict[str, tuple[str, ...]] = {}
        for result in self.results().values() if self._may_be_left() else ():
            for each in self.workflow.items:
                if result.step.startswith(f"{each.step} (") and result.step not in names:
                    ours = (o for o in result.outputs if o.kind == "file")
                    left = (o.path for o in ours if self.digest(o.path) == o.digest)
                    paths = tuple(path for path in left if path not in declared)
                    found[each.id] = (*found.get(each.id, ()), *paths)
        return found

    def _may_be_left(self) -> bool:
        """True if something lies where items write: else the results need not be read."""
        paths = {
            path.rstrip("/").rpartition("/")[0]
            for step in self.workflow.steps
            if step.strategy is not None
            for path in step.writes
        }
        return any(path and (self.root / path).is_dir() for path in paths)

    def note(self) -> None:
        """Remember what the instances of now declare. A fault costs a leftover."""
        now = json.dumps(_declared(self.workflow))
        path = self._file()
        with suppress(OSError):
            if now == "{}" and not path.exists():
                return
            if not path.exists() or path.read_text("utf-8") != now:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
                temporary.write_text(now, "utf-8")
                temporary.replace(path)

    def _read(self) -> Written:
        try:
            found = json.loads(self._file().read_text("utf-8"))
            return {
                str(group): {str(one): tuple(map(str, paths)) for one, paths in instances.items()}
                for group, instances in found.items()
            }
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _file(self) -> Path:
        name = blake3(self.workflow.file.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return self.directory / INSTANCES / f"{name}.json"


def _declared(workflow: Workflow) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for each in workflow.items:  # also of a step that has none now
        found.setdefault(each.id, {})
    for step in workflow.steps:
        if step.strategy is not None:
            which = step.strategy.each or repr(step.strategy.values)  # two ids may be the same
            found.setdefault(step.group, {})[which] = step.writes
    return found
