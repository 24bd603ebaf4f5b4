"""Questions to git, with git: odd names, odd states, odd repositories."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpipe_ci.core.errors import GitError
from mlpipe_ci.repo.git import Difference, Git, open_git
from mlpipe_ci.repo.git.remote import without_password
from tests.support.git_repository import opened
from tests.support.repository import Repo

ODD = ("café.csv", "数据.csv", "tab\there", 'quo"te', "new\nline", "-dash", "end ", "[g]*.csv")


def seen(git: Git) -> tuple[frozenset[str], frozenset[str]]:
    git.forget()
    now = git.snapshot()
    return now.modified, now.untracked


def pairs(found: tuple[Difference, ...]) -> dict[str, str]:
    return {difference.path: difference.change for difference in found}


def test_outside_of_a_repository_there_is_no_git(tmp_path: Path) -> None:
    assert open_git(tmp_path) is None


def test_a_repository_is_found_from_below(repo: Repo) -> None:
    repo.write({"a/b/c": "1"})
    git = open_git(repo.root / "a" / "b")
    assert git is not None
    assert git.root == repo.root
    assert git.directory == git.common == repo.root / ".git"


def test_before_the_first_commit(repo: Repo) -> None:
    git = opened(repo)
    assert (git.head(), git.branch(), list(git.index())) == (None, "refs/heads/main", [])


def test_odd_names_come_back_exactly(repo: Repo) -> None:
    base = repo.commit()
    latin = os.fsdecode(b"latin\xe9.csv")
    (repo.root / latin).write_text("x")
    head = repo.commit(dict.fromkeys(ODD, "x"))
    git = opened(repo)
    assert set(pairs(git.commits.changed(base, head))) == {*ODD, latin}
    assert set(git.index()) == {*ODD, latin}
    for name in (*ODD, latin):
        (repo.root / name).write_text("changed")
    (repo.root / "un\ntracked").write_text("x")
    assert seen(git) == (frozenset({*ODD, latin}), frozenset({"un\ntracked"}))
    assert set(git.hash_files((*ODD, latin))) == {*ODD, latin}


def test_kinds_of_change(repo: Repo) -> None:
    base = repo.commit(
        {"gone": "1", "kept": "1", "old": "same text\n" * 9, "link": "1", "d/x": "1"}
    )
    for name in ("gone", "link", "d/x"):
        (repo.root / name).unlink()
    (repo.root / "d").rmdir()
    (repo.root / "old").rename(repo.root / "renamed")
    (repo.root / "link").symlink_to("kept")
    (repo.root / "kept").chmod(0o755)
    head = repo.commit({"d": "now a file", "new": "1"})
    assert pairs(opened(repo).commits.changed(base, head)) == {
        "gone": "deleted",
        "old": "deleted",
        "renamed": "added",
        "link": "modified",
        "kept": "modified",
        "d/x": "deleted",
        "d": "added",
        "new": "added",
    }


def test_the_work_tree_is_compared_where_there_is_no_head(repo: Repo) -> None:
    base = repo.commit({"a": "1", "b": "1"})
    repo.write({"a": "2"})
    assert opened(repo).changed(base) == (Difference("a", "modified"),)


def test_a_modified_file_has_the_id_that_it_will_have_when_committed(repo: Repo) -> None:
    repo.commit({".gitattributes": "*.txt text eol=crlf\n", "a.txt": "one\r\n"})
    repo.write({"a.txt": "two\r\n", "new.txt": "x\r\n"})
    git = opened(repo)
    before = git.hash_files(("a.txt", "new.txt"))
    repo.commit()
    after = git.index()
    assert before == {
        name: entry.oid for name in ("a.txt", "new.txt") if (entry := after.get(name))
    }


def test_hidden_and_unmerged_entries_are_not_plain(repo: Repo) -> None:
    repo.commit({"hidden": "1", "sparse": "1", "plain": "1", "both": "1"})
    repo.git("update-index", "--assume-unchanged", "hidden")
    repo.git("update-index", "--skip-worktree", "sparse")
    repo.git("checkout", "-q", "-b", "other")
    repo.commit({"both": "2"})
    repo.git("checkout", "-q", "main")
    repo.commit({"both": "3"})
    subprocess.run(["git", "merge", "-q", "other"], cwd=repo.root, check=False, capture_output=True)
    entries = opened(repo).index()
    assert {name for name in entries if (entry := entries.get(name)) and entry.plain} == {"plain"}
    assert [name for name, about in entries.plain_files("") if about] == ["plain"]
    assert opened(repo).snapshot().modified == {"both"}


def test_a_file_that_is_intended_to_be_added_is_modified(repo: Repo) -> None:
    repo.write({"intended": "1"})
    repo.git("add", "-N", "intended")
    assert seen(opened(repo)) == (frozenset({"intended"}), frozenset())


def test_parents_are_known_even_where_they_are_not_here(
    repo: Repo, make_repo: Callable[[str], Repo]
) -> None:
    first = repo.commit({"a": "1"})
    second = repo.commit({"a": "2"})
    shallow = make_repo("shallow")
    shallow.git("fetch", "-q", "--depth=1", repo.root.as_uri(), "main")
    shallow.git("checkout", "-q", "FETCH_HEAD")
    git = opened(shallow)
    assert git.head() == second
    assert git.commits.parents(second) == (first,)
    assert git.commits.commit(first) is None
    assert git.branch() is None


def test_a_worktree_has_a_directory_of_its_own(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "1"})
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    git = open_git(tmp_path / "other")
    assert git is not None
    assert git.directory == repo.root / ".git" / "worktrees" / "other"
    assert git.common == repo.root / ".git"


def test_a_sha256_repository(tmp_path: Path) -> None:
    root = tmp_path / "sha256"
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(root)], check=True)
    repo = Repo(root)
    base = repo.commit({"a": "1"})
    head = repo.commit({"a": "2"})
    assert len(head) == 64
    git = opened(repo)
    assert git.commits.changed(base, head) == (Difference("a", "modified"),)
    assert len(git.hash_files(("a",))["a"]) == 64


def test_names_that_look_like_options_are_refused(repo: Repo) -> None:
    repo.commit({"a": "1"})
    git = opened(repo)
    assert git.commits.commit("--output=x") is None
    for ask in (
        lambda: git.changed("--output=x"),
        lambda: git.commits.changed("HEAD", "HEAD"),
        lambda: git.commits.parents("HEAD"),
        lambda: git.commits.merge_bases("main", "--all"),
    ):
        with pytest.raises(GitError, match="not a commit id"):
            ask()


def test_the_users_git_configuration_changes_nothing(repo: Repo) -> None:
    for name, value in (
        ("diff.external", "/bin/false"),
        ("diff.noprefix", "true"),
        ("diff.renames", "copies"),
        ("status.showUntrackedFiles", "no"),
        ("status.relativePaths", "false"),
        ("core.quotepath", "on"),
        ("color.ui", "always"),
    ):
        repo.git("config", name, value)
    base = repo.commit({"dir/é": "text\n" * 9})
    (repo.root / "dir/é").rename(repo.root / "dir/ö")
    head = repo.commit()
    repo.write({"new": "1"})
    git = opened(repo)
    assert pairs(git.commits.changed(base, head)) == {"dir/é": "deleted", "dir/ö": "added"}
    assert pairs(git.changed(base)) == {"dir/é": "deleted", "dir/ö": "added"}
    assert seen(git) == (frozenset(), frozenset({"new"}))


def test_a_bare_repository_is_explained(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], check=True)
    with pytest.raises(GitError, match="bare repository, which has no files"):
        open_git(tmp_path / "bare")


def test_a_worktree_of_a_bare_repository(repo: Repo, tmp_path: Path) -> None:
    head = repo.commit({"a": "1"})
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    bare = Repo(tmp_path / "bare")
    bare.git("worktree", "add", "-q", str(tmp_path / "tree"), "main")
    git = open_git(tmp_path / "tree")
    assert git is not None
    assert (git.head(), git.root, git.common) == (head, tmp_path / "tree", tmp_path / "bare")


def test_a_path_that_is_a_link_and_one_with_a_line_break(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"sub/a": "1"})
    (tmp_path / "link").symlink_to(repo.root / "sub")
    found = open_git(tmp_path / "link")
    assert found is not None
    assert found.root == repo.root
    odd = tmp_path / "line\nbreak"
    repo.root.rename(odd)
    found = open_git(odd / "sub")
    assert found is not None
    assert (found.root, found.common) == (odd, odd / ".git")


def test_a_submodule_is_a_repository_of_its_own(
    repo: Repo, make_repo: Callable[[str], Repo]
) -> None:
    library = make_repo("library")
    library.commit({"a": "1"})
    allowed = ("-c", "protocol.file.allow=always")
    repo.git(*allowed, "submodule", "--quiet", "add", str(library.root), "lib")
    repo.commit()
    found = open_git(repo.root / "lib")
    assert found is not None
    assert found.root == repo.root / "lib"
    assert found.directory == repo.root / ".git/modules/lib"


def test_what_the_index_alone_can_tell(repo: Repo) -> None:
    repo.commit({"a": "1", "b": "1", ".gitignore": "ignored"})
    repo.write({"a": "22", "new": "1", "ignored": "1"})
    for part in (repo.root / ".git/objects").glob("??/*"):
        part.unlink()
    assert opened(repo).head() is None
    assert seen(opened(repo)) == (frozenset({"a"}), frozenset({"new"}))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host/a?token=x", "https://host/a"),
        ("https://ghp_token@host/a", "https://host/a"),
        ("ssh://git@host/a", "ssh://git@host/a"),
        ("ssh://git:secret@host:22/a", "ssh://git@host:22/a"),
        ("git@host:o/r.git", "git@host:o/r.git"),
        ("/a/q?r", "/a/q?r"),
        ("git+ssh://u:p@host/a", "git+ssh://u@host/a"),
    ],
)
def test_an_address_as_it_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
