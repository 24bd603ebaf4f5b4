"""What an audit found: for each step whether running it again gave the same bytes. Pure."""

from dataclasses import field
from enum import StrEnum

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Producer


class Verdict(StrEnum):
    """How the audit of one step ended. `left-out`: it was not run; its reason says why."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    FAILED = "failed"
    LEFT_OUT = "left-out"


@frozen
class OutputDifference:
    """One path that is not what the result says. `how`: in words, with the place; `causes`: what is
    likely to make it so, the surest first.
    """

    path: str
    how: str
    causes: tuple[str, ...] = ()


@frozen
class StepAudit:
    """The audit of one step. `why`: the reason where it is not identical; `seconds`: of the command
    in the copy, all of its runs; `made` (seconds since 1970) and `producer`: of the result;
    `outputs`: how many paths were compared; `notes`: what the reader should know besides.
    """

    id: str
    name: str
    verdict: Verdict
    why: str = ""
    seconds: float = 0.0
    runs: int = 0
    key: str = ""
    made: float = 0.0
    producer: Producer = Producer()
    outputs: int = 0
    differences: tuple[OutputDifference, ...] = ()
    notes: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = field(default=(), repr=False)


@frozen
class AuditReport:
    """One audit. `seconds`: wall time in all; `head`: the commit that is checked out."""

    workflow: str
    file: str
    head: str
    steps: tuple[StepAudit, ...]
    tolerance: float
    seconds: float

    def count(self, *verdicts: Verdict) -> int:
        """How many steps ended so."""
        return sum(step.verdict in verdicts for step in self.steps)

    @property
    def audited(self) -> int:
        """How many steps were run again, or should have been."""
        return self.count(Verdict.IDENTICAL, Verdict.DIFFERENT, Verdict.FAILED)

    @property
    def passed(self) -> bool:
        """True if something was audited, and all of it is identical."""
        return 0 < self.audited == self.count(Verdict.IDENTICAL)
