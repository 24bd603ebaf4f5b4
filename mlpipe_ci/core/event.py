"""The event that started the run, and which results it may read and write. Pure."""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mlpipe_ci.core.frozen import frozen

DESK = "desk"


MAX_PAYLOAD = 300
"""Characters of a payload that are shown."""


@frozen
class Event:
    """What is known about the run from outside.

    `ref` and `sha` are GitHub's; `head` is the commit that is checked out. `worktree`: the work
    tree itself is compared (at a desk), not a commit. `nothing_to_run`: why there is nothing to be
    run at all; empty if there is. `trusted`: who wrote this change may write to the repository; a
    fork's author may not. `scopes` are read in this order, and results are written to the first.
    """

    name: str = DESK
    ref: str = ""
    sha: str = ""
    head: str | None = None
    worktree: bool = True
    pull_request: int | None = None
    nothing_to_run: str = ""
    trusted: bool = True
    scopes: tuple[str, ...] = ("local", "main")
    repository: str = ""
    run_url: str = ""
    run_id: int = 0
    run_attempt: int = 0
    attributes: tuple[tuple[str, Any], ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def get(self, *keys: str) -> Any:
        """A value of the payload by its keys, None if it is not there."""
        value: Any = self.payload
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def text(self, *keys: str) -> str:
        """A text of the payload by its keys, empty if it is not there or none."""
        value = self.get(*keys)
        return value if isinstance(value, str) else ""

    @property
    def default_branch(self) -> str:
        """Name of the repository's default branch."""
        return self.text("repository", "default_branch") or "main"

    @property
    def is_proposed_change(self) -> bool:
        """True if what runs is only proposed, and must not lower the bar that it has to pass."""
        return self.name.startswith("pull_request") or self.name == "merge_group"

    @property
    def trigger(self) -> str:
        """What started the run, where it is no commit: a schedule, or a dispatch with its payload.

        One line of ASCII, however odd the payload is: it is text from outside.
        """
        if self.name == "schedule":
            return f"schedule {self.text('schedule')}".strip()
        if self.name != "repository_dispatch":
            return ""
        told = json.dumps(self.get("client_payload") or {}, sort_keys=True)
        told = told if len(told) <= MAX_PAYLOAD else f"{told[:MAX_PAYLOAD]}…"
        return f"repository_dispatch {json.dumps(self.text('action'))[1:-1]} {told}"

    @property
    def subject(self) -> str | None:
        """The commit that people see this run at: never the merge commit of a pull request."""
        told = self.text("pull_request", "head", "sha") or self.text("workflow_run", "head_sha")
        return told or self.head


@frozen
class CacheAccess:
    """Scopes that may be read, in this order, and the one that may be written (None: none)."""

    reads: tuple[str, ...]
    writes: str | None = None
