"""Names the commit that gave a path its present content, where history shows it."""

import os
from collections.abc import Mapping
from functools import cached_property

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import GitError
from mlpipe_ci.core.event import Event, EventKind
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.git import Git, History

MOST_COMMITS = 300
"""How far back the commit that changed a path is looked for."""


SUBJECT = 50
"""Characters of a commit's subject that are shown."""


@frozen(kw_only=False)
class CommitAttribution:
    """Names the commit that gave a path its present content, where history shows it."""

    event: Event
    comparison: Comparison
    git: Git | None
    history: History | None

    def name(self, path: str) -> str:
        """` (1a2b3c4 "Subject")`, or an empty text if the commit is not known, or if what is there
        now is not what it left there.
        """
        words = self._known.get(path, "")
        return words if words and self._is_as_committed(path) else ""

    def _is_as_committed(self, path: str) -> bool:
        """True if the path has the content that the head gives it, or is absent as it is there."""
        if self.git is None or self.history is None or self.event.head is None:
            return False
        full_path = self.git.root / path
        blob = self.history.commits.blob(self.event.head, path)
        if blob is None:
            return not os.path.lexists(full_path)
        if full_path.is_symlink() or full_path.is_dir():
            return True  # a link or a submodule: what is changed in it is not among `_known`
        try:
            return self.git.hash_files((path,))[path] == blob
        except GitError:  # it is not there, or cannot be read
            return False

    @cached_property
    def _known(self) -> Mapping[str, str]:
        head, base = self.event.head, self.comparison.base
        if self.git is None or self.history is None or head is None:
            return {}
        dirty = self._dirty()
        found: dict[str, str] = {}
        start = None if base == head else base
        if start is not None and self.history.commits.commit(start) is None:
            start = None  # a tree: the first push
        for commits in self.history.commits.touched(start, head, MOST_COMMITS):
            words = describe_commit(commits.commit, commits.subject)
            found.update((path, words) for path in commits.paths - dirty if path not in found)
        return found or self._only()

    def _dirty(self) -> frozenset[str]:
        if self.git is None or self.event.kind is not EventKind.DESK:
            return frozenset()
        now = self.git.snapshot()
        return now.modified | now.untracked

    def _only(self) -> Mapping[str, str]:
        """The event may say that there is one commit, where history was cut before it."""
        only = self.event.change.commit or self.event.head
        if not self.event.change.is_one_commit or not only or not self.history:
            return {}
        subject = self.history.commits.subject(only)
        if subject is None:
            return {}
        words = describe_commit(only, subject)
        return {change.path: words for change in self.comparison.changed or ()}


def describe_commit(commit: str, subject: str) -> str:
    """How a reason names a commit: ` (1a2b3c4 "Subject")`."""
    short = subject if len(subject) <= SUBJECT else subject[: SUBJECT - 1].rstrip() + "…"
    return f' ({commit[:7]} "{short}")' if short else f" ({commit[:7]})"
