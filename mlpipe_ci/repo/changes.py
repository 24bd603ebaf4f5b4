"""What differs between base and head, and which commits did it. It explains; keys decide."""

from collections.abc import Mapping
from dataclasses import replace

from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.errors import GitError, NoGitError
from mlpipe_ci.core.event import Event
from mlpipe_ci.repo import base_commit
from mlpipe_ci.repo.base_commit import Base
from mlpipe_ci.repo.git import Difference, Git, History

POINTERS = (".dvc", "dvc.lock")


def compare(
    event: Event, git: Git | None, history: History | None, asked: str | None
) -> Comparison:
    """Compare. What is not known is a warning, never "nothing changed". Raises UsageError."""
    if git is None or history is None:
        return Comparison(how="not a git repository")
    found = (
        base_commit.base_named(event, history, asked)
        if asked
        else base_commit.base_of(event, history)
    )
    if event.head is None and not git.is_born():
        found = replace(found, how="no commit yet")
    comparison = Comparison(
        head=event.head,
        base=found.commit,
        how=found.how,
        warnings=found.warnings,
        trigger=event.run.trigger,
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
        now = git.snapshot()
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
    now = git.snapshot()
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
    from mlpipe_ci.repo.dvc_pointers import is_pointer, moved_data  # noqa: PLC0415

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
    full_path = git.root / path
    if full_path.is_symlink() or not full_path.is_file():
        return None
    return full_path.read_text("utf-8", "replace")
