"""What a command works with: the opened repository, workflow, cache and state."""

from pathlib import Path

from mlpipe_ci.cache.stale_outputs import StaleOutputs
from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import MissingInputError
from mlpipe_ci.core.event import DESK, Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Producer
from mlpipe_ci.core.workflow import Workflow, no_items_message
from mlpipe_ci.plan.evidence import EvidenceCollector
from mlpipe_ci.repo.blame import CommitAttribution
from mlpipe_ci.repo.git import Git, Remote
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.sources.sources import Sources
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites


@frozen
class Session:
    """The opened parts. `private`: a directory of this work tree alone, for lock, logs, aside.

    `settings`: of `--set`; `readonly`: nothing is written.
    """

    root: Path
    git: Git | None
    event: Event
    comparison: Comparison
    workflow: Workflow
    tree: WorkTree
    store: Store
    state: LocalState
    private: Path
    producer: Producer
    attribution: CommitAttribution
    large_files: Remote | None
    checker: InputChecker
    later_writes: LaterWrites
    stale_outputs: StaleOutputs
    sources: Sources
    dvc: Dvc | None
    forced: frozenset[str]
    chosen: frozenset[str] | None
    needed_only: bool
    untraced_because: str
    settings: tuple[str, ...]
    readonly: bool

    def collector(self, now: float) -> EvidenceCollector:
        """The witness for plan and run. `now` in seconds since 1970. Raises MissingInputError."""
        self._refuse_nothing()
        return EvidenceCollector(
            root=self.root,
            workflow=self.workflow,
            tree=self.tree,
            store=self.store,
            state=self.state,
            checker=self.checker,
            watching=self.untraced_because,
            scopes=self.event.scopes,
            github=dict(self.event.attributes),
            changed=self.comparison.changed or (),
            forced=self.forced,
            chosen=self.chosen,
            author=self.attribution.name,
            sources=self.sources,
            repository=self.event.repository if self.event.name != DESK else "",
            now=now,
        )

    def _refuse_nothing(self) -> None:
        """A step for each of no files would be left out without a word."""
        groups = {step.group for step in self.workflow.steps}
        for each in self.workflow.items:
            if each.id not in groups and self.chosen is None:
                raise MissingInputError(no_items_message(self.workflow, each))


def later_writes(workflow: Workflow, state: LocalState, tree: WorkTree) -> LaterWrites:
    """Who writes what, as declared or as it was seen last time."""
    later_writes = LaterWrites()
    for index, step in enumerate(workflow.steps):
        later_writes.add(index, step.writes)
        if step.declares_nothing:
            paths = [path for path, _ in state.last_trace(workflow.file, step.id).wrote]
            tree.add_outputs(paths)
            later_writes.add(index, paths)
    return later_writes
