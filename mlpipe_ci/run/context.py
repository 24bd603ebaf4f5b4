"""What a run works with: the parts that the runner is given."""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import StepFacts, Written
from mlpipe_ci.core.run import StepOutcome
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.plan.decide import Evidence
from mlpipe_ci.repo.repo import Repo
from mlpipe_ci.run.executors.base import Executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.sources.external_data import ExternalData
from mlpipe_ci.tracing.discovery.discovery import Discovery

NO_INTERRUPTS = Interrupts()


class InputSource(Protocol):
    """What is known about a step: see `plan.evidence`."""

    def collect(
        self, step: Step, written: Written, facts: StepFacts, failed: tuple[str, ...]
    ) -> Evidence:
        """Say all that is known about the step now."""

    def inputs(self, step: Step) -> tuple[Input, ...]:
        """The step's inputs as they are now."""


@frozen
class RunContext:
    """What a run works with.

    `evidence`: what is known about a step at the moment of its decision. `transaction`: moves
    outputs out of the way. `env`: the environment of all steps. `logs`: the directory of this run's
    logs. `interrupts`: holds a first signal back while a result is saved. `evaluate`: gives an
    outcome its gates. `sleep`: waits so many seconds before a command is tried again.
    """

    workflow: Workflow
    evidence: InputSource
    repo: Repo
    cache: Cache
    data: ExternalData
    discovery: Discovery
    transaction: OutputTransaction
    executor: Executor
    env: Mapping[str, str]
    logs: Path
    interrupts: Interrupts = NO_INTERRUPTS
    evaluate: Callable[[StepOutcome], StepOutcome] = lambda outcome: outcome
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def declared(self) -> DeclaredOutputs:
        """Who declares to write what."""
        return DeclaredOutputs(self.workflow.steps)
