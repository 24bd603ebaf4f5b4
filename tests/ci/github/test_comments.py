"""The report as one comment, against a real server on loopback: converging and bounded."""

import threading

import pytest

from mlpipe_ci.ci.github import comments, statuses
from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.retry import RetryBudget
from mlpipe_ci.core.errors import GitHubError
from tests.support.github_client import (
    MARKER,
    PAGE,
    PERMISSION,
    SECONDARY,
    SHA,
    Clock,
    always,
    bodies,
    body,
    client,
    post,
)
from tests.support.servers.github import TOKEN, Fault, Server


def test_a_comment_is_created_and_then_updated(server: Server) -> None:
    there = comments.Posted(url="https://github.com/o/r/pull/7#issuecomment-1000")
    assert post(server, body("one")) == there
    assert post(server, body("two")) == there
    assert bodies(server) == [body("two")]
    assert [method for method, _ in server.requests] == [
        "GET",
        "POST",
        "GET",
        "GET",
        "PATCH",
        "GET",
    ]


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
    assert server.comments[theirs]["body"].endswith("forged\n")
    assert server.comments[quoted]["body"].endswith("quoted")
    assert server.comments[other]["body"].endswith("other workflow\n")
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
    long = f"{MARKER}\n{'x' * 70_000}"
    comments.upsert_comment(client(server), 7, MARKER, always(long, body("short")))
    assert bodies(server) == [body("short")]
    with pytest.raises(GitHubError, match="too long"):
        comments.upsert_comment(client(server), 7, MARKER, always(long))


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
        comments.upsert_comment(client(server, clock=clock), 7, MARKER, always(MARKER))
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
    comments.upsert_comment(client(server, clock=clock), 7, MARKER, always(body("new")))
    assert clock.slept == [*waits, comments.SETTLE]
    assert bodies(server) == [body("new")]


def test_many_writes_are_a_second_apart(server: Server) -> None:
    clock = Clock()
    one = client(server, clock=clock)
    checks = [statuses.Check(commit=SHA, context=f"c{n}", target="") for n in range(8)]
    statuses.post(one, [statuses.Word(check=one, state="success", words="") for one in checks])
    assert len(clock.slept) == 3
    assert all(0.9 < seconds <= 1 for seconds in clock.slept)


def test_a_server_that_is_not_there() -> None:
    clock = Clock()
    nowhere = Client(
        "http://127.0.0.1:9", "o/r", TOKEN, RetryBudget(now=clock.now, sleep=clock.sleep)
    )
    with pytest.raises(GitHubError, match="ConnectionError"):
        comments.upsert_comment(nowhere, 7, MARKER, always(MARKER))
    assert sum(clock.slept) < 120
