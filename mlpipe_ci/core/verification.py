"""What follows for a commit from the results in the cache: for each step one, and why. Pure."""

from enum import StrEnum

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Audited, Result


class Standing(StrEnum):
    """Whether what a step leaves at a commit follows from a result.

    `unclaimed`: it has no result, and none is claimed; `missing`: none is in the cache that fits;
    `contradicted`: a report claims what the result does not say.
    """

    VERIFIED = "verified"
    UNCLAIMED = "unclaimed"
    MISSING = "missing"
    CONTRADICTED = "contradicted"


@frozen(order=True)
class Unverified:
    """An input that is neither of the commit nor of a verified result, and why. `is_data`: it is
    of the repository or of a source; else of the machine: packages, variables, the platform.
    """

    path: str
    why: str
    is_data: bool = True


@frozen
class StepProof:
    """What is known of a step. `blobs`: inputs that are as the commit has them; `outputs`: inputs
    that are outputs of verified results; `others`: how many more results fit and left something
    else; `audited`: the last audit of the result.
    """

    id: str
    name: str
    standing: Standing
    why: str = ""
    result: Result | None = None
    blobs: int = 0
    outputs: int = 0
    unverified: tuple[Unverified, ...] = ()
    others: int = 0
    audited: Audited | None = None


@frozen
class Verification:
    """The proof for a commit. `claims`: the file with the report that was held against it."""

    workflow: str
    file: str
    commit: str
    steps: tuple[StepProof, ...]
    claims: str = ""

    @property
    def unverified(self) -> int:
        """How many data are not verified, each counted once."""
        return len({one for step in self.steps for one in step.unverified if one.is_data})

    def holds(self, *, strict: bool) -> bool:
        """True if something is verified, and nothing speaks against it; `strict`: and all data are
        verified.
        """
        standings = {step.standing for step in self.steps}
        if standings & {Standing.MISSING, Standing.CONTRADICTED}:
            return False
        return Standing.VERIFIED in standings and not (strict and self.unverified)
