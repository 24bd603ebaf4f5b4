"""What a run works with: the parts that the runner is given."""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.store import Store
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import StepFacts, Written
from mlpipe_ci.core.result import Producer
from mlpipe_ci.core.run import StepOutcome
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.plan.decide import Evidence
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.run.executors.base import Executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.sources.dvc import Dvc
from mlpipe_ci.sources.placement import Placement
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites

NO_INTERRUPTS = Interrupts()


class InputSource(Protocol):
    """What is known about a step: see `evidence`."""

    def collect(
        self, step: Step, written: Written, facts: StepFacts, failed: tuple[str, ...]
    ) -> Evidence:
        """Say all that is known about the step now."""

    def inputs(self, step: Step) -> tuple[Input, ...]:
        """The step's inputs as they are now."""


@frozen
class RunContext:
    """What a run works with. `env`: the environment of all steps; `logs`: of this run; `scripts`:
    commands for shells that want a file, at the same place in each run, as the steps read them.
    `scopes`: where results are read; new ones go to the first. `sleep` waits so many seconds before
    a command is tried again; `fetch_large` puts the content of Git LFS files in the place of their
    pointers (None: that is left to the user); `needed_only`: outputs of reused steps come back only
    if a step reads them.
    `checker`: what discovered inputs are now; `later_writes`: who writes what, after whom.
    `interrupts`: holds a first one back while a result is saved. `evaluate`: gives an outcome its
    gates.
    `placement`: brings data that git does not have; `dvc`: what DVC tracks.
    """

    root: Path
    workflow: Workflow
    evidence: InputSource
    tree: WorkTree
    store: Store | None
    state: LocalState
    transaction: OutputTransaction
    executor: Executor
    env: Mapping[str, str]
    logs: Path
    scripts: Path
    scopes: tuple[str, ...]
    producer: Producer
    checker: InputChecker
    later_writes: LaterWrites
    sleep: Callable[[float], None] = time.sleep
    fetch_large: Callable[[tuple[str, ...]], None] | None = None
    needed_only: bool = False
    interrupts: Interrupts = NO_INTERRUPTS
    evaluate: Callable[[StepOutcome], StepOutcome] = lambda outcome: outcome
    placement: Placement | None = None
    dvc: Dvc | None = None

    @cached_property
    def declared(self) -> DeclaredOutputs:
        """Who declares to write what."""
        return DeclaredOutputs(self.workflow.steps)
