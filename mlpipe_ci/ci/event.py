"""The event that started this run: of the CI system that runs us, or of a desk."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from mlpipe_ci.ci.github import event as github
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.event import Event, EventKind
from mlpipe_ci.repo.git import Git

Env = Mapping[str, str]
SYSTEMS: tuple[tuple[Callable[[Env], bool], Callable[[Env], Event]], ...] = (
    (github.in_actions, github.read),
)
"""For each CI system: whether it runs us, and how to read its event."""


def in_ci(env: Env) -> bool:
    """True if a CI system runs us."""
    return any(runs_us(env) for runs_us, _ in SYSTEMS)


def read_event(env: Env) -> Event:
    """Read the event from the environment alone; without a CI system it is that of a desk."""
    return next((read(env) for runs_us, read in SYSTEMS if runs_us(env)), Event())


def with_checkout(event: Event, git: Git | None) -> Event:
    """Add what the clone says: the head; at a desk also the branch and the repository."""
    if git is None:
        return event
    if event.kind is not EventKind.DESK:
        return replace(event, head=git.head())
    now = git.snapshot()
    attributes = {
        "ref": now.branch,
        "ref_name": now.branch.removeprefix("refs/heads/"),
        "sha": now.head or "",
        "event_name": "",
        "actor": "",
        "repository": "",
    }
    return replace(
        event,
        ref=now.branch,
        head=now.head,
        repository=git.remote_url(),
        attributes=tuple(attributes.items()),
    )


def refuse_untrusted(event: Event, *, allowed: bool) -> None:
    """Raise UsageError if steps must not run on this event."""
    if event.refusal and not allowed:
        raise UsageError(event.refusal)
