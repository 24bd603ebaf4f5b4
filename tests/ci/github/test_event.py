"""GitHub's variables and payloads as facts, event by event."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.ci.event import read_event
from mlpipe_ci.ci.github.event import read as read_github
from mlpipe_ci.core.event import CiRun, Event, EventKind, FinishedRun, IncomingChange
from tests.support.github_runner import examples

HEAD, BASE, SHA, ZEROS = "a" * 40, "b" * 40, "c" * 40, "0" * 40
REPOSITORY = {"default_branch": "trunk", "full_name": "o/r"}
RUN_URL = "https://github.example/o/r/actions/runs/7"


def read(tmp_path: Path, name: str, payload: object, ref: str = "refs/heads/trunk") -> Event:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(payload))
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REF": ref,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_RUN_ID": "7",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_SHA": SHA,
    }
    return read_github(env)


def request(source: str | None = "o/r", **more: Any) -> dict[str, Any]:
    """A pull request; `source` is the repository of its head, None if that is gone."""
    head = {"sha": HEAD, "repo": source and {"full_name": source}}
    base = {"ref": "trunk", "sha": BASE, "repo": {"full_name": "o/r"}}
    return {"number": 5, "head": head, "base": base, "commits": 3, "merged": False, **more}


def proposal(**more: Any) -> IncomingChange:
    facts = {"target_branch": "trunk", "before": BASE, "commit": HEAD, "merge_commit": SHA}
    return IncomingChange(**{**facts, "pull_request": 5, **more})


MERGE = "refs/pull/5/merge"
CHANGES: dict[str, tuple[str, str, dict[str, Any], EventKind, IncomingChange]] = {
    "pull request": (
        "pull_request",
        MERGE,
        {"action": "opened", "pull_request": request()},
        EventKind.PROPOSAL,
        proposal(),
    ),
    "pull request of one commit": (
        "pull_request",
        MERGE,
        {"action": "synchronize", "before": ZEROS, "pull_request": request(commits=1)},
        EventKind.PROPOSAL,
        proposal(is_one_commit=True),
    ),
    "pull request with another target": (
        "pull_request",
        MERGE,
        {"changes": {"base": {"ref": {"from": "old"}}}, "pull_request": request()},
        EventKind.PROPOSAL,
        proposal(is_retargeted=True),
    ),
    "pull request that was merged": (
        "pull_request",
        MERGE,
        {"action": "closed", "pull_request": request(merged=True)},
        EventKind.PROPOSAL,
        proposal(state="merged"),
    ),
    "pull request that was closed": (
        "pull_request",
        MERGE,
        {"action": "closed", "pull_request": request()},
        EventKind.PROPOSAL,
        proposal(state="closed"),
    ),
    "review": (
        "pull_request_review",
        MERGE,
        {"action": "submitted", "pull_request": request()},
        EventKind.PROPOSAL,
        proposal(),
    ),
    "pull request with the target's rights": (
        "pull_request_target",
        "refs/heads/trunk",
        {"action": "opened", "pull_request": request()},
        EventKind.PROPOSAL,
        proposal(merge_commit=""),
    ),
    "push to the default branch": (
        "push",
        "refs/heads/trunk",
        {"before": BASE, "commits": [{}], "forced": False, "repository": REPOSITORY},
        EventKind.PUSH,
        IncomingChange(before=BASE, is_one_commit=True),
    ),
    "forced push to another branch": (
        "push",
        "refs/heads/topic",
        {"before": BASE, "commits": [{}], "forced": True, "repository": REPOSITORY},
        EventKind.PUSH,
        IncomingChange(before=BASE, target_branch="trunk"),
    ),
    "push that does not name the default branch": (
        "push",
        "refs/heads/main",
        {"before": 5, "commits": [{}, {}]},
        EventKind.PUSH,
        IncomingChange(),
    ),
    "push of a tag": (
        "push",
        "refs/tags/v1",
        {"before": ZEROS, "repository": REPOSITORY},
        EventKind.TAG,
        IncomingChange(),
    ),
    "release": (
        "release",
        "refs/tags/v1",
        {"action": "published"},
        EventKind.TAG,
        IncomingChange(),
    ),
    "release of a draft": ("release", "", {"action": "created"}, EventKind.TAG, IncomingChange()),
    "dispatch on a tag": ("workflow_dispatch", "refs/tags/v1", {}, EventKind.TAG, IncomingChange()),
    "dispatch": ("workflow_dispatch", "refs/heads/x", {}, EventKind.OTHER, IncomingChange()),
    "merge queue": (
        "merge_group",
        "refs/heads/gh-readonly-queue/trunk/pr-5",
        {"merge_group": {"base_sha": BASE, "head_sha": HEAD}},
        EventKind.QUEUE,
        IncomingChange(before=BASE),
    ),
    "schedule": (
        "schedule",
        "refs/heads/trunk",
        {"schedule": "0 4 * * *"},
        EventKind.OTHER,
        IncomingChange(),
    ),
    "closed issue": (
        "issues",
        "refs/heads/x",
        {"action": "closed"},
        EventKind.OTHER,
        IncomingChange(),
    ),
    "finished workflow": (
        "workflow_run",
        "refs/heads/trunk",
        {"workflow_run": {"head_sha": HEAD}},
        EventKind.OTHER,
        IncomingChange(commit=HEAD),
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_the_event_brings(tmp_path: Path, case: str) -> None:
    name, ref, payload, kind, change = CHANGES[case]
    event = read(tmp_path, name, payload, ref)
    assert (event.kind, event.change) == (kind, change)
    assert (event.name, event.ref, event.sha, event.repository) == (name, ref, SHA, "o/r")
    assert event.head is None, "nobody has asked git"
    assert event.is_proposed_change == (kind in {EventKind.PROPOSAL, EventKind.QUEUE})


@pytest.mark.parametrize(
    ("name", "payload", "trusted", "refused"),
    [
        ("push", {}, True, False),
        ("pull_request", {"pull_request": request()}, True, False),
        ("pull_request", {"pull_request": request("O/R")}, True, False),
        ("pull_request", {"pull_request": request("fork/r")}, False, False),
        ("pull_request", {"pull_request": request(None)}, False, False),
        ("pull_request", {"pull_request": 5}, False, False),
        ("pull_request_target", {"pull_request": request()}, False, True),
        ("issue_comment", {}, False, True),
        ("workflow_run", {"workflow_run": {}}, False, True),
    ],
)
def test_who_is_trusted(
    tmp_path: Path, name: str, payload: object, trusted: bool, refused: bool
) -> None:
    event = read(tmp_path, name, payload)
    assert (event.trusted, f"not run on '{name}'" in event.refusal) == (trusted, refused)


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("push", {"before": BASE, "after": HEAD}, ""),
        ("push", {"after": ZEROS, "ref": "refs/heads/x"}, "refs/heads/x was deleted"),
        ("push", {"deleted": True}, "refs/heads/trunk was deleted"),
        (
            "pull_request",
            {"action": "closed", "pull_request": request(merged=True)},
            "pull request #5 is merged",
        ),
        (
            "pull_request",
            {"action": "closed", "pull_request": request()},
            "pull request #5 is closed",
        ),
        ("pull_request_target", {"action": "closed", "pull_request": request()}, ""),
        ("milestone", {"action": "closed"}, ""),
    ],
)
def test_where_there_is_nothing_to_run(
    tmp_path: Path, name: str, payload: object, why: str
) -> None:
    found = read(tmp_path, name, payload).nothing_to_run
    assert found == (f"{why}: there is nothing to run" if why else "")


FINISHED = {"id": 3, "run_attempt": 4, "html_url": "https://x/3", "head_branch": "topic"}
FORK = {"full_name": "ann/r", "owner": {"login": "ann"}}


@pytest.mark.parametrize(
    ("payload", "finished"),
    [
        ({}, None),
        ({"workflow_run": 5}, None),
        ({"workflow_run": {}}, FinishedRun(id=7, attempt=2, url=RUN_URL)),
        (
            {"workflow_run": {**FINISHED, "head_repository": FORK}},
            FinishedRun(
                id=3, attempt=4, url="https://x/3", owner="ann", branch="topic", is_fork=True
            ),
        ),
        (
            {"workflow_run": {**FINISHED, "head_repository": {"full_name": "O/R"}}},
            FinishedRun(id=3, attempt=4, url="https://x/3", branch="topic"),
        ),
    ],
)
def test_the_run_and_the_one_that_it_follows(
    tmp_path: Path, payload: object, finished: FinishedRun | None
) -> None:
    run = read(tmp_path, "workflow_run", payload).run
    assert run == CiRun(id=7, attempt=2, url=RUN_URL, finished=finished)


@pytest.mark.parametrize(
    ("name", "payload", "trigger"),
    [
        ("push", {"schedule": "0 4 * * *"}, ""),
        ("schedule", {"schedule": "0 4 * * *"}, "schedule 0 4 * * *"),
        ("schedule", {}, "schedule"),
        (
            "repository_dispatch",
            {"action": "new\nж", "client_payload": {"b": 1, "a": "\n"}},
            'repository_dispatch new\\n\\u0436 {"a": "\\n", "b": 1}',
        ),
        ("repository_dispatch", {}, "repository_dispatch  {}"),
    ],
)
def test_what_started_a_run_without_a_commit(
    tmp_path: Path, name: str, payload: object, trigger: str
) -> None:
    assert read(tmp_path, name, payload).run.trigger == trigger


def test_a_user_has_the_whole_payload_in_expressions(tmp_path: Path) -> None:
    payload = {"client_payload": {"etag": "1"}}
    context = dict(read(tmp_path, "repository_dispatch", payload).attributes)
    assert context["event"] == payload
    assert (context["event_name"], context["sha"]) == ("repository_dispatch", SHA)


def test_each_of_githubs_examples_is_read(tmp_path: Path) -> None:
    kinds = {
        name: {read(tmp_path, name, one).kind for one in bodies}
        for name, bodies in examples().items()
    }
    assert {
        name: next(iter(found)) for name, found in kinds.items() if found != {EventKind.OTHER}
    } == {
        "merge_group": EventKind.QUEUE,
        "pull_request": EventKind.PROPOSAL,
        "pull_request_review": EventKind.PROPOSAL,
        "pull_request_review_comment": EventKind.PROPOSAL,
        "pull_request_review_thread": EventKind.PROPOSAL,
        "push": EventKind.PUSH,
        "release": EventKind.TAG,
    }


def test_without_a_ci_system_it_is_the_event_of_a_desk() -> None:
    assert read_event({"GITHUB_REF": "refs/heads/x"}) == Event()
