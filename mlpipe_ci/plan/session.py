"""What a command works with: the opened repository, workflow, cache and state."""

from pathlib import Path

from mlpipe_ci.cache.stale_outputs import Departed
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import MissingInputError
from mlpipe_ci.core.event import DESK, Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Producer
from mlpipe_ci.core.workflow import Workflow, no_item
from mlpipe_ci.plan.evidence import Gatherer
from mlpipe_ci.repo.blame import Authors
from mlpipe_ci.repo.git import Git, Remote
from mlpipe_ci.repo.work_tree import Tree
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.sources.sources import Sources
from mlpipe_ci.tracing.discovery.check import Checker
from mlpipe_ci.tracing.discovery.later_writes import Later


@frozen
class Workspace:
    """The opened parts. `private`: a directory of this work tree alone, for lock, logs, aside.

    `settings`: of `--set`; `readonly`: nothing is written.
    """

    root: Path
    git: Git | None
    event: Event
    comparison: Comparison
    workflow: Workflow
    tree: Tree
    store: Store
    state: State
    private: Path
    producer: Producer
    authors: Authors
    large_files: Remote | None
    checker: Checker
    later: Later
    departed: Departed
    sources: Sources
    dvc: Dvc | None
    forced: frozenset[str]
    chosen: frozenset[str] | None
    needed_only: bool
    watching: str
    settings: tuple[str, ...]
    readonly: bool

    def gatherer(self, now: float) -> Gatherer:
        """The witness for plan and run. `now` in seconds since 1970. Raises MissingInputError."""
        self._refuse_nothing()
        return Gatherer(
            root=self.root,
            workflow=self.workflow,
            tree=self.tree,
            store=self.store,
            state=self.state,
            checker=self.checker,
            watching=self.watching,
            scopes=self.event.scopes,
            github=dict(self.event.attributes),
            changed=self.comparison.changed or (),
            forced=self.forced,
            chosen=self.chosen,
            author=self.authors.name,
            sources=self.sources,
            repository=self.event.repository if self.event.name != DESK else "",
            now=now,
        )

    def _refuse_nothing(self) -> None:
        """A step for each of no files would be left out without a word."""
        groups = {step.group for step in self.workflow.steps}
        for wanted in self.workflow.items:
            if wanted.id not in groups and self.chosen is None:
                raise MissingInputError(no_item(self.workflow, wanted))


def note_writers(workflow: Workflow, state: State, tree: Tree) -> Later:
    """Who writes what, as declared or as it was seen last time."""
    later = Later()
    for place, step in enumerate(workflow.steps):
        later.add(place, step.writes)
        if step.undeclared:
            paths = [path for path, _ in state.traced(workflow.file, step.id).wrote]
            tree.add_outputs(paths)
            later.add(place, paths)
    return later
