"""The git of a test repository, opened."""

from mlpipe_ci.repo.git import Git, open_git
from tests.support.repository import Repo


def opened(repo: Repo) -> Git:
    git = open_git(repo.root)
    assert git is not None
    return git
