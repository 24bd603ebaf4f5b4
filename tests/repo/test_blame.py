"""Which commit a reason names, with real git."""

from mlpipe_ci.ci.event import read_event, with_checkout
from mlpipe_ci.repo.blame import SUBJECT, CommitAttribution, describe_commit
from mlpipe_ci.repo.changes import compare
from mlpipe_ci.repo.git import History, open_git
from tests.support.repository import Repo


def attribution(repo: Repo, base: str | None = None) -> CommitAttribution:
    git = open_git(repo.root)
    assert git is not None
    history = History(git, None)
    event = with_checkout(read_event({}), git)
    return CommitAttribution(event, compare(event, git, history, base), git, history)


def test_the_commit_that_gave_a_file_its_content_is_named(repo: Repo) -> None:
    base = repo.commit({"a": "1", "b": "1"})
    second = repo.commit({"a": "2"})
    repo.commit({"b": "2"})
    found = attribution(repo, base)
    assert found.name("a").startswith(f" ({second[:7]} ")
    assert found.name("nothing") == ""


def test_no_commit_is_blamed_for_what_it_did_not_leave(repo: Repo) -> None:
    base = repo.commit({"a": "1", "b": "1", "c": "1", ".gitignore": ""})
    repo.commit({"a": "2", "b": "2"})
    repo.git("rm", "-q", "--cached", "c")
    third = repo.commit({".gitignore": "c\n"})
    repo.write({"a": "3"})
    (repo.root / "b").unlink()
    found = attribution(repo, base)
    assert found.name("a") == ""
    assert found.name("b") == ""
    assert found.name("c") == "", "it left git, and is here as a step has written it"
    (repo.root / "c").unlink()
    assert attribution(repo, base).name("c").startswith(f" ({third[:7]} ")


def test_a_long_subject_is_cut() -> None:
    assert describe_commit("1" * 40, "") == " (1111111)"
    text = describe_commit("1" * 40, "x" * 100)
    assert len(text) == len(' (1111111 "")') + SUBJECT
