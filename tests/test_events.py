"""Events: head, base and how it was chosen, from GitHub's variables and payloads."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from conftest import Repo

from mlpipe_ci.errors import UsageError
from mlpipe_ci.events import Event, changed_paths, read_event, refuse_untrusted
from mlpipe_ci.git import Git, open_git

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
    return read_event(variables | env, git_of(repo))


def test_at_a_desk_the_work_tree_is_compared_with_head(repo: Repo) -> None:
    head = repo.commit({"a": "1"})
    repo.write({"a": "2", "new": "1"})
    found = read_event({}, git_of(repo))
    assert (found.name, found.base, found.ref) == ("desk", head, "refs/heads/main")
    assert changed_paths(found, git_of(repo)) == (("a", "modified"), ("new", "untracked"))
    assert dict(found.attributes)["ref_name"] == "main"
    assert found.scopes == ("local", "main")


def test_without_git_or_commit_nothing_is_known(repo: Repo) -> None:
    assert read_event({}, None).how == "not a git repository"
    found = read_event({}, git_of(repo))
    assert (found.base, found.how) == (None, "no commit yet")
    assert changed_paths(found, git_of(repo)) is None


def test_a_base_that_was_asked_for_is_the_merge_base(repo: Repo, history: dict[str, str]) -> None:
    repo.git("checkout", "-q", "topic")
    found = read_event({}, git_of(repo), "main")
    assert found.base == history["first"]
    assert found.how == "asked for: merge base with main"
    assert changed_paths(found, git_of(repo)) == (("topic.csv", "added"),)


def test_a_base_that_is_not_there_is_an_error(repo: Repo) -> None:
    repo.commit()
    with pytest.raises(UsageError, match=r"--base nope: no such commit here; fetch it"):
        read_event({}, git_of(repo), "nope")


def test_push(repo: Repo, history: dict[str, str]) -> None:
    found = event(repo, "push", {"before": history["first"]})
    assert (found.base, found.how) == (history["first"], "the commit before this push")
    assert changed_paths(found, git_of(repo)) == (("main.csv", "added"),)
    assert found.scopes == ("main",)
    assert found.run_url == "https://github.com/o/r/actions/runs/7"


@pytest.mark.parametrize("before", [ZEROS, "1" * 40, None, 5, "--upload-pack=x"])
def test_a_push_without_a_usable_before_uses_the_default_branch(
    repo: Repo, history: dict[str, str], before: object
) -> None:
    repo.git("checkout", "-q", "topic")
    found = event(repo, "push", {"before": before}, GITHUB_REF="refs/heads/topic")
    assert (found.base, found.how) == (history["first"], "merge base with the default branch")


def test_the_first_push_of_the_default_branch_has_no_base(repo: Repo) -> None:
    repo.commit({"a": "1"})
    found = event(repo, "push", {"before": ZEROS})
    assert found.base is None
    assert changed_paths(found, git_of(repo)) is None


def pull_request(base_sha: str) -> dict[str, Any]:
    return {"pull_request": {"number": 7, "base": {"ref": "main", "sha": base_sha}}}


def test_a_merge_ref_is_compared_with_its_first_parent(repo: Repo, history: dict[str, str]) -> None:
    repo.git("checkout", "-q", history["merge"])
    payload = pull_request(history["first"])  # where main was when the pull request was opened
    found = event(repo, "pull_request", payload, GITHUB_SHA=history["merge"])
    assert found.base == history["second"]
    assert changed_paths(found, git_of(repo)) == (("topic.csv", "added"),)
    assert (found.pull_request, found.scopes) == (7, ("pr/7", "main"))


def test_a_shallow_merge_ref_says_what_is_missing(repo: Repo, history: dict[str, str]) -> None:
    repo.git("update-ref", "refs/heads/merged", history["merge"])
    shallow = Repo(repo.root.parent / "shallow")
    url = repo.root.as_uri()
    repo.git("clone", "-q", "--depth=1", "--branch", "merged", url, str(shallow.root))
    payload = pull_request(history["first"])
    found = event(shallow, "pull_request", payload, GITHUB_SHA=history["merge"])
    assert found.base is None
    assert "fetch-depth: 2" in found.how
    assert changed_paths(found, git_of(shallow)) is None


def test_a_pull_requests_head_is_compared_with_the_merge_base(
    repo: Repo, history: dict[str, str]
) -> None:
    repo.git("checkout", "-q", "topic")
    found = event(repo, "pull_request", pull_request(history["second"]))
    assert (found.base, found.how) == (history["first"], "merge base with main")


def test_a_merge_group_and_events_that_name_no_commit(repo: Repo, history: dict[str, str]) -> None:
    found = event(repo, "merge_group", {"merge_group": {"base_sha": history["first"]}})
    assert found.base == history["first"]
    for name in ("schedule", "workflow_dispatch", "made_up"):
        found = event(repo, name, {})
        assert (found.base, found.how) == (None, f"'{name}' names no commit to compare with")


@pytest.mark.parametrize("payload", ["", "[]", "{", '{"pull_request": 5}', "null"])
def test_a_payload_that_cannot_be_read_is_as_if_empty(repo: Repo, payload: str) -> None:
    repo.commit()
    (repo.root / "event").write_text(payload)
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request"}
    found = read_event(env | {"GITHUB_EVENT_PATH": str(repo.root / "event")}, git_of(repo))
    assert (found.base, found.pull_request) == (None, None)
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
        refuse_untrusted(event(repo, name, {}))
    refuse_untrusted(event(repo, "push", {}))
