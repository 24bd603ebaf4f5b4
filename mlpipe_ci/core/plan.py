"""The decision: for each step RUN, REUSE, SKIP or MAYBE, with its reasons."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from mlpipe_ci.core.cache_key import KeyParts
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.workflow import Step, Workflow

Written = Mapping[str, tuple[Output, ...] | None]
"""Step id to what that step wrote in this run; None: it will write, and what is not known yet."""
StepFacts = Mapping[str, Mapping[str, Any] | None]
"""Step id to its `outcome`, `conclusion` and `metrics` in this run; None: not known yet."""


NO_RESULT = "no result yet"
EACH_TIME = "so it runs each time"
"""How a reason ends if the step can never be reused as it is."""
NOT_ASKED = "not asked for"
"""Why a step is skipped if the user has named others."""


class Action(StrEnum):
    """What is to be done with a step. MAYBE: it depends on what an earlier step will write."""

    RUN = "run"
    REUSE = "reuse"
    SKIP = "skip"
    MAYBE = "maybe"


@frozen
class Decision:
    """One step's action with its reasons, and for REUSE the result that is reused.

    `unreachable`: data that it reads cannot be had, so it fails before its command is run.
    """

    step: Step
    action: Action
    reasons: tuple[str, ...]
    key: str | None = None
    parts: KeyParts | None = None
    result: Result | None = None
    notes: tuple[str, ...] = ()
    forced: bool = False
    unreachable: bool = False

    @property
    def saved_seconds(self) -> float:
        """Seconds that the reused result took when it was made, else 0."""
        return self.result.seconds if self.result else 0.0


@frozen
class Plan:
    """One decision for each step, in the workflow's order."""

    workflow: Workflow
    decisions: tuple[Decision, ...]
