"""A second git directory has the same commit, index and branches, and leads back to nothing."""

import subprocess
from pathlib import Path

import pytest

from mlpipe_ci.repo.git import Git, open_git, second_directory
from tests.support.repository import Repo


def second(repo: Repo, tmp_path: Path) -> Repo:
    """A copy of the work tree with a git directory of its own."""
    git = open_git(repo.root)
    assert git is not None
    copy = Repo(tmp_path / "copy")
    copy.root.mkdir()
    tracked = repo.git("ls-files").splitlines()
    copy.write({path: (repo.root / path).read_bytes() for path in tracked})
    second_directory(git, copy.root)
    return copy


def same(repo: Repo, copy: Repo) -> None:
    for words in (
        ["rev-parse", "HEAD"],
        ["log", "--format=%s", "--all"],
        ["for-each-ref"],
        ["ls-files", "-s"],
        ["status", "--porcelain"],
        ["rev-parse", "--abbrev-ref", "HEAD"],
    ):
        assert copy.git(*words) == repo.git(*words)
    opened = open_git(copy.root)
    assert isinstance(opened, Git)
    assert opened.root == copy.root.resolve()


def test_branches_tags_and_what_is_staged(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "1\n", "b": "2\n"}, "one")
    repo.git("tag", "v1")
    repo.git("branch", "other")
    repo.git("pack-refs", "--all")
    repo.commit({"a": "2\n"}, "two")
    repo.git("branch", "new")
    repo.write({"b": "edited\n", "c": "staged\n"})
    repo.git("add", "c")
    same(repo, second(repo, tmp_path))


def test_a_detached_head_and_a_shallow_clone(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "1\n"}, "one")
    repo.commit({"a": "2\n"}, "two")
    url = f"file://{repo.root}"
    repo.git("clone", "-q", "--depth", "1", url, str(tmp_path / "shallow"))
    shallow = Repo(tmp_path / "shallow")
    shallow.git("checkout", "-q", "--detach")
    same(shallow, second(shallow, tmp_path))


def test_settings_that_count_are_there_and_no_other(repo: Repo, tmp_path: Path) -> None:
    clean = 'sed "s/x\\\\t/y/"; true # "quoted"\nnext'
    repo.git("config", "filter.a b.clean", clean)
    repo.git("config", "core.autocrlf", "input")
    repo.git("config", "core.worktree", str(repo.root))
    repo.git("config", "remote.origin.url", "https://user:secret@example.invalid/r")
    repo.git("config", "alias.x", "!rm -rf /")
    repo.commit({"a": "1\n"})
    copy = second(repo, tmp_path)
    assert copy.git("config", "filter.a b.clean") == clean
    assert copy.git("config", "core.autocrlf") == "input"
    listed = copy.git("config", "--local", "--list")
    assert "secret" not in listed
    assert "alias" not in listed
    assert "worktree" not in listed
    assert copy.git("rev-parse", "--show-toplevel") == str(copy.root.resolve())


def test_what_is_done_in_the_copy_is_not_done_here(repo: Repo, tmp_path: Path) -> None:
    head = repo.commit({"a": "1\n"})
    copy = second(repo, tmp_path)
    copy.commit({"a": "2\n"})
    copy.git("tag", "there")
    copy.git("gc", "-q")
    assert repo.git("rev-parse", "HEAD") == head
    assert repo.git("tag") == ""
    assert repo.git("status", "--porcelain") == ""
    repo.git("fsck")


def test_a_repository_with_sha256(tmp_path: Path) -> None:
    root = tmp_path / "sha256"
    root.mkdir()
    made = subprocess.run(["git", "init", "-q", "--object-format=sha256"], cwd=root, check=False)
    if made.returncode:
        pytest.skip("this git has no sha256")
    repo = Repo(root)
    repo.commit({"a": "1\n"})
    same(repo, second(repo, tmp_path))
