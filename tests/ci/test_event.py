"""Events, and the base that follows from them where nothing can be fetched."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mlpipe_ci.ci.event import read_event, refuse_untrusted, with_checkout
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.event import Event
from mlpipe_ci.repo.changes import compare
from mlpipe_ci.repo.git import Git, History, open_git
from tests.support.repository import Repo

ZEROS = "0" * 40


@pytest.fixture
def history(repo: Repo) -> dict[str, str]:
    """main: first, second; topic (from first): topic; merge: of topic into second."""
    ids = {"first": repo.commit({"a": "1"})}
    repo.git("checkout", "-q", "-b", "topic")
    ids["topic"] = repo.commit({"topic.csv": "1"})
    repo.git("checkout", "-q", "main")
    ids["second"] = repo.commit({"main.csv": "1"})
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    ids["merge"] = repo.git("rev-parse", "HEAD")
    repo.git("reset", "-q", "--hard", ids["second"])
    repo.git("update-ref", "refs/remotes/origin/main", ids["second"])
    return ids


def git_of(repo: Repo) -> Git:
    git = open_git(repo.root)
    assert git is not None
    return git


def event(repo: Repo, name: str, payload: Mapping[str, Any], **env: str) -> Event:
    path = repo.root.parent / "event.json"
    path.write_text(json.dumps(payload))
    variables = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "7",
        "GITHUB_REF": "refs/heads/main",
    }
    return with_checkout(read_event(variables | env), git_of(repo))


def at_desk(repo: Repo) -> Event:
    return with_checkout(read_event({}), git_of(repo))


def compared(repo: Repo, found: Event, asked: str | None = None) -> Comparison:
    git = git_of(repo)
    return compare(found, git, History(git, None), asked)


def changes(found: Comparison) -> tuple[tuple[str, str], ...] | None:
    return None if found.changed is None else tuple((c.path, c.change) for c in found.changed)


def test_at_a_desk_the_work_tree_is_compared_with_head(repo: Repo) -> None:
    head = repo.commit({"a": "1"})
    repo.write({"a": "2", "new": "1"})
    found = at_desk(repo)
    assert (found.name, found.head, found.ref) == ("desk", head, "refs/heads/main")
    comparison = compared(repo, found)
    assert (comparison.base, changes(comparison)) == (
        head,
        (("a", "modified"), ("new", "untracked")),
    )
    assert dict(found.attributes)["ref_name"] == "main"
    assert found.scopes == ("local", "main")


def test_without_git_or_commit_nothing_is_known(repo: Repo) -> None:
    assert compare(read_event({}), None, None, None).how == "not a git repository"
    found = compared(repo, at_desk(repo))
    assert (found.base, found.how, found.changed) == (None, "no commit yet", None)


def test_a_base_that_was_asked_for_is_the_merge_base(repo: Repo, history: dict[str, str]) -> None:
    repo.git("checkout", "-q", "topic")
    found = compared(repo, at_desk(repo), "main")
    assert found.base == history["first"]
    assert found.how == "asked for: merge base with main"
    assert changes(found) == (("topic.csv", "added"),)


def test_a_base_that_is_not_there_is_an_error(repo: Repo) -> None:
    repo.commit()
    with pytest.raises(UsageError, match=r"base nope: no such commit here; fetch it"):
        compared(repo, at_desk(repo), "nope")


@pytest.mark.parametrize(
    ("name", "back"),
    [
        *(("HEAD~1", 1), ("HEAD^", 1), ("@~2", 2), ("@^^", 2), ("HEAD", 0), ("@", 0)),
        *(("main~1", 1), ("v1", 2), ("v1~1", 3), ("refs/heads/main~2", 2), ("@{0}", 0)),
        *(("HEAD~1^{commit}", 1), ("other", 3), ("origin/other", 3), ("other~0", 3)),
    ],
)
def test_a_base_means_what_git_means(repo: Repo, name: str, back: int) -> None:
    """Also where the clone knows what HEAD, and branches that it has not, are at its origin."""
    commits = [repo.commit({"a": str(number)}) for number in range(4)]
    repo.git("tag", "v1", commits[1])
    for branch, commit in (("main", commits[0]), ("other", commits[0])):
        repo.git("update-ref", f"refs/remotes/origin/{branch}", commit)
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    found = compared(repo, at_desk(repo), name)
    assert found.base == commits[3 - back]
    assert found.how == f"asked for: {name}"


def test_push(repo: Repo, history: dict[str, str]) -> None:
    told = event(repo, "push", {"before": history["first"]})
    found = compared(repo, told)
    assert (found.base, found.how) == (history["first"], "the commit before this push")
    assert changes(found) == (("main.csv", "added"),)
    assert told.scopes == ("main",)
    assert told.run.url == "https://github.com/o/r/actions/runs/7"


@pytest.mark.parametrize("before", [ZEROS, "1" * 40, None, 5, "--upload-pack=x", "HEAD~1"])
def test_a_push_without_a_usable_before_uses_the_default_branch(
    repo: Repo, history: dict[str, str], before: object
) -> None:
    repo.git("checkout", "-q", "topic")
    told = event(repo, "push", {"before": before}, GITHUB_REF="refs/heads/topic")
    found = compared(repo, told)
    assert found.base == history["first"]
    assert found.how.startswith("merge base with main")
    if before == "1" * 40:
        assert "as the previous push 1111111 is gone" in found.how
    else:
        assert "gone" not in found.how


def pull_request(base_sha: str) -> dict[str, Any]:
    return {"pull_request": {"number": 7, "base": {"ref": "main", "sha": base_sha}}}


def test_a_merge_ref_is_compared_with_its_first_parent(repo: Repo, history: dict[str, str]) -> None:
    repo.git("checkout", "-q", history["merge"])
    payload = pull_request(history["first"])  # where main was when the pull request was opened
    told = event(repo, "pull_request", payload, GITHUB_SHA=history["merge"])
    found = compared(repo, told)
    assert found.base == history["second"]
    assert changes(found) == (("topic.csv", "added"),)
    assert (told.change.pull_request, told.scopes) == (7, ("pr/7", "main"))


def test_without_the_base_branch_the_frozen_base_is_the_last_rung(
    repo: Repo, history: dict[str, str]
) -> None:
    repo.git("checkout", "-q", "topic")
    repo.git("update-ref", "-d", "refs/remotes/origin/main")
    told = event(repo, "pull_request", pull_request(history["second"]))
    found = compared(repo, told)
    assert found.base == history["first"]
    assert found.how == "merge base with main as it was when the pull request was last pushed to"
    assert found.warnings == ("the branch 'main' could not be fetched (nothing is fetched here)",)
    unknown = compared(repo, event(repo, "pull_request", pull_request("HEAD")))
    assert (unknown.base, unknown.changed) == (None, None)


@pytest.mark.parametrize("payload", [{}, {"merge_group": {"base_sha": "main"}}])
def test_a_merge_group_that_does_not_say_its_base(repo: Repo, payload: dict[str, Any]) -> None:
    repo.commit()
    found = compared(repo, event(repo, "merge_group", payload))
    assert found.base is None
    assert "could not be fetched (the event does not name it)" in found.how


def test_the_commit_of_a_run_is_never_the_merge_commit(repo: Repo) -> None:
    head = repo.commit()
    asked = {"pull_request": {"number": 7, "head": {"sha": "a" * 40}}}
    assert event(repo, "pull_request", asked).change.commit == "a" * 40
    pushed = event(repo, "push", {})
    assert (pushed.change.commit, pushed.head) == ("", head)


@pytest.mark.parametrize("payload", ["", "[]", "{", '{"pull_request": 5}', "null"])
def test_a_payload_that_cannot_be_read_is_as_if_empty(repo: Repo, payload: str) -> None:
    repo.commit()
    (repo.root / "event").write_text(payload)
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request"}
    env["GITHUB_EVENT_PATH"] = str(repo.root / "event")
    found = with_checkout(read_event(env), git_of(repo))
    assert (compared(repo, found).base, found.change.pull_request) == (None, None)
    assert found.scopes == ("pr/unknown", "main")


@pytest.mark.parametrize(
    ("ref", "scopes"),
    [
        ("refs/heads/main", ("main",)),
        ("refs/heads/feature/x", ("branch/feature%2Fx", "main")),
        ("refs/heads/..", ("branch/%2E%2E", "main")),
        ("refs/tags/main", ("tag/main", "main")),
        ("refs/heads/" + "ж" * 60, (f"branch/{('%D0%B6' * 17)[:100]}-85e8fc7cf105db9a", "main")),
    ],
)
def test_scopes_follow_from_the_event(repo: Repo, ref: str, scopes: tuple[str, ...]) -> None:
    repo.commit()
    assert event(repo, "push", {}, GITHUB_REF=ref).scopes == scopes


@pytest.mark.parametrize("name", ["pull_request_target", "issue_comment", "workflow_run"])
def test_steps_do_not_run_with_the_rights_of_strangers(repo: Repo, name: str) -> None:
    repo.commit()
    with pytest.raises(UsageError, match=f"not run on '{name}'"):
        refuse_untrusted(event(repo, name, {}), allowed=False)
    refuse_untrusted(event(repo, name, {}), allowed=True)
    refuse_untrusted(event(repo, "push", {}), allowed=False)
