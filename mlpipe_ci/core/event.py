"""The event that started the run, and which results it may read and write. Pure."""

from enum import StrEnum
from typing import Any, Literal

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.parts import JobName


class EventKind(StrEnum):
    """What started the run, as far as the program cares."""

    DESK = "desk"
    PROPOSAL = "proposal"
    QUEUE = "queue"
    TAG = "tag"
    PUSH = "push"
    OTHER = "other"


@frozen
class IncomingChange:
    """What the event says about the commits that it brings; empty where it does not say it."""

    target_branch: str = ""
    """Branch that the commits are to be merged into; none for a push to the default branch."""
    before: str = ""
    """Commit that they come after: the one before a push, the base of a merge queue's group, the
    tip of the target branch when a pull request was last pushed to."""
    commit: str = ""
    """Commit that people see the run at, if it is not the one that is checked out: the head of a
    pull request (not the merge commit), or of the run that ended."""
    merge_commit: str = ""
    """Commit that the CI system made of a pull request's head and its target branch."""
    pull_request: int | None = None
    state: Literal["open", "merged", "closed"] = "open"
    is_retargeted: bool = False
    """True if the pull request has just got another target branch."""
    is_one_commit: bool = False


@frozen
class FinishedRun:
    """The run of another workflow that started this one when it ended."""

    id: int
    attempt: int
    url: str
    owner: str = ""
    """Who owns the repository that its commit comes from."""
    branch: str = ""
    is_fork: bool = False
    workflow: str = ""
    """The CI system's workflow, as in `JobName`."""


@frozen
class CiRun:
    """The run itself, as the CI system shows it."""

    id: int = 0
    attempt: int = 0
    url: str = ""
    trigger: str = ""
    """What started it, where that is no commit: one line of ASCII."""
    job: JobName = JobName()
    finished: FinishedRun | None = None


@frozen
class Event:
    """What is known about the run from outside, the same for each CI system."""

    kind: EventKind = EventKind.DESK
    name: str = "desk"
    """The CI system's own word for the kind."""
    repository: str = ""
    ref: str = ""
    sha: str = ""
    """Commit that the CI system names."""
    head: str | None = None
    """Commit that is checked out."""
    change: IncomingChange = IncomingChange()
    run: CiRun = CiRun()
    nothing_to_run: str = ""
    """Why there is nothing to be run at all; empty if there is."""
    refusal: str = ""
    """Why steps must not run unless the user insists; empty if they may."""
    trusted: bool = True
    """True if who wrote this change may write to the repository; a fork's author may not."""
    scopes: tuple[str, ...] = ("local", "main")
    """Scopes that results are read from, in this order; they are written to the first."""
    attributes: tuple[tuple[str, Any], ...] = ()
    """The context `github` of expressions."""

    @property
    def at_desk(self) -> bool:
        """True where no CI system started the run."""
        return self.kind is EventKind.DESK

    @property
    def is_proposed_change(self) -> bool:
        """True if what runs is only proposed, and must not lower the bar that it has to pass."""
        return self.kind in {EventKind.PROPOSAL, EventKind.QUEUE}


@frozen
class CacheAccess:
    """Scopes that may be read, in this order, and the one that may be written (None: none)."""

    reads: tuple[str, ...]
    writes: str | None = None
