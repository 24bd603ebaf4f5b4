"""What a command works with: the opened repository, workflow, cache, sources."""

from collections.abc import Mapping
from functools import cached_property

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.left_record import LeftRecord
from mlpipe_ci.cache.stale_outputs import StaleOutputs
from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.errors import MissingInputError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.mask import Mask, mask_of
from mlpipe_ci.core.step_environment import environment_of_steps, secret_values
from mlpipe_ci.core.workflow import Workflow, no_items_message
from mlpipe_ci.plan.evidence import ALL_STEPS, EvidenceCollector, Selection
from mlpipe_ci.repo.repo import Repo
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.sources.external_data import ExternalData
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.known_state import KnownState
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from mlpipe_ci.tracing.discovery.readers import Readers
from mlpipe_ci.workflow.workflow_file import LoadRequest


@frozen
class Session:
    """The opened parts, each made once and passed on unchanged.

    `env`: the environment that mlpipe was started with. `load_request`: how the workflow was read.
    `transaction`: moves outputs out of the way of the steps that run. `stale_outputs`: what steps
    wrote that the workflow no longer has. `selection`: the steps that the user asked for.
    """

    env: Mapping[str, str]
    event: Event
    load_request: LoadRequest
    workflow: Workflow
    repo: Repo
    cache: Cache
    data: ExternalData
    discovery: Discovery
    transaction: OutputTransaction
    stale_outputs: StaleOutputs
    selection: Selection = ALL_STEPS

    @cached_property
    def mask(self) -> Mask:
        """Masks the values of secrets. Raises UsageError for one that is too short."""
        env = environment_of_steps(self.env, at_desk=self.event.at_desk)
        return mask_of(secret_values(self.workflow, env))

    def collector(self, now: float, *, foresees: bool = False) -> EvidenceCollector:
        """Evidence for plan and run. `now` in seconds since 1970; `foresees`: for a plan that is
        only shown. Raises MissingInputError.
        """
        self._refuse_nothing()
        return EvidenceCollector(
            event=self.event,
            workflow=self.workflow,
            repo=self.repo,
            cache=self.cache,
            data=self.data,
            discovery=self.discovery,
            selection=self.selection,
            env=self.env,
            foresees=foresees,
            now=now,
            record=self.stale_outputs.record,
        )

    def _refuse_nothing(self) -> None:
        """A step for each of no files would be left out without a word."""
        groups = {step.group for step in self.workflow.steps}
        for each in self.workflow.items:
            if each.id not in groups and self.selection.chosen is None:
                raise MissingInputError(no_items_message(self.workflow, each))


def later_writes(
    workflow: Workflow, state: LocalState, tree: WorkTree, record: LeftRecord
) -> LaterWrites:
    """Who writes what, as declared or as it was seen last time."""
    later_writes = LaterWrites()
    for index, step in enumerate(workflow.steps):
        later_writes.declare(index, step.writes)
        last = state.last_trace(workflow.file, step.id)
        left = record.of(step)
        changed = left.changed  # was there before the step
        wrote = (*(path for path, _ in last.wrote), *last.logs, *left.history)
        paths = [path for path in wrote if path not in changed]
        if paths:
            gits = {path for path in paths if last.unstored and tree.tracked(path)}
            tree.add_outputs(path for path in paths if path not in gits)
            later_writes.add(index, paths)
        later_writes.add(index, (p for p in record.undeclared(step) if p not in changed))
    return later_writes


def known_state(workflow: Workflow, record: LeftRecord) -> KnownState:
    """What is state, and which steps have kept some of it here."""
    keepers = LaterWrites()
    for index, step in enumerate(workflow.steps):
        left = record.of(step)
        keepers.add(index, (*left.state, *left.older))
    return KnownState(patterns=workflow.all_state, keepers=keepers)


def readers(workflow: Workflow, state: LocalState) -> Readers:
    """Who reads what, as declared or as it was seen last time."""
    found = Readers()
    for index, step in enumerate(workflow.steps):
        found.declare(index, step.reads)
        last = state.last_trace(workflow.file, step.id)
        found.add(index, (*last.reads, *last.missed))
    return found
