"""Publishing: summary, comment and statuses; never a failure of the run."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlpipe_ci.ci.github.publisher import OPEN, Publisher, PublishOptions, close_open, merge
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import Diagnostic as FileFault
from mlpipe_ci.core.errors import GitHubError, WorkflowError
from mlpipe_ci.core.event import CiRun, Event, EventKind, IncomingChange
from mlpipe_ci.core.parts import JobName
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.report import comment
from tests.support.fakes import step, workflow
from tests.support.github_client import PAGE, PERMISSION, SECONDARY, SHA, Clock, bodies, body
from tests.support.servers.github import TOKEN, Fault, Server

RAN = StepOutcome(step=step("train"), status=Status.SUCCEEDED)
RUN = Run(
    workflow=workflow(step("train")),
    comparison=Comparison(how="no base"),
    outcomes=(RAN,),
    seconds=1.0,
)
REUSED = Run(
    workflow=workflow(step("train")),
    comparison=Comparison(how="no base"),
    outcomes=(StepOutcome(step=step("train"), status=Status.REUSED),),
    seconds=1.0,
)
EVENT = Event(
    kind=EventKind.PROPOSAL,
    name="pull_request",
    change=IncomingChange(pull_request=7, commit=SHA),
    run=CiRun(id=5, attempt=1, url="https://github.com/o/r/actions/runs/5"),
)


def environment(server: Server, tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_API_URL": server.url,
        "GITHUB_REPOSITORY": "o/r",
        "MLPIPE_TOKEN": TOKEN,
        "RUNNER_TEMP": str(tmp_path),
        **more,
    }


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock by which nobody has to wait."""
    clock = Clock()
    told = SimpleNamespace(monotonic=clock.now, sleep=clock.sleep)
    monkeypatch.setattr("mlpipe_ci.ci.github.retry.time", told)
    return clock


def published(run: Run, event: Event, env: dict[str, str], **wants: str) -> list[str]:
    said: list[str] = []
    publisher = Publisher(event, env, run.workflow.file, PublishOptions(**wants), said.append)
    publisher.started(run.workflow.name, run.comparison.head)
    publisher.finished(run)
    return said


def test_summary_and_comment_have_the_same_text(server: Server, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    env = environment(server, tmp_path)
    assert published(RUN, EVENT, env) == ["report: https://github.com/o/r/pull/7#issuecomment-1000"]
    (text,) = bodies(server)
    assert text.split("\n", 3)[3] == summary.read_text().removeprefix("before\n")
    assert server.states() == [("mlpipe/demo", "pending"), ("mlpipe/demo", "success")]
    assert {one["commit"] for one in server.statuses} == {SHA}, "the head, not the merge commit"
    assert server.statuses[1]["description"] == "1 ran"
    assert len(server.requests) <= 10
    assert not (tmp_path / OPEN).exists()


def test_without_a_token_or_a_pull_request_nothing_is_posted(
    server: Server, tmp_path: Path
) -> None:
    env = environment(server, tmp_path, MLPIPE_TOKEN="")
    assert published(RUN, EVENT, env) == []
    assert published(RUN, Event(), {"MLPIPE_TOKEN": TOKEN, "GITHUB_API_URL": server.url}) == []
    assert server.requests == []


def test_a_push_finds_the_pull_request_of_its_branch(server: Server, tmp_path: Path) -> None:
    ours = {"repo": {"full_name": "o/r"}}
    request = {"number": 7, "state": "open", "base": ours, "head": {**ours, "sha": SHA}}
    server.pulls = {SHA: [request]}
    main = Event(kind=EventKind.PUSH, name="push", ref="refs/heads/main", sha=SHA, head=SHA)
    event = replace(main, ref="refs/heads/work", change=IncomingChange(target_branch="main"))
    said = published(RUN, event, environment(server, tmp_path))
    assert said == ["report: https://github.com/o/r/pull/7#issuecomment-1000"]
    assert len(server.requests) <= 10
    server.requests.clear()
    assert published(RUN, main, environment(server, tmp_path)) == []
    written = {path for method, path in server.requests if method != "GET"}
    assert written == {f"/repos/o/r/statuses/{SHA}"}


def test_a_status_is_set_at_the_commit_that_is_checked_out(server: Server, tmp_path: Path) -> None:
    pushed = Event(kind=EventKind.PUSH, name="push", ref="refs/heads/main", sha=SHA)
    other = "5" * 40
    env = environment(server, tmp_path)
    run = replace(RUN, comparison=replace(RUN.comparison, head=other))
    published(run, pushed, env, status="steps")
    assert [one["commit"] for one in server.statuses] == [other] * 3
    server.statuses.clear()
    publisher = Publisher(pushed, env, "mlpipe.yml", PublishOptions(), lambda _text: None)
    publisher.could_not_start("demo", GitHubError("no clone"))
    unnamed = Event(kind=EventKind.PROPOSAL, name="pull_request", sha=SHA)
    Publisher(unnamed, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started(
        "demo", None
    )
    assert [one["commit"] for one in server.statuses] == [SHA], "never a merge commit"


@pytest.mark.parametrize(("wants", "new"), [("always", 1), ("changes", 0), ("failure", 0)])
def test_who_wants_no_new_comment_gets_none(
    server: Server, tmp_path: Path, wants: str, new: int
) -> None:
    published(REUSED, EVENT, environment(server, tmp_path), comment=wants)
    assert len(server.comments) == new
    server.comments.clear()
    server.add(body("old", 1))
    published(REUSED, EVENT, environment(server, tmp_path), comment=wants)
    assert "1 reused" in bodies(server)[0], "what is there does not stay out of date"
    server.comments.clear()
    published(REUSED, EVENT, environment(server, tmp_path), comment="never")
    assert bodies(server) == []


def test_a_token_that_may_set_no_status_is_asked_once(server: Server, tmp_path: Path) -> None:
    server.may_write = {"comments"}
    said = published(RUN, EVENT, environment(server, tmp_path))
    assert said == ["report: https://github.com/o/r/pull/7#issuecomment-1000"]
    asked = [method for method, path in server.requests if "statuses" in path]
    assert asked == ["GET", "POST"]
    said = published(RUN, EVENT, environment(server, tmp_path), status="steps")
    assert said[0].startswith("warning: no commit status was set: POST /repos/o/r/statuses/")


def test_each_step_has_a_status_where_that_is_wanted(server: Server, tmp_path: Path) -> None:
    published(RUN, EVENT, environment(server, tmp_path), status="steps")
    assert server.states()[-1] == ("mlpipe/demo/train", "success")
    server.statuses.clear()
    published(RUN, EVENT, environment(server, tmp_path), status="never")
    assert server.statuses == []


def test_a_fork_is_told_where_its_report_is(server: Server, tmp_path: Path) -> None:
    server.may_write = set()
    fork = replace(EVENT, trusted=False)
    said = published(RUN, fork, environment(server, tmp_path))
    assert "not accessible" in said[0]
    assert said[1] == "a fork's token may only read; see 'Forks' in the README"
    assert "1 ran" in (tmp_path / "summary.md").read_text()


def test_a_workflow_that_cannot_start_is_told_too(server: Server, tmp_path: Path) -> None:
    diagnostic = FileFault(file="mlpipe.yml", line=3, column=5, message="unknown key '@all'")
    publisher = Publisher(
        EVENT, environment(server, tmp_path), "mlpipe.yml", PublishOptions(), lambda _text: None
    )
    publisher.could_not_start("demo", WorkflowError((diagnostic,)))
    (text,) = bodies(server)
    assert "demo: could not start" in text
    assert "```text\nmlpipe.yml:3:5: unknown key '@all'\n```" in text
    assert server.states() == [("mlpipe/demo", "error")]


def test_a_status_whose_answer_was_lost_is_closed_too(server: Server, tmp_path: Path) -> None:
    env = environment(server, tmp_path)
    server.faults = {"POST": [Fault(cut=True, done=True), Fault(422, "{}")]}
    Publisher(EVENT, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started("demo", None)
    assert server.states() == [("mlpipe/demo", "pending")]
    assert "closed" in close_open(env)
    server.may_write = set()
    Publisher(EVENT, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started("demo", None)
    assert close_open(env) == "", "who may not open one has nothing to close"


def test_a_status_that_was_left_open_is_closed(server: Server, tmp_path: Path) -> None:
    env = environment(server, tmp_path)
    Publisher(EVENT, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started("demo", None)
    assert (tmp_path / OPEN).exists()
    assert "closed" in close_open(env)
    assert server.states() == [("mlpipe/demo", "pending"), ("mlpipe/demo", "error")]
    assert close_open(env) == "", "once"


@pytest.mark.parametrize(
    "fault",
    [
        PERMISSION,
        Fault(401, "{}"),
        Fault(404, "{}"),
        Fault(409, "{}"),
        Fault(410, "{}"),
        Fault(422, "{}"),
        Fault(429, "{}", (("Retry-After", "900"),)),
        Fault(403, SECONDARY),
        Fault(502, PAGE),
        Fault(cut=True),
        Fault(502, PAGE, done=True),
        Fault(cut=True, done=True),
    ],
)
def test_no_fault_is_more_than_a_warning(
    server: Server, tmp_path: Path, fault: Fault, patience: Clock
) -> None:
    server.faults = {method: [fault] * 20 for method in ("GET", "POST", "PATCH", "DELETE")}
    said = published(RUN, EVENT, environment(server, tmp_path))
    assert all(text.startswith("warning: ") for text in said if "\n" not in text)
    assert sum(patience.slept) <= 130
    assert len(server.comments) <= 1
    assert "1 ran" in (tmp_path / "summary.md").read_text()


def test_what_cannot_be_posted_is_a_warning(server: Server, tmp_path: Path) -> None:
    env = environment(server, tmp_path, MLPIPE_TOKEN="wrong")
    env["GITHUB_STEP_SUMMARY"] = str(tmp_path / "no" / "such" / "directory")
    refused = (
        "GET /repos/o/r/issues/7/comments: 401 Bad credentials; "
        "the token is not valid, or has expired"
    )
    assert published(RUN, EVENT, env) == [
        "warning: the job summary was not written: No such file or directory",
        f"warning: the pull request comment was not posted: {refused}",
    ]


def leg(label: str, run: int = 5, attempt: int = 1, commit: str = SHA) -> Event:
    """What a leg of a matrix is started with. Its label is an option: see `published`."""
    ran = replace(EVENT.run, id=run, attempt=attempt, job=JobName(workflow="ml.yml", job="train"))
    return replace(EVENT, run=ran, change=replace(EVENT.change, commit=commit))


BROKEN = replace(RUN, outcomes=(replace(RAN, status=Status.FAILED),))


@pytest.mark.parametrize("order", [("a", "b", "c"), ("b", "a", "c"), ("c", "a", "b")])
def test_legs_are_one_comment_and_one_status(
    server: Server, tmp_path: Path, order: tuple[str, ...], patience: Clock
) -> None:
    env = environment(server, tmp_path)
    for label in order:
        published(BROKEN if label == "b" else RUN, leg(label), env, label=label)
    (text,) = bodies(server)
    assert "### ❌ demo: 1 of 3 jobs failed\n\n#### ❌ train (b)\n" in text
    assert "✅ <b>train (a)</b>: 1 ran" in text
    assert "✅ <b>train (c)</b>: 1 ran" in text
    assert server.states()[-1] == ("mlpipe/demo", "failure")
    assert server.statuses[-1]["description"].startswith("1 of 3 jobs failed")
    published(RUN, leg("b", attempt=2), env, label="b")
    assert server.states()[-1] == ("mlpipe/demo", "success")
    assert server.statuses[-1]["description"] == "3 jobs succeeded"
    assert "### ✅ demo: 3 jobs succeeded" in bodies(server)[0]


def test_a_running_leg_keeps_the_status_pending(server: Server, tmp_path: Path) -> None:
    env = environment(server, tmp_path)
    wants = PublishOptions(label="slow", comment="never")
    slow = Publisher(leg("slow"), env, "mlpipe.yml", wants, lambda _text: None)
    slow.started("demo", None)
    published(RUN, leg("quick"), env, label="quick", comment="never")
    assert server.states()[-1] == ("mlpipe/demo", "pending")
    assert server.statuses[-1]["description"] == "1 of 2 jobs running"
    slow.finished(RUN)
    assert server.states()[-1] == ("mlpipe/demo", "success")


def test_the_next_push_starts_anew_and_an_older_run_changes_nothing(
    server: Server, tmp_path: Path, patience: Clock
) -> None:
    env = environment(server, tmp_path)
    published(BROKEN, leg("a"), env, label="a")
    other = "6" * 40
    published(RUN, leg("b", run=6, commit=other), env, label="b")
    (text,) = bodies(server)
    assert "train (a)" not in text
    said = published(BROKEN, leg("a", attempt=2), env, label="a")
    assert said[-1].startswith("the report of a newer run stays as it is")
    assert bodies(server) == [text]
    assert server.statuses[-1]["state"] == "failure", "that is of its own commit"


def test_who_wrote_at_the_same_time_is_seen_afterwards(
    server: Server, tmp_path: Path, patience: Clock
) -> None:
    """Another leg, which has read the comment before us, writes after us."""
    published(RUN, leg("a"), environment(server, tmp_path), label="a")
    (known,) = bodies(server)
    stale = merge("mlpipe.yml", (known,), comment.read(body("of c", label="c"))).bodies[0]
    patched: list[str] = []

    def late(method: str, _path: str) -> None:
        if method == "GET" and patched == ["PATCH"]:
            patched.append("late")
            (one,) = server.comments.values()
            one["body"] = stale
        elif method == "PATCH":
            patched.append(method)

    server.before = late
    published(BROKEN, leg("b"), environment(server, tmp_path), label="b")
    (text,) = bodies(server)
    assert all(words in text for words in ("train (a)", "train (b)", "of c"))
    assert patience.slept
