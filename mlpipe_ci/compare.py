"""What differs between base and head, and which commits did it. It explains; keys decide."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from mlpipe_ci import base as bases
from mlpipe_ci.base import Base
from mlpipe_ci.errors import GitError, NoGitError
from mlpipe_ci.events import Event
from mlpipe_ci.frozen import frozen
from mlpipe_ci.git import Difference, Git, History
from mlpipe_ci.run import Change, Comparison

MOST_COMMITS = 300
"""How far back the commit that changed a path is looked for."""
POINTERS = (".dvc", "dvc.lock")
SUBJECT = 50
"""Characters of a commit's subject that are shown."""


def compare(
    event: Event, git: Git | None, history: History | None, asked: str | None
) -> Comparison:
    """Compare. What cannot be told is said, and never "nothing changed". Raises UsageError."""
    if git is None or history is None:
        return Comparison(how="not a git repository")
    found = bases.asked(event, history, asked) if asked else bases.choose(event, history)
    if event.head is None and not git.is_born():
        found = replace(found, how="no commit yet")
    comparison = Comparison(
        head=event.head,
        base=found.commit,
        how=found.how,
        warnings=found.warnings,
        trigger=event.trigger,
    )
    if found.commit is None:
        return comparison
    try:
        return replace(comparison, changed=_changed(event, found, git, history))
    except NoGitError:
        raise
    except GitError as error:
        warning = f"what changed since {found.commit[:7]} is not known ({error})"
        return replace(comparison, warnings=(*found.warnings, warning))


def _changed(event: Event, base: Base, git: Git, history: History) -> tuple[Change, ...]:
    if base.worktree or event.head is None:
        now = git.look()
        differing = {d for b in _all(base) for d in _since(git, b, history)}
        changes = {Change(path=d.path, change=d.change, submodule=d.submodule) for d in differing}
        changes |= {Change(path=path, change="untracked") for path in now.untracked}
    else:
        head = event.head
        differing = {d for b in _all(base) for d in history.changed(b, head)}
        own = {d.path for d in history.changed(base.fork, head)} if base.fork else None
        changes = {
            Change(
                path=d.path,
                change=d.change,
                submodule=d.submodule,
                from_base=own is not None and d.path not in own,
            )
            for d in differing
        }
    once = {change.path: change for change in sorted(changes, key=_order)}
    return tuple(sorted((*once.values(), *_data(base, event, once, git, history)), key=_order))


def _since(git: Git, base: str, history: History) -> tuple[Difference, ...]:
    now = git.look()
    if base == now.head and now.changes is not None:
        return now.changes
    try:
        return git.changed(base, history.borrowed())
    except NoGitError:
        raise
    except GitError:
        if not history.have_tree(base):
            raise
    return git.changed(base, history.borrowed())


def _all(base: Base) -> tuple[str, ...]:
    return (base.commit, *base.others) if base.commit else ()


def _order(change: Change) -> tuple[str, str]:
    return change.path, change.change


def _data(
    base: Base, event: Event, changes: Mapping[str, Change], git: Git, history: History
) -> tuple[Change, ...]:
    """Data that git does not have, of which a pointer in git says that it changed."""
    if not any(path.endswith(POINTERS) for path in changes):
        return ()
    # The YAML parser takes 0.015 s to import: only a repository with such files pays for it here.
    from mlpipe_ci.pointers import is_pointer, moved_data  # noqa: PLC0415

    found = {}
    for path in filter(is_pointer, changes):
        try:
            before = history.text(base.commit, path) if base.commit else None
            after = _now(base, event, path, git, history)
        except (GitError, OSError):
            continue  # that the pointer itself has changed is said anyway
        for data in moved_data(path, before, after):
            if data not in changes:
                found[data] = Change(path=data, change="modified", pointer=path)
    return tuple(found.values())


def _now(base: Base, event: Event, path: str, git: Git, history: History) -> str | None:
    """A pointer as it is compared: in the work tree, or in the head. Raises GitError, OSError."""
    if not base.worktree:
        return history.text(event.head, path) if event.head else None
    place = git.root / path
    if place.is_symlink() or not place.is_file():
        return None
    return place.read_text("utf-8", "replace")


@frozen(kw_only=False)
class Authors:
    """Names the commit that gave a path its present content, where history can tell."""

    event: Event
    comparison: Comparison
    git: Git | None
    history: History | None

    def name(self, path: str) -> str:
        """` (1a2b3c4 "Subject")`, or an empty text if the commit is not known."""
        return self._known.get(path, "")

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
        for touched in self.history.commits.touched(start, head, MOST_COMMITS):
            words = in_words(touched.commit, touched.subject)
            found.update((path, words) for path in touched.paths - dirty if path not in found)
        return found or self._only()

    def _dirty(self) -> frozenset[str]:
        if self.git is None or not self.event.worktree:
            return frozenset()
        now = self.git.look()
        return now.modified | now.untracked

    def _only(self) -> Mapping[str, str]:
        """The event may say that there is one commit, where history was cut before it."""
        commits = self.event.get("commits")
        only = self.event.head
        if self.event.get("pull_request", "commits") == 1:
            only = self.event.text("pull_request", "head", "sha")
        elif not isinstance(commits, list) or len(commits) != 1 or self.event.get("forced"):
            return {}
        subject = self.history.commits.subject(only) if self.history and only else None
        if not only or subject is None or self.event.worktree:
            return {}
        words = in_words(only, subject)
        return {change.path: words for change in self.comparison.changed or ()}


def in_words(commit: str, subject: str) -> str:
    """How a reason names a commit: ` (1a2b3c4 "Subject")`."""
    short = subject if len(subject) <= SUBJECT else subject[: SUBJECT - 1].rstrip() + "…"
    return f' ({commit[:7]} "{short}")' if short else f" ({commit[:7]})"
