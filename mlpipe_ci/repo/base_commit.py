"""Which commit the run is compared with: a ladder for each event, the first rung that holds.

Each answer says which it was, and why those above it did not hold.
"""

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.event import Event, EventKind, IncomingChange
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.repo.git import HEX_ID, Common, History, is_null

MERGE_PARENTS = 2
SUFFIX = regex(r"[~^:]|@\{")
"""Where a name of a ref ends, and what git is to do with it begins: see `gitrevisions(7)`."""


@frozen
class Base:
    """Commit (or tree) compared against, None if not known; `how` says how it was chosen, or why
    it is not known. `others`: further ones, where the best common ancestor is not one commit.
    `fork`: where the head left the default branch, if the base is not in the head's history.
    `worktree`: compare with what is in the work tree instead of the head.
    """

    commit: str | None = None
    how: str = ""
    others: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fork: str | None = None
    worktree: bool = False


def base_of(event: Event, history: History) -> Base:
    """Climb down the ladder of the event. Nothing is compared yet."""
    head = event.head
    if head is None:
        return Base(how="no commit here that can be read")
    if event.kind is EventKind.DESK:
        return Base(commit=head, how="uncommitted changes against HEAD", worktree=True)
    if event.kind is EventKind.PROPOSAL:
        return _pull_request(event.change, history, head)
    if event.kind is EventKind.TAG:
        return _tag(history, head)
    if event.kind is EventKind.PUSH:
        return _push(event, history, head)
    if event.kind is EventKind.QUEUE:
        return _known(history, event.change.before, "base of the merge group")
    return Base(how=f"'{event.name}' names no commit to compare with")


def base_named(event: Event, history: History, name: str) -> Base:
    """Where the head left the commit, branch or tag that the user named. Raises UsageError."""
    commit = _meant(history, name)
    found = Common((), commit)
    head = event.head
    if commit and head:
        found = history.merge_base(commit, head)
        found = found if found.tip else Common(problem=found.problem, tip=commit)
    elif head and event.kind is not EventKind.DESK:
        found = history.common(name.removeprefix("refs/heads/"), head)
    if not found.tip:
        why = f" ({found.problem})" if found.problem else ""
        raise UsageError(f"base {name}: no such commit here; fetch it first (git fetch){why}")
    at_once = event.kind is EventKind.DESK or name == "HEAD"
    if found.tip in found.bases or not found.bases:
        why = f" ({found.problem})" if found.problem else ""
        text = (
            f"where the head left {name} is not known{why}, so all that differs from it is listed"
        )
        warnings = () if found.bases else (text,)
        how = f"asked for: {name}"
        return Base(commit=found.tip, how=how, worktree=at_once, warnings=warnings)
    how = f"asked for: merge base with {name}"
    return Base(commit=found.bases[0], others=found.bases[1:], how=how, worktree=at_once)


def _meant(history: History, name: str) -> str | None:
    """A commit by what names it, as git reads it: `main`, `v1`, `HEAD~1`, `@^2`, `main@{1}`; what
    git does not know may be a branch of the remote. Never by a name that means a branch and a tag.
    Raises UsageError.
    """
    if HEX_ID.fullmatch(name):
        return (
            history.local_id(name)
            or (history.fetch_commits(name) and history.commits.commit(name))
            or None
        )
    rest = SUFFIX.search(name)
    plain = name[: rest.start()] if rest else name
    both = [f"refs/{kind}/{plain}" for kind in ("heads", "tags")]
    if plain not in {"HEAD", "@", ""} and all(map(history.local_id, both)):
        raise UsageError(f"base {name} is a branch and a tag; say {both[0]} or {both[1]}")
    own = history.local_id(name)
    if own or plain in {"HEAD", "@", ""}:
        return own
    return history.local_id(f"refs/remotes/origin/{name}")


def _pull_request(change: IncomingChange, history: History, head: str) -> Base:
    """Not `change.before`, if anything else is known: it is the target branch as it was when the
    pull request was last pushed to, while the merge commit is made on the branch as it is now.
    """
    parents = history.commits.parents(head)
    if change.state == "closed" and parents:
        return Base(how="the pull request was closed without a merge")
    merge = head == change.merge_commit and len(parents) == MERGE_PARENTS
    if not merge and not (change.state == "merged" and parents):
        return _branch(change, history, head)
    had = history.local_id(parents[0])
    if not history.fetch_commits(*parents) and not history.commits.commit(parents[0]):
        why = f"the merge commit's first parent could not be fetched ({history.problem})"
        return _branch(change, history, head, why)
    stale = _stale(change, history, head, parents) if merge else None
    if stale:
        return stale
    how = "first parent of the pull request's merge commit"
    return Base(commit=parents[0], how=how if had else f"{how}, fetched")


def _stale(
    change: IncomingChange, history: History, head: str, parents: tuple[str, ...]
) -> Base | None:
    """The merge commit may still be one with the branch that the pull request went to before.

    Looked at where it costs nothing, and where the event says that the branch was changed.
    """
    branch = change.target_branch
    known = history.branch(branch) if history.is_complete() else None
    if not branch or not (known or change.is_retargeted):
        return None
    common = history.common(branch, parents[1])
    if not common.tip or history.commits.is_ancestor(parents[0], common.tip):
        return None
    found = history.common(branch, head)
    if not found.bases:
        return None
    warning = f"the merge commit was not made with {branch} as it is now; run again if it looks odd"
    return Base(
        commit=found.bases[0],
        others=found.bases[1:],
        how=f"merge base with {branch}",
        warnings=(warning,),
    )


def _branch(change: IncomingChange, history: History, head: str, why: str = "") -> Base:
    """Where the head left the branch that the pull request goes to."""
    branch = change.target_branch
    found = history.common(branch, head) if branch else Common(problem="the event names no branch")
    if not found.problem:
        return _from(found, branch, why)
    problem = why or f"the branch '{branch}' could not be fetched ({found.problem})"
    if HEX_ID.fullmatch(change.before) and history.fetch_commits(change.before):
        bases = history.commits.merge_bases(change.before, head)
        if bases:
            how = f"merge base with {branch} as it was when the pull request was last pushed to"
            return Base(commit=bases[0], others=bases[1:], how=how, warnings=(problem,))
    return Base(how=problem, warnings=(problem,))


def _from(found: Common, branch: str, why: str = "") -> Base:
    """The base from a meeting that was found, or that is known not to be."""
    because = f", as {why}" if why else ""
    if not found.bases:
        text = f"{branch} and the head have no commit in common, so all that differs is listed"
        return Base(commit=found.tip, how=f"tip of {branch}{because}", warnings=(text,))
    if found.bases[1:]:
        count = len(found.bases)
        text = f"{branch} was merged crosswise: what differs from any of {count} bases is listed"
        how = f"{count} merge bases with {branch}{because}"
        return Base(commit=found.bases[0], others=found.bases[1:], how=how, warnings=(text,))
    return Base(commit=found.bases[0], how=f"merge base with {branch}{because}")


def _push(event: Event, history: History, head: str) -> Base:
    before, target = event.change.before, event.change.target_branch
    why = ""
    if HEX_ID.fullmatch(before) and not is_null(before):
        had = history.local_id(before)
        if history.fetch_commits(before):
            how = "the commit before this push"
            fork = _fork(history, before, head, target)
            return Base(commit=before, how=how if had else f"{how}, fetched", fork=fork)
        why = f"the previous push {before[:7]} is gone ({history.problem})"
    elif is_null(before) and not target:
        empty, branch = history.commits.empty_tree(), event.ref.removeprefix("refs/heads/")
        return Base(commit=empty, how=f"the first push of {branch}: all files are new")
    if not target:
        why = why or "the event does not say what was there before"
        return Base(how=why, warnings=(why,))
    found = history.common(target, head)
    if found.problem:
        problem = f"{target} could not be fetched ({found.problem})"
        why = f"{why}, and {problem}" if why else problem
        return Base(how=why, warnings=(why,))
    return _from(found, target, why)


def _fork(history: History, before: str, head: str, target: str) -> str | None:
    """After a rebase: where the head leaves the default branch now. Nothing is fetched for it."""
    tip = history.branch(target) if target else None
    if not tip or not history.is_complete() or history.commits.is_ancestor(before, head):
        return None
    return next(iter(history.commits.merge_bases(tip, head)), None)


def _tag(history: History, head: str) -> Base:
    found = history.tag_before(head)
    if found:
        return Base(commit=found[1], how=f"{found[0].removeprefix('refs/tags/')}, the tag before")
    if history.problem:
        why = f"the tags could not be fetched ({history.problem})"
        return Base(how=why, warnings=(why,))
    return Base(commit=history.commits.empty_tree(), how="the first tag: all files are new")


def _known(history: History, commit: str, how: str) -> Base:
    if HEX_ID.fullmatch(commit) and history.fetch_commits(commit):
        return Base(commit=commit, how=how)
    why = f"{how} could not be fetched ({history.problem or 'the event does not name it'})"
    return Base(how=why, warnings=(why,))
