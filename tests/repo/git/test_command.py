"""Running git: its environment, and what is said when it fails or is missing."""

import subprocess

import pytest

from mlpipe_ci.core.errors import GitError
from mlpipe_ci.repo.git import clear_local_environment, open_git
from mlpipe_ci.repo.git.command import LOCAL_VARIABLES
from tests.support.git_repository import opened
from tests.support.repository import Repo


def test_what_a_hook_leaves_in_the_environment_is_removed() -> None:
    env = {"GIT_DIR": "/x", "GIT_INDEX_FILE": "/y", "GIT_AUTHOR_NAME": "A", "PATH": "p"}
    clear_local_environment(env)
    assert env == {"GIT_AUTHOR_NAME": "A", "PATH": "p"}


def test_the_local_variables_of_this_git_are_all_known() -> None:
    printed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    )
    assert set(printed.stdout.split()) - {"GIT_CONFIG_COUNT"} <= set(LOCAL_VARIABLES)


def test_a_git_that_is_not_there_is_an_error_with_the_fix(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GitError, match="not on PATH; install it"):
        open_git(repo.root)


def test_a_failing_git_says_what_failed(repo: Repo) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(GitError, match=r"git hash-object failed: .*nothing.*No such file"):
        opened(repo).hash_files(("nothing",))
