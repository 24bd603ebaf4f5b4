"""What a run works with: the parts that the runner is given."""

import time
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.stale_outputs import StaleOutputs
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.run import StepOutcome
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.plan.decide import EvidenceSource
from mlpipe_ci.repo.repo import Repo
from mlpipe_ci.run.executors.base import Executor
from mlpipe_ci.run.interrupts import Interrupts
from mlpipe_ci.sources.external_data import ExternalData
from mlpipe_ci.tracing.discovery.discovery import Discovery


class RunEvidence(EvidenceSource, Protocol):
    """What is known about a step: see `plan.evidence`."""

    def inputs(self, step: Step) -> tuple[Input, ...]:
        """The step's inputs as they are now."""


@frozen
class RunContext:
    """What a run works with."""

    workflow: Workflow
    evidence: RunEvidence
    """What is known about a step at the moment of its decision."""
    repo: Repo
    cache: Cache
    data: ExternalData
    discovery: Discovery
    transaction: OutputTransaction
    """Sets outputs aside while their step runs."""
    stale_outputs: StaleOutputs
    """What steps left here, those that are gone too."""
    executor: Executor
    env: Mapping[str, str]
    """The environment of all steps."""
    logs: Path
    """The directory of this run's logs."""
    interrupts: Interrupts = field(default_factory=Interrupts)
    """Defers a first signal while a result is saved."""
    evaluate: Callable[[StepOutcome], StepOutcome] = lambda outcome: outcome
    """Gives an outcome the values of the base, and its gates."""
    sleep: Callable[[float], None] = time.sleep
    """Waits so many seconds before a command is retried."""

    @cached_property
    def declared(self) -> DeclaredOutputs:
        """Who declares to write what."""
        return DeclaredOutputs(self.workflow.steps)
