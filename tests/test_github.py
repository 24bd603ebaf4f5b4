"""Posting to GitHub, against a real server on loopback: converging, bounded, never fatal."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openapi
import pytest
from fakes import step, workflow
from github_server import TOKEN, Fault, Server, serve

from mlpipe_ci.ci.github import comments, pulls, statuses
from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.publisher import OPEN, Publisher, PublishOptions, close_open
from mlpipe_ci.ci.github.retry import RetryBudget, asked_to_wait
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import Diagnostic as FileFault
from mlpipe_ci.core.errors import GitHubError, WorkflowError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.report import markdown

MARKER = "<!-- mlpipe:report key=mlpipe.yml v=1 -->"
SHA = "4be1c02" + "0" * 33


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


class Clock:
    """Time goes by when somebody waits, and as it does."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def client(server: Server, token: str = TOKEN, clock: Clock | None = None) -> Client:
    clock = clock or Clock()
    return Client(server.url, "o/r", token, RetryBudget(now=clock.now, sleep=clock.sleep))


def body(text: str, run: int = 5, attempt: int = 1) -> str:
    return f"{MARKER}\n{markdown.run_marker(run, attempt)}\n{text}"


def post(server: Server, text: str, **fields: Any) -> comments.Posted:
    return comments.upsert_comment(client(server), 7, MARKER, (text,), markdown.run_of, **fields)


def bodies(server: Server) -> list[str]:
    return [one["body"] for one in server.comments.values()]


# -- one comment ---------------------------------------------------------------------------------


def test_a_comment_is_created_and_then_updated(server: Server) -> None:
    there = comments.Posted(url="https://github.com/o/r/pull/7#issuecomment-1000")
    assert post(server, body("one")) == there
    assert post(server, body("two")) == there
    assert bodies(server) == [body("two")]
    assert [method for method, _ in server.requests] == ["GET", "POST", "GET", "GET", "PATCH"]


def test_an_equal_comment_is_not_posted_again(server: Server) -> None:
    server.add(body("one").replace("\n", "\r\n"))
    post(server, body("one"))
    assert {method for method, _ in server.requests} == {"GET"}


def test_our_comment_is_found_on_a_later_page(server: Server) -> None:
    for n in range(70):
        server.add(f"comment {n}", "somebody")
    ours = server.add(body("old"))
    post(server, body("new"))
    assert server.comments[ours]["body"] == body("new")
    assert len(server.comments) == 71


def test_anothers_comment_with_our_marker_is_left_alone(server: Server) -> None:
    theirs = server.add(body("forged"), "mallory")
    quoted = server.add(f"> {MARKER}\nquoted")
    other = server.add(body("other workflow").replace("mlpipe.yml", "b.yml"))
    post(server, body("ours"))
    assert server.comments[theirs]["body"].endswith("forged")
    assert server.comments[quoted]["body"].endswith("quoted")
    assert server.comments[other]["body"].endswith("other workflow")
    assert len(server.comments) == 4


def test_the_oldest_of_ours_stays_and_the_others_go(server: Server) -> None:
    first = server.add(body("a", 3))
    server.add("between", "somebody")
    for text in "bc":
        server.add(body(text, 4))
    post(server, body("new", 5))
    assert bodies(server) == [body("new", 5), "between"]
    assert server.comments[first]["body"] == body("new", 5)


@pytest.mark.parametrize(("run", "attempt"), [(6, 1), (5, 2)])
def test_a_newer_run_is_not_overwritten(server: Server, run: int, attempt: int) -> None:
    server.add(body("newer", run, attempt))
    posted = post(server, body("older", 5, 1))
    assert bodies(server) == [body("newer", run, attempt)]
    assert not posted.ours


def test_no_new_comment_where_none_is_wanted(server: Server) -> None:
    assert post(server, body("x"), create=False) == comments.Posted(ours=False)
    assert bodies(server) == []
    server.add(body("old", 1))
    assert post(server, body("x"), create=False).ours
    assert bodies(server) == [body("x")]


def test_a_persons_token_finds_the_persons_comment(server: Server) -> None:
    server.login = "ann"
    ours = server.add(body("old", 1), "ann")
    post(server, body("new"))
    assert server.comments[ours]["body"] == body("new")
    assert len(server.comments) == 1


def test_an_apps_token_knows_itself_by_what_it_posts(server: Server) -> None:
    server.login = "our-app[bot]"
    server.faults = {"GET /user": [Fault(403, '{"message": "Resource not accessible"}')] * 9}
    server.add(body("forged", 1), "mallory")
    post(server, body("one", 4))
    post(server, body("two", 5))
    ours = [c["body"] for c in server.comments.values() if c["user"]["login"] == "our-app[bot]"]
    assert ours == [body("two", 5)]


def test_many_that_race_leave_one_comment_of_the_newest(server: Server) -> None:
    gate = threading.Barrier(2, timeout=10)
    arrived: list[str] = []

    def both_see_nothing(method: str, _path: str) -> None:
        if method == "GET" and len(arrived) < 2:
            arrived.append(method)
            gate.wait()

    server.before = both_see_nothing
    found: list[comments.Posted] = []
    racers = [
        threading.Thread(target=lambda r=run: found.append(post(server, body(f"of {r}", r))))
        for run in (8, 9)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert len(found) == 2
    assert bodies(server) == [body("of 9", 9)]


def test_a_comment_that_goes_meanwhile_is_made_anew(server: Server) -> None:
    number = server.add(body("old", 1))

    def vanish(method: str, _path: str) -> None:
        if method == "PATCH":
            server.comments.pop(number, None)

    server.before = vanish
    post(server, body("new"))
    assert bodies(server) == [body("new")]


def test_what_is_too_long_is_said_in_short(server: Server) -> None:
    long = body("x" * 70_000)
    comments.upsert_comment(client(server), 7, MARKER, (long, body("short")), markdown.run_of)
    assert bodies(server) == [body("short")]
    with pytest.raises(GitHubError, match="too long"):
        post(server, long)


# -- faults --------------------------------------------------------------------------------------


def test_a_next_page_on_another_host_is_not_asked(server: Server) -> None:
    with serve() as other:
        link = (("Link", f'<{other.url}/steal?page=2>; rel="next"'),)
        server.faults = {"GET": [Fault(200, "[]", link)]}
        assert client(server).pages("/issues/7/comments") == []
        assert other.requests == []


def test_a_redirect_is_followed_on_the_same_host_alone(server: Server) -> None:
    server.add(body("old", 1))
    there = f"{server.url}/repos/o/r/issues/7/comments"
    server.faults = {"GET": [Fault(301, "", (("Location", there),))]}
    post(server, body("new"))
    assert bodies(server) == [body("new")]
    with serve() as other:
        server.faults = {"GET": [Fault(302, "", (("Location", f"{other.url}/x"),))]}
        with pytest.raises(GitHubError, match="302"):
            post(server, body("again"))
        assert other.requests == []


def test_a_netrc_does_not_take_the_tokens_place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login x password y\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert post(server, body("one")).ours


PAGE = "<html>bad gateway</html>"
PERMISSION = Fault(403, '{"message": "Resource not accessible by integration"}')
SECONDARY = '{"message": "You have exceeded a secondary rate limit."}'


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (PERMISSION, "permissions:\n  contents: read\n  pull-requests: write"),
        (Fault(401, '{"message": "Bad credentials"}'), "401 Bad credentials; the token is not"),
        (Fault(404, "{}"), "404; it is not there, or the token may not see it"),
        (Fault(409, '{"message": "Conflict"}'), "409 Conflict"),
        (Fault(410, '{"message": "Issues are disabled"}'), "410 Issues are disabled; issues and"),
        (Fault(422, '{"message": "Validation Failed"}'), "422 Validation Failed"),
        (Fault(502, PAGE), "502"),
        (Fault(200, "<html>a proxy's page</html>"), "not JSON"),
        (Fault(200, "{}"), "not a list"),
        (Fault(302, ""), "302"),
        (Fault(cut=True), "ConnectionError"),
        (Fault(429, "{}", (("Retry-After", "600"),)), "a rate limit, to be waited for 600 s"),
        (Fault(403, SECONDARY), "secondary rate limit.; a rate limit, to be waited for 60 s"),
    ],
)
def test_what_github_refuses_is_said_in_time(server: Server, fault: Fault, message: str) -> None:
    clock = Clock()
    server.faults = {"GET": [fault] * 9, "POST": [fault] * 9}
    with pytest.raises(GitHubError) as raised:
        comments.upsert_comment(client(server, clock=clock), 7, MARKER, (MARKER,), markdown.run_of)
    assert message in str(raised.value)
    assert sum(clock.slept) < 120


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (Fault(502, PAGE), [1.0]),
        (Fault(cut=True), [1.0]),
        (Fault(429, "{}", (("Retry-After", "7"),)), [7.0]),
        (Fault(403, "{}", (("Retry-After", "3"),)), [3.0]),
        (Fault(403, SECONDARY), [60.0]),
    ],
)
def test_what_passes_is_waited_for(server: Server, fault: Fault, waits: list[float]) -> None:
    clock = Clock()
    server.add(body("old", 1))
    server.faults = {"GET": [fault]}
    comments.upsert_comment(client(server, clock=clock), 7, MARKER, (body("new"),), markdown.run_of)
    assert clock.slept == waits
    assert bodies(server) == [body("new")]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("fault", [Fault(502, PAGE), Fault(cut=True)])
def test_a_post_that_nobody_knows_of_is_not_made_twice(
    server: Server, fault: Fault, done: bool
) -> None:
    server.faults = {"POST": [Fault(fault.status, fault.text, cut=fault.cut, done=done)]}
    if done:
        assert post(server, body("one")).ours
    else:
        with pytest.raises(GitHubError):
            post(server, body("one"))
    assert len(server.comments) == done


def test_an_answer_in_drops_ends_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpipe_ci.ci.github.client.READ", 0.5)
    server.faults = {"GET": [Fault(drip=30)] * 9}
    started = time.monotonic()
    with pytest.raises(GitHubError, match="takes too long"):
        post(server, body("one"))
    assert time.monotonic() - started < 10


def test_the_limits_that_github_names() -> None:
    assert asked_to_wait(404, {"retry-after": "5"}, "", 0) is None
    assert asked_to_wait(403, {}, "Resource not accessible by integration", 0) is None
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"}
    assert asked_to_wait(403, reset, "API rate limit exceeded", 1000) == 30
    assert asked_to_wait(403, {**reset, "x-ratelimit-remaining": "7"}, "no", 1000) is None
    assert asked_to_wait(429, {}, "", 0) == 60


def test_many_writes_are_a_second_apart(server: Server) -> None:
    clock = Clock()
    one = client(server, clock=clock)
    for _ in range(8):
        statuses.post(one, statuses.Check(commit=SHA, context="c", target=""), "success", "x")
    assert len(clock.slept) == 3
    assert all(0.9 < seconds <= 1 for seconds in clock.slept)


def test_a_server_that_is_not_there() -> None:
    clock = Clock()
    nowhere = Client(
        "http://127.0.0.1:9", "o/r", TOKEN, RetryBudget(now=clock.now, sleep=clock.sleep)
    )
    with pytest.raises(GitHubError, match="ConnectionError"):
        comments.upsert_comment(nowhere, 7, MARKER, (MARKER,), markdown.run_of)
    assert sum(clock.slept) < 120


@pytest.mark.parametrize("name", ["", "o", "o/r/x", "../x", "o/r?x"])
def test_a_repository_name_is_checked(name: str) -> None:
    with pytest.raises(GitHubError, match="not a repository's name"):
        Client("http://127.0.0.1:9", name, TOKEN)


def test_which_pull_request_a_commit_is_of(server: Server) -> None:
    ours = {"repo": {"full_name": "o/r"}}
    request = {"number": 9, "state": "open", "base": ours, "head": {**ours, "sha": SHA}}
    server.pulls = {SHA: [{**request, "number": 12}, request, {**request, "state": "closed"}]}
    assert pulls.open_at(client(server), SHA) == 9
    server.pulls = {SHA: [{**request, "head": {**ours, "sha": "b" * 40}}]}
    assert pulls.open_at(client(server), SHA) is None
    fork = {**request, "head": {"sha": SHA, "repo": {"full_name": "eve/r"}}}
    server.open_pulls = [fork]
    assert pulls.open_from(client(server), "eve", "a b&c", SHA) == 9
    assert server.requests[-1][1].endswith("&head=eve%3Aa%20b%26c")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer", "fault"),
    [
        ("POST", f"/repos/o/r/statuses/{SHA}", {"state": "passed"}, 201, None, "passed"),
        (
            "POST",
            f"/repos/o/r/statuses/{SHA}",
            {"state": "error", "colour": 1},
            201,
            None,
            "colour",
        ),
        ("POST", "/repos/o/r/issues/7/comments", {"body": 1}, 201, None, "is not of type"),
        ("POST", "/repos/o/r/issues/7/comments", {"body": "x"}, 201, {"id": 1}, "is a required"),
        ("GET", "/repos/o/r/issues/7/comments?colour=1", None, 200, [], "unknown parameter"),
        ("GET", "/repos/o/r/no-such-thing", None, 200, [], "GitHub has no"),
    ],
)
def test_the_contract_is_one(
    method: str, path: str, body: object, status: int, answer: object, fault: str
) -> None:
    with pytest.raises(AssertionError, match=fault):
        openapi.check(method, path, body, status, answer)


# -- a run ---------------------------------------------------------------------------------------

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
    name="pull_request",
    pull_request=7,
    run_url="https://github.com/o/r/actions/runs/5",
    run_id=5,
    run_attempt=1,
    payload={"pull_request": {"head": {"sha": SHA}}},
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


def published(run: Run, event: Event, env: dict[str, str], **wants: str) -> list[str]:
    said: list[str] = []
    publisher = Publisher(event, env, run.workflow.file, PublishOptions(**wants), said.append)
    publisher.started(run.workflow.name)
    publisher.finished(run)
    return said


def test_summary_and_comment_have_the_same_text(server: Server, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    env = environment(server, tmp_path)
    assert published(RUN, EVENT, env) == ["report: https://github.com/o/r/pull/7#issuecomment-1000"]
    assert bodies(server) == [body(summary.read_text().removeprefix("before\n"))]
    assert server.states() == [("mlpipe/demo", "pending"), ("mlpipe/demo", "success")]
    assert {one["commit"] for one in server.statuses} == {SHA}, "the head, not the merge commit"
    assert server.statuses[1]["description"] == "1 ran"
    assert len(server.requests) <= 6
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
    payload = {"repository": {"default_branch": "main"}}
    event = Event(name="push", ref="refs/heads/work", sha=SHA, head=SHA, payload=payload)
    said = published(RUN, event, environment(server, tmp_path))
    assert said == ["report: https://github.com/o/r/pull/7#issuecomment-1000"]
    assert len(server.requests) <= 6
    server.requests.clear()
    main = Event(name="push", ref="refs/heads/main", sha=SHA, head=SHA, payload=payload)
    assert published(RUN, main, environment(server, tmp_path)) == []
    assert {path for _, path in server.requests} == {f"/repos/o/r/statuses/{SHA}"}


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
    assert sum("statuses" in path for _, path in server.requests) == 1
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
    fork = Event(**(vars(EVENT) | {"trusted": False}))
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
    Publisher(EVENT, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started("demo")
    assert server.states() == [("mlpipe/demo", "pending")]
    assert "closed" in close_open(env)
    server.may_write = set()
    Publisher(EVENT, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started("demo")
    assert close_open(env) == "", "who may not open one has nothing to close"


def test_a_status_that_was_left_open_is_closed(server: Server, tmp_path: Path) -> None:
    env = environment(server, tmp_path)
    Publisher(EVENT, env, "mlpipe.yml", PublishOptions(), lambda _text: None).started("demo")
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
    server: Server, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    told = SimpleNamespace(monotonic=clock.now, sleep=clock.sleep)
    monkeypatch.setattr("mlpipe_ci.ci.github.retry.time", told)
    server.faults = {method: [fault] * 20 for method in ("GET", "POST", "PATCH", "DELETE")}
    said = published(RUN, EVENT, environment(server, tmp_path))
    assert all(text.startswith("warning: ") for text in said if "\n" not in text)
    assert sum(clock.slept) <= 130
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
