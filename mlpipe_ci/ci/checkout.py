"""Checks the repository out where nothing else did: in an empty workspace, or with --repo."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.ci.github.checkout import JobCheckout, job_checkout, token_settings
from mlpipe_ci.core.errors import GitError, UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.git import (
    HEX_ID,
    OURS,
    CheckoutTarget,
    Git,
    Remote,
    check_out,
    give_up,
    is_unstarted,
    move_to,
    open_git,
    resolve,
)
from mlpipe_ci.repo.git.remote import settings_of, without_password

TOUCHED = ("HEAD", "index", "FETCH_HEAD")
"""Files of a git directory that a checkout writes."""
HISTORY_SECONDS, CHECKOUT_SECONDS = 60.0, 3600.0
"""The most that is spent on finding out what changed, and on a checkout that does not stall."""


@frozen
class CheckoutOptions:
    """What the user asked for: address of a repository, a ref of it, its submodules."""

    repo: str = ""
    ref: str = ""
    submodules: bool = False


@frozen
class CheckoutPlan:
    """What is to be checked out, and where. `clean`: what an earlier run left may be removed."""

    remote: Remote
    wanted: CheckoutTarget
    directory: Path
    clean: bool


def plan_checkout(
    options: CheckoutOptions, env: Mapping[str, str], start: Path
) -> CheckoutPlan | None:
    """Say what has to be checked out before anything else; None if the work tree is to be taken
    as it is. Raises UsageError, GitError.
    """
    if options.repo:
        return _at_a_desk(options, env, start)
    if options.ref:
        raise UsageError("--ref says what to check out of --repo, which is not given")
    job = job_checkout(env)
    if job is None or not start.is_relative_to(job.workspace.resolve()):
        return None
    if not job.repository or not HEX_ID.fullmatch(job.commit):
        return None
    if not is_unstarted(job.workspace) and not _is_left_over(job):
        return None
    return CheckoutPlan(
        remote=Remote(job.url, token_settings(env), CHECKOUT_SECONDS),
        wanted=CheckoutTarget(job.ref, job.commit, options.submodules),
        directory=job.workspace,
        clean=True,
    )


def expected_root(start: Path, env: Mapping[str, str]) -> Path:
    """The root of the repository around a directory, also before it is checked out: the next
    directory above with `.git`, or the workspace of the job if nothing is there yet; else `start`.
    """
    job = job_checkout(env)
    workspace = job.workspace.resolve() if job else None
    for directory in (start, *start.parents):
        if (directory / ".git").exists():
            return directory
        if directory == workspace and is_unstarted(directory):
            return directory
    return start


def check_out_plan(plan: CheckoutPlan, say: Callable[[str], None], lock: int | None = None) -> None:
    """Check out. Raises GitError, UsageError; a directory that was empty is empty then.

    `lock`: the file descriptor of a lock, held for as long as a git of this checkout runs.
    """
    inherited = () if lock is None else (lock,)
    wanted, path = plan.wanted, plan.directory
    name = wanted.ref or "the default branch"
    at = f"{wanted.commit[:7]} ({name})" if wanted.commit and wanted.ref else wanted.commit or name
    say(f"checking out {without_password(plan.remote.url)} at {at} into {path}")
    try:
        if plan.clean and not is_unstarted(path):
            give_up(path)
        if is_unstarted(path):
            check_out(path, plan.remote, wanted, inherited)
        else:
            _move(plan, inherited)
    except OSError as error:
        raise GitError(f"the checkout into {path} failed: {error.strerror}") from error


def remote_for(
    env: Mapping[str, str], git: Git | None, options: CheckoutOptions, *, fetch: bool = False
) -> Remote | None:
    """From where commits that a clone lacks may be fetched; None at a desk, where nothing is, but
    for who asks for it (`fetch`).
    """
    job = job_checkout(env)
    if git is None or not (job or options.repo or fetch):
        return None
    origin = git.remote_address()
    url, is_origin = options.repo or origin, True
    if job and job.repository and not _is_of(origin, job.repository):
        # The event speaks of that one, not of the fork that was cloned.
        url, is_origin = job.url, False
    settings = (*settings_of(git.command), *token_settings(env))
    return Remote(url, settings, HISTORY_SECONDS, is_origin) if url else None


def _is_of(url: str, repository: str) -> bool:
    return re.split(r"[/:]", url.removesuffix(".git"))[-2:] == repository.split("/")


def large_files(env: Mapping[str, str], git: Git | None, options: CheckoutOptions) -> Remote | None:
    """From where the content of Git LFS files may be fetched."""
    remote = remote_for(env, git, options, fetch=True)
    return Remote(remote.url, remote.settings, CHECKOUT_SECONDS) if remote else None


def _at_a_desk(options: CheckoutOptions, env: Mapping[str, str], start: Path) -> CheckoutPlan:
    if options.repo.startswith("-"):
        raise UsageError(f"--repo {options.repo} is no address of a repository")
    url = os.path.realpath(options.repo) if Path(options.repo).is_dir() else options.repo
    remote = Remote(url, token_settings(env), CHECKOUT_SECONDS)
    return CheckoutPlan(
        remote=remote,
        wanted=_with_submodules(resolve(remote, options.ref), options),
        directory=start,
        clean=False,
    )


def _with_submodules(wanted: CheckoutTarget, options: CheckoutOptions) -> CheckoutTarget:
    return CheckoutTarget(wanted.ref, wanted.commit, options.submodules)


def directory_for(options: CheckoutOptions, start: Path) -> Path:
    """Where --repo goes if no directory is named: here if here is empty, else as `git clone`.

    Raises UsageError if the address has no last part to name it.
    """
    if is_unstarted(start) or (start / OURS).exists():
        return start
    name = re.split(r"[/:]", options.repo.rstrip("/"))[-1].removesuffix(".git")
    if not name or name.startswith("."):
        raise UsageError(f"--repo {options.repo}: say into which directory with -C")
    return start / name


def _is_left_over(job: JobCheckout) -> bool:
    """True if an earlier job's checkout of ours is in the way: a self-hosted runner keeps it.

    What git was used for since this job began (its event is written then) is this job's own.
    """
    try:
        began = job.event_file.stat().st_mtime_ns
        ours = (job.workspace / OURS).exists()
    except OSError:
        return False
    return ours and began > max(_when(job.workspace / ".git" / name) for name in TOUCHED)


def _when(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _move(plan: CheckoutPlan, inherited: tuple[int, ...]) -> None:
    """Take a checkout of ours at a desk to another commit. Nothing of the user's is lost by it."""
    path = plan.directory
    git = open_git(path)
    if git is None or not (git.root / OURS).exists() or git.root != path.resolve():
        text = f"{path} is not empty, and was not checked out by mlpipe; name another with -C"
        raise UsageError(text)
    ours, theirs = git.remote_url(), without_password(plan.remote.url)
    if ours.removesuffix(".git") != theirs.removesuffix(".git"):
        raise UsageError(f"{path} is a checkout of {ours}, not of {theirs}; name another with -C")
    _refuse_work(git)
    git.command.inherited = inherited
    found = move_to(git.command, plan.remote, plan.wanted)
    (path / OURS).write_text(found, "ascii")


def _refuse_work(git: Git) -> None:
    changed = sorted(git.snapshot().modified)
    if changed:
        raise UsageError(f"{git.root} has changes of its own ({changed[0]}); commit or remove them")
    if not git.command.run("for-each-ref", "--points-at=HEAD", "refs/remotes", "refs/tags").strip():
        raise UsageError(f"{git.root} has commits of its own; push them, or name another with -C")
