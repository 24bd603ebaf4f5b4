"""The event that started this run: head, base and how it was chosen, pull request, cache scope."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from blake3 import blake3

from mlpipe_ci.contexts import GITHUB
from mlpipe_ci.errors import GitError, UsageError
from mlpipe_ci.git import Git

DESK = "desk"
MAX_SCOPE = 100
"""Characters of a branch's name in a path; file systems take 255 bytes."""
UNTRUSTED = ("pull_request_target", "issue_comment", "workflow_run")
"""Events that run with the base repository's rights on behalf of anybody."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What is known about the run from outside.

    `base` is the commit compared against, None if not known; `how` says how it was chosen, or why
    it is not known. `worktree`: the work tree itself is the head (at a desk), not a commit.
    `scopes` are read in this order, and results are written to the first.
    """

    name: str = DESK
    ref: str = ""
    head: str | None = None
    base: str | None = None
    how: str = ""
    worktree: bool = True
    pull_request: int | None = None
    scopes: tuple[str, ...] = ("local", "main")
    repository: str = ""
    run_url: str = ""
    attributes: tuple[tuple[str, Any], ...] = ()


def read_event(env: Mapping[str, str], git: Git | None, base: str | None = None) -> Event:
    """Read the event from GitHub's environment variables, or make that of a desk.

    `base` is what the user asked to compare with. Raises UsageError for it, and where steps must
    not run.
    """
    in_actions = env.get("GITHUB_ACTIONS") == "true" and "GITHUB_EVENT_NAME" in env
    event = _github(env, git) if in_actions else _desk(git)
    return _asked(event, git, base) if base else event


def refuse_untrusted(event: Event) -> None:
    """Raise UsageError if steps must not run on this event."""
    if event.name in UNTRUSTED:
        raise UsageError(
            f"steps are not run on '{event.name}': that event gives a stranger's change the rights "
            "of this repository. Use on: pull_request and on: push"
        )


def _desk(git: Git | None) -> Event:
    if git is None:
        return Event(how="not a git repository")
    head, ref = git.head(), git.branch() or ""
    how = "uncommitted changes against HEAD" if head else "no commit yet"
    attributes: tuple[tuple[str, Any], ...] = (
        ("ref", ref),
        ("ref_name", _short(ref)),
        ("sha", head or ""),
    )
    attributes += (("event_name", ""), ("actor", ""), ("repository", ""))
    return Event(
        ref=ref, head=head, base=head, how=how, repository=git.remote_url(), attributes=attributes
    )


def _asked(event: Event, git: Git | None, base: str) -> Event:
    commit = git.commit(base) if git else None
    if git is None or commit is None:
        raise UsageError(f"--base {base}: no such commit here; fetch it first (git fetch origin)")
    common = (git.merge_base(commit, event.head) if event.head else None) or commit
    how = f"asked for: {base}" if common == commit else f"asked for: merge base with {base}"
    return replace(event, base=common, how=how)


def _github(env: Mapping[str, str], git: Git | None) -> Event:
    name, payload = env["GITHUB_EVENT_NAME"], _payload(env)
    head = git.head() if git else None
    base, how = _base(name, payload, env, git, head) if git and head else (None, "no commit here")
    repository, server = env.get("GITHUB_REPOSITORY", ""), env.get("GITHUB_SERVER_URL", "")
    number = _get(payload, "pull_request", "number")
    run_url = f"{server}/{repository}/actions/runs/{env.get('GITHUB_RUN_ID', '')}"
    return Event(
        name=name,
        ref=env.get("GITHUB_REF", ""),
        head=head,
        base=base,
        how=how,
        worktree=False,
        pull_request=number if isinstance(number, int) else None,
        scopes=_scopes(name, env.get("GITHUB_REF", ""), payload),
        repository=repository,
        run_url=run_url,
        attributes=(*_attributes(env), ("event", payload)),
    )


def _payload(env: Mapping[str, str]) -> dict[str, Any]:
    try:
        payload = json.loads(Path(env.get("GITHUB_EVENT_PATH", "")).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _base(
    name: str, payload: dict[str, Any], env: Mapping[str, str], git: Git, head: str
) -> tuple[str | None, str]:
    """Base commit and how it was chosen; (None, why) if no rung of the ladder holds."""
    if name.startswith("pull_request"):
        return _pull_request_base(payload, env, git, head)
    if name == "push":
        return _push_base(payload, git, head)
    if name == "merge_group":
        return _known(git, _get(payload, "merge_group", "base_sha"), "base of the merge group")
    return None, f"'{name}' names no commit to compare with"


def _pull_request_base(
    payload: dict[str, Any], env: Mapping[str, str], git: Git, head: str
) -> tuple[str | None, str]:
    # Never pull_request.base.sha itself: it is frozen when the pull request is opened or pushed to,
    # while the merge commit is made on the base branch as it is now.
    parents = git.parents(head)
    if len(parents) == 2 and head == env.get("GITHUB_SHA"):  # noqa: PLR2004 - a merge
        if git.commit(parents[0]):
            return parents[0], "first parent of the pull request's merge commit"
        return None, "the merge commit's first parent is not in this clone (set fetch-depth: 2)"
    branch = _get(payload, "pull_request", "base", "ref")
    for candidate in (
        f"refs/remotes/origin/{branch}",
        _get(payload, "pull_request", "base", "sha"),
    ):
        tip = git.commit(candidate) if isinstance(candidate, str) else None
        common = git.merge_base(tip, head) if tip else None
        if common:
            return common, f"merge base with {branch}"
    return None, f"the base branch '{branch}' is not in this clone (set fetch-depth: 0)"


def _push_base(payload: dict[str, Any], git: Git, head: str) -> tuple[str | None, str]:
    before = _get(payload, "before")
    if isinstance(before, str) and before.strip("0"):
        found = git.commit(before)
        if found:
            return found, "the commit before this push"
    tip = git.default_branch()
    common = git.merge_base(tip, head) if tip else None
    if common and common != head:
        return common, "merge base with the default branch"
    return None, "the commit before this push is not in this clone"


def _known(git: Git, commit: object, how: str) -> tuple[str | None, str]:
    found = git.commit(commit) if isinstance(commit, str) else None
    return (found, how) if found else (None, f"{how} is not in this clone")


def _scopes(name: str, ref: str, payload: dict[str, Any]) -> tuple[str, ...]:
    """Where results are read and written: from the event, never from the workflow file.

    Whoever writes a key first is believed (CVE-2025-36852), so a pull request has its own scope.
    """
    number = _get(payload, "pull_request", "number")
    if name.startswith("pull_request"):
        return (f"pr/{number if isinstance(number, int) else 'unknown'}", "main")
    default = _get(payload, "repository", "default_branch") or "main"
    if ref == f"refs/heads/{default}":
        return ("main",)
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    name = quote(_short(ref) or "unknown", safe="").replace(".", "%2E")
    if len(name) > MAX_SCOPE:
        name = f"{name[:MAX_SCOPE]}-{blake3(ref.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return (f"{kind}/{name}", "main")


def _attributes(env: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    names = (name for name in GITHUB if name != "event")
    return tuple((name, env.get(f"GITHUB_{name.upper()}", "")) for name in names)


def _get(payload: object, *keys: str) -> Any:
    for key in keys:
        payload = payload.get(key) if isinstance(payload, dict) else None
    return payload


def _short(ref: str) -> str:
    return ref.split("/", 2)[2] if ref.startswith("refs/") and ref.count("/") > 1 else ref


def changed_paths(event: Event, git: Git | None) -> tuple[tuple[str, str], ...] | None:
    """Paths that differ between base and head, each with how; None if that cannot be told."""
    if git is None or event.base is None:
        return None
    try:
        pairs = git.changed(event.base, None if event.worktree else event.head)
    except GitError:
        return None
    untracked = git.status()[1] if event.worktree else frozenset()
    return (*pairs, *((path, "untracked") for path in sorted(untracked)))
