"""Finds where a command works: the repository, and mlpipe's own directories."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.cache import layout
from mlpipe_ci.ci.checkout import (
    CheckoutOptions,
    check_out_plan,
    directory_for,
    expected_root,
    plan_checkout,
)
from mlpipe_ci.ci.event import in_ci
from mlpipe_ci.cli.options import HERE
from mlpipe_ci.core.errors import NoGitError, UsageError
from mlpipe_ci.core.settings import ROOT, STEP, Settings, from_env
from mlpipe_ci.repo.git import Git, open_git
from mlpipe_ci.repo.location import Locations
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.repo.private_directory import CHECKOUT_LOCK, DIRECTORY, STATE
from mlpipe_ci.workflow.workflow_file import WorkflowFile, find_workflow_file


def check_out_and_locate(
    directory: str,
    checkout: CheckoutOptions,
    env: Mapping[str, str],
    say: Callable[[str], None],
) -> Locations:
    """As `find_locations`, after the repository was checked out if nobody else did that.

    Raises UsageError, GitError.
    """
    start = Path(directory).resolve()
    if checkout.repo and directory == HERE:
        start = directory_for(checkout, start)
    needed = plan_checkout(checkout, env, start)
    if needed:
        outside = layout.tree(cache_directory(env), needed.directory)
        with hold(outside / CHECKOUT_LOCK, say) as lock:
            needed = plan_checkout(checkout, env, start)  # another one may have done it meanwhile
            if needed:
                check_out_plan(needed, say, lock)
    return find_locations(str(start), env)


def expected_workflow_file(
    directory: str, file: str | None, env: Mapping[str, str]
) -> WorkflowFile:
    """The workflow file, named as it will be once the repository is there; cannot fail."""
    start = Path(directory).resolve()
    return find_workflow_file(start, file, expected_root(start, env))


def find_locations(directory: str, env: Mapping[str, str]) -> Locations:
    """Find the repository and mlpipe's own directories. Raises UsageError, GitError."""
    start = start_directory(directory)
    git, no_git = find_git(start, env)
    root, cache = git.root if git else start, cache_directory(env)
    outside = layout.tree(cache, root)
    return Locations(
        start=start,
        root=root,
        git=git,
        no_git=no_git,
        private=git.directory / DIRECTORY if git else outside,
        state=(git.common / DIRECTORY if git else outside) / STATE,
        cache=cache,
    )


def refuse_nested(locations: Locations, env: Mapping[str, str]) -> None:
    """Raise UsageError where a step of a run starts another run in the same work tree."""
    if STEP in env and env.get(ROOT) == str(locations.root):
        raise UsageError(
            f"step '{env[STEP]}' runs mlpipe in its own work tree, which would wait for "
            "itself; put those steps into this file, or run the other file on its own"
        )


def find_git(start: Path, env: Mapping[str, str]) -> tuple[Git | None, str]:
    """The work tree around a directory; without git, None and a word about that."""
    try:
        return open_git(start, trusted=in_ci(env)), ""
    except NoGitError as error:
        return None, str(error)


def cache_directory(env: Mapping[str, str]) -> Path:
    """As the environment says, else `mlpipe` in the user's cache directory. Raises UsageError."""
    chosen = from_env(env).cache_dir
    try:
        if chosen:
            return Path(chosen).expanduser().resolve()
        from platformdirs import user_cache_path  # noqa: PLC0415 - 3 ms, if it is not said

        return user_cache_path("mlpipe")
    except (RuntimeError, KeyError) as error:
        name = Settings.cache_dir.name
        raise UsageError(f"no place for the cache: {error}; set {name} to a directory") from error


def start_directory(directory: str) -> Path:
    """The directory that the user is in, or asked for with -C. Raises UsageError."""
    start = Path(directory).resolve()
    if not start.is_dir():
        raise UsageError(f"{directory}: there is no such directory")
    return start
