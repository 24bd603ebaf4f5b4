"""The record of one execution of a plan: one outcome for each step."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.notebook import SUFFIX
from mlpipe_ci.core.parts import JobName
from mlpipe_ci.core.plan import EACH_TIME
from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.result import Audited, Output
from mlpipe_ci.core.workflow import Gate, Step, Workflow


class Status(StrEnum):
    """How a step ended. `blocked`: an earlier step did not succeed."""

    SUCCEEDED = "succeeded"
    REUSED = "reused"
    SKIPPED = "skipped"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


BROKEN = (Status.FAILED, Status.TIMED_OUT)
NOT_STORED = "the result was not stored"
"""How a note begins that says why there is no result, and what to do about it."""
NOT_STORED_AGAIN = f"{NOT_STORED}, for the reason above"
"""The whole note where that is why the step ran."""
OUTCOMES = {
    Status.SUCCEEDED: "success",
    Status.REUSED: "success",
    Status.CANCELLED: "cancelled",
}
"""As GitHub calls them in `steps.<id>.outcome`; the rest is skipped."""


@frozen
class BaseMetrics:
    """What a step measured for the base commit. `source`: where that is known from, or, without
    any `metrics`, why it is not. `samples`: see `Result`; `outputs`: what it wrote, in the cache.
    """

    metrics: tuple[tuple[str, float], ...] = ()
    samples: tuple[tuple[str, tuple[float, ...]], ...] = ()
    source: str = ""
    outputs: tuple[Output, ...] = ()


@frozen
class Provenance:
    """How a result came to be: command, params as JSON text, inputs (the first ones; `more` of them
    there are), and the commit, branch and run that made it, when (seconds since 1970).
    """

    command: str
    params: tuple[tuple[str, str], ...] = ()
    inputs: tuple[Input, ...] = ()
    more: int = 0
    commit: str = ""
    ref: str = ""
    url: str = ""
    finished: float = 0.0


@frozen
class PastMetrics:
    """What a step measured in an earlier result: its commit, when, and the numbers."""

    commit: str
    finished: float
    metrics: tuple[tuple[str, float], ...]


@frozen
class GateResult:
    """A gate, checked against the metrics. `passed` is None where that is not known, and the
    gate passes. `why`: the values, or what is missing. `origin`: `here`; `base`: the base branch's
    file has it, and this change takes it away; `new`: only this change has it.
    """

    gate: str
    passed: bool | None
    why: str = ""
    origin: str = "here"


@frozen
class GateCheck:
    """One gate to be checked, with the values of its own file. `origin`: see `GateResult`."""

    gate: Gate
    step: Step
    params: Mapping[str, Any]
    origin: str = "here"


@frozen
class Execution:
    """How a step's command ran. Of a step that did not run, only `log` may be known."""

    seconds: float = 0.0
    exit_code: int | None = None
    attempts: int = 0
    log: str = ""
    """The file with what it printed; of a reused step, the digest of that in the cache."""
    log_tail: tuple[str, ...] = ()
    """The last lines that it printed."""
    tracer: str = ""
    """What traced it."""


@frozen
class LeftBehind:
    """What a step left, just now or when the result that is reused was made."""

    outputs: tuple[str, ...] = ()
    cached_outputs: tuple[Output, ...] = ()
    """The outputs of a reused result."""
    saved_seconds: float = 0.0
    """How long the reused result took when it was made."""
    provenance: Provenance | None = None
    """How its result came to be."""
    audited: Audited | None = None
    """The last audit of the reused result; None: none is known."""


@frozen
class Discoveries:
    """What a step was seen to use and does not declare."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """Environment variables."""
    outside: tuple[str, ...] = ()
    """Absolute paths that it wrote outside of the repository."""


@frozen
class Measurements:
    """What a step measured, beside the base and earlier results, and whether its gates hold."""

    metrics: tuple[tuple[str, float], ...] = ()
    samples: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Each metric's values, one of each repetition, where the command ran several times."""
    base: BaseMetrics | None = None
    """What it measured for the base commit; None: not asked."""
    history: tuple[PastMetrics, ...] = ()
    """What it measured before, the newest last."""
    plots: tuple[PlotData, ...] = ()
    """What is drawn of its plots."""
    gates: tuple[GateResult, ...] = ()
    strict_gates: bool = False
    """`continue-on-error` forgives no missed gate: the change itself brought it."""

    @property
    def missed_gates(self) -> tuple[GateResult, ...]:
        """The gates that do not hold."""
        return tuple([gate for gate in self.gates if gate.passed is False]) if self.gates else ()


@frozen
class StepOutcome:
    """How one step ended, and why it ran, was reused or was skipped."""

    step: Step
    status: Status
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """For the reader: outputs put back after a failure, a result that was not stored, …"""
    source_unavailable: bool = False
    """It failed as data from outside of git cannot be had."""
    execution: Execution = Execution()
    left: LeftBehind = LeftBehind()
    discovered: Discoveries = Discoveries()
    measured: Measurements = Measurements()

    @property
    def failed(self) -> bool:
        """True if the command failed, or took too long."""
        return self.status in BROKEN

    @property
    def notebooks(self) -> tuple[str, ...]:
        """The notebooks that it wrote, or that the reused result has."""
        return tuple(path for path in self.left.outputs if path.endswith(SUFFIX))

    @property
    def why_not_stored(self) -> str:
        """Why it left no result, with what to do about it; empty if it did."""
        if NOT_STORED_AGAIN in self.notes:
            return "; ".join(self.reasons)
        beginning = f"{NOT_STORED}: "
        found = [n.removeprefix(beginning) for n in self.notes if n.startswith(beginning)]
        found += [reason for reason in self.reasons if reason.endswith(EACH_TIME)]
        return next(iter(found), "")

    @property
    def fails_run(self) -> bool:
        """True if the step failed or missed a gate, and the run fails for it."""
        missed, strict = self.measured.missed_gates, self.measured.strict_gates
        if self.step.continue_on_error and not (missed and strict):
            return False
        return self.failed or bool(missed)

    @property
    def tolerated(self) -> bool:
        """True if it failed or missed a gate, and `continue-on-error` says that the run does not
        fail.
        """
        return (self.failed or bool(self.measured.missed_gates)) and not self.fails_run

    @property
    def facts(self) -> dict[str, Any]:
        """What later steps can ask of it: `steps.<id>.outcome`, `.conclusion`, `.metrics`."""
        bad = self.failed or bool(self.measured.missed_gates)
        outcome = "failure" if bad else OUTCOMES.get(self.status, "skipped")
        conclusion = "success" if self.tolerated else outcome
        metrics = dict(self.measured.metrics)
        return {"outcome": outcome, "conclusion": conclusion, "metrics": metrics}


@frozen
class Transfers:
    """What a run had to do with a remote store: its address, the scope that it wrote (empty: none).

    `fetched` and `stored` count contents, `failed` writes that failed; bytes as they were sent.
    """

    remote: str
    scope: str = ""
    requests: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    stored: int = 0
    stored_bytes: int = 0
    failed: int = 0
    warnings: tuple[str, ...] = ()


@frozen
class Run:
    """One run of a workflow."""

    workflow: Workflow
    comparison: Comparison
    """What was compared with what."""
    outcomes: tuple[StepOutcome, ...]
    """One for each step, in the order of the workflow."""
    seconds: float
    """In all."""
    cancelled: bool = False
    transfers: Transfers | None = None
    """None where no remote store was asked."""
    edges: tuple[Edge, ...] = ()
    """Which step needs which."""
    url: str = ""
    """The page of the run."""
    branch: str = ""
    """The branch, as people call it; a pull request by its number."""
    finished: float = 0.0
    """When it ended, in seconds since 1970; 0: not known."""
    root: str = ""
    """The directory of the repository, if it is on this machine."""
    removed_gates: tuple[tuple[str, GateResult], ...] = ()
    """Names of steps with gates that the base branch's file has and this one has not."""
    comment_url: str = ""
    """The comment on the pull request."""
    job: JobName = JobName()
    """The job of the CI system that it ran in."""

    @cached_property
    def result(self) -> str:
        """`success`, `failure`, `gate-missed` or `cancelled`.

        Where `fail-fast` ended steps because another one failed, that is a failure.
        """
        if self.cancelled:
            return "cancelled"
        if any(outcome.fails_run and outcome.failed for outcome in self.outcomes):
            return "failure"
        if self.removed_gates or any(outcome.fails_run for outcome in self.outcomes):
            return "gate-missed"
        return "cancelled" if self.count(Status.CANCELLED) else "success"

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics of all steps; a later step wins where two have the same name."""
        measured = (outcome.measured for outcome in self.outcomes)
        return {name: value for one in measured for name, value in one.metrics}

    @property
    def saved_seconds(self) -> float:
        """Seconds that reused results took when they were made."""
        return sum(outcome.left.saved_seconds for outcome in self.outcomes)

    def count(self, *statuses: Status) -> int:
        """How many steps ended in one of the statuses."""
        return sum(outcome.status in statuses for outcome in self.outcomes)
