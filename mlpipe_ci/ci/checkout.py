"""Checks the repository out where nothing else did: in an empty workspace, or with --repo."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.ci.event import in_actions
from mlpipe_ci.core.errors import GitError, UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.git import (
    HEX_ID,
    OURS,
    Git,
    Remote,
    Wanted,
    check_out,
    give_up,
    is_unstarted,
    move_to,
    open_git,
    resolve,
)
from mlpipe_ci.repo.git.remote import DEFAULT_SERVER, settings_of, token_settings, without_password

TOUCHED = ("HEAD", "index", "FETCH_HEAD")
"""Files of a git directory that a checkout writes."""
HISTORY_SECONDS, CHECKOUT_SECONDS = 60.0, 3600.0
"""The most that is spent on finding out what changed, and on a checkout that does not stall."""


@frozen
class Asked:
    """What the user asked for: address of a repository, a ref of it, its submodules."""

    repo: str = ""
    ref: str = ""
    submodules: bool = False


@frozen
class Request:
    """What is to be checked out, and where. `clean`: what an earlier run left may be removed."""

    remote: Remote
    wanted: Wanted
    directory: Path
    clean: bool


def request(asked: Asked, env: Mapping[str, str], start: Path) -> Request | None:
    """Say what has to be checked out before anything else; None if the work tree is to be taken
    as it is. Raises UsageError, GitError.
    """
    if asked.repo:
        return _at_a_desk(asked, env, start)
    if asked.ref:
        raise UsageError("--ref says what to check out of --repo, which is not given")
    workspace = Path(env.get("GITHUB_WORKSPACE") or "/nowhere")
    if not in_actions(env) or not start.is_relative_to(workspace.resolve()):
        return None
    repository, sha = env.get("GITHUB_REPOSITORY", ""), env.get("GITHUB_SHA", "")
    if not repository or not HEX_ID.fullmatch(sha):
        return None
    if not is_unstarted(workspace) and not _is_left_over(workspace, env):
        return None
    server = env.get("GITHUB_SERVER_URL") or DEFAULT_SERVER
    return Request(
        remote=Remote(f"{server}/{repository}", token_settings(env), CHECKOUT_SECONDS),
        wanted=Wanted(env.get("GITHUB_REF", ""), sha, asked.submodules),
        directory=workspace,
        clean=True,
    )


def fulfil(request: Request, say: Callable[[str], None]) -> None:
    """Check out. Raises GitError, UsageError; a directory that was empty is empty then."""
    wanted, place = request.wanted, request.directory
    name = wanted.ref or "the default branch"
    at = f"{wanted.commit[:7]} ({name})" if wanted.commit and wanted.ref else wanted.commit or name
    say(f"checking out {without_password(request.remote.url)} at {at} into {place}")
    try:
        if request.clean and not is_unstarted(place):
            give_up(place)
        if is_unstarted(place):
            check_out(place, request.remote, wanted)
        else:
            _move(request)
    except OSError as error:
        raise GitError(f"the checkout into {place} failed: {error.strerror}") from error


def remote_for(
    env: Mapping[str, str], git: Git | None, asked: Asked, *, fetch: bool = False
) -> Remote | None:
    """From where commits that a clone lacks may be fetched; None at a desk, where nothing is, but
    for who asks for it (`fetch`).
    """
    if git is None or not (in_actions(env) or asked.repo or fetch):
        return None
    repository, origin = env.get("GITHUB_REPOSITORY"), git.remote_address()
    server = env.get("GITHUB_SERVER_URL") or DEFAULT_SERVER
    url, is_origin = asked.repo or origin, True
    if in_actions(env) and repository and not _is_of(origin, repository):
        # The event speaks of that one, not of the fork that was cloned.
        url, is_origin = f"{server}/{repository}", False
    settings = (*settings_of(git.command), *token_settings(env))
    return Remote(url, settings, HISTORY_SECONDS, is_origin) if url else None


def _is_of(url: str, repository: str) -> bool:
    return re.split(r"[/:]", url.removesuffix(".git"))[-2:] == repository.split("/")


def large_files(env: Mapping[str, str], git: Git | None, asked: Asked) -> Remote | None:
    """From where the content of Git LFS files may be fetched."""
    remote = remote_for(env, git, asked, fetch=True)
    return Remote(remote.url, remote.settings, CHECKOUT_SECONDS) if remote else None


def _at_a_desk(asked: Asked, env: Mapping[str, str], start: Path) -> Request:
    if asked.repo.startswith("-"):
        raise UsageError(f"--repo {asked.repo} is no address of a repository")
    url = os.path.realpath(asked.repo) if Path(asked.repo).is_dir() else asked.repo
    remote = Remote(url, token_settings(env), CHECKOUT_SECONDS)
    return Request(
        remote=remote,
        wanted=_with_submodules(resolve(remote, asked.ref), asked),
        directory=start,
        clean=False,
    )


def _with_submodules(wanted: Wanted, asked: Asked) -> Wanted:
    return Wanted(wanted.ref, wanted.commit, asked.submodules)


def directory_for(asked: Asked, start: Path) -> Path:
    """Where --repo goes if no directory is named: here if here is empty, else as `git clone`.

    Raises UsageError if the address has no last part to name it.
    """
    if is_unstarted(start) or (start / OURS).exists():
        return start
    name = re.split(r"[/:]", asked.repo.rstrip("/"))[-1].removesuffix(".git")
    if not name or name.startswith("."):
        raise UsageError(f"--repo {asked.repo}: say into which directory with -C")
    return start / name


def _is_left_over(workspace: Path, env: Mapping[str, str]) -> bool:
    """True if an earlier job's checkout of ours is in the way: a self-hosted runner keeps it.

    What git was used for since this job began (its event is written then) is this job's own.
    """
    try:
        began = Path(env.get("GITHUB_EVENT_PATH", "")).stat().st_mtime_ns
        ours = (workspace / OURS).exists()
    except OSError:
        return False
    return ours and began > max(_when(workspace / ".git" / name) for name in TOUCHED)


def _when(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _move(request: Request) -> None:
    """Take a checkout of ours at a desk to another commit. Nothing of the user's is lost by it."""
    place = request.directory
    git = open_git(place)
    if git is None or not (git.root / OURS).exists() or git.root != place.resolve():
        text = f"{place} is not empty, and was not checked out by mlpipe; name another with -C"
        raise UsageError(text)
    ours, theirs = git.remote_url(), without_password(request.remote.url)
    if ours.removesuffix(".git") != theirs.removesuffix(".git"):
        raise UsageError(f"{place} is a checkout of {ours}, not of {theirs}; name another with -C")
    _refuse_work(git)
    found = move_to(git.command, request.remote, request.wanted)
    (place / OURS).write_text(found, "ascii")


def _refuse_work(git: Git) -> None:
    changed = sorted(git.look().modified)
    if changed:
        raise UsageError(f"{git.root} has changes of its own ({changed[0]}); commit or remove them")
    if not git.command.run("for-each-ref", "--points-at=HEAD", "refs/remotes", "refs/tags").strip():
        raise UsageError(f"{git.root} has commits of its own; push them, or name another with -C")
