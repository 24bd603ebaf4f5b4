"""Posting the comment, against a real server on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import step, workflow
from github_server import TOKEN, Server, serve

from mlpipe_ci.errors import GitHubError
from mlpipe_ci.events import Event
from mlpipe_ci.github import GitHub
from mlpipe_ci.publish import publish
from mlpipe_ci.run import Comparison, Run, Status, StepOutcome

MARKER = "<!-- mlpipe:report key=mlpipe.yml v=1 -->"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def github(server: Server, token: str = TOKEN) -> GitHub:
    return GitHub(server.url, "o/r", token)


def test_a_comment_is_created_and_then_updated(server: Server) -> None:
    url = github(server).upsert_comment(7, MARKER, f"{MARKER}\none")
    assert url == ("https://github.com/o/r/pull/7#issuecomment-1000", True)
    assert github(server).upsert_comment(7, MARKER, f"{MARKER}\ntwo") == url
    assert [c["body"] for c in server.comments.values()] == [f"{MARKER}\ntwo"]


def test_an_equal_comment_is_not_posted_again(server: Server) -> None:
    server.add(f"{MARKER}\r\none")
    github(server).upsert_comment(7, MARKER, f"{MARKER}\none")
    assert {method for method, _ in server.requests} == {"GET"}


def test_our_comment_is_found_on_a_later_page(server: Server) -> None:
    for n in range(70):
        server.add(f"comment {n}", "somebody")
    ours = server.add(f"{MARKER}\nold")
    github(server).upsert_comment(7, MARKER, f"{MARKER}\nnew")
    assert server.comments[ours]["body"] == f"{MARKER}\nnew"
    assert len(server.comments) == 71


def test_anothers_comment_with_our_marker_is_left_alone(server: Server) -> None:
    theirs = server.add(f"{MARKER}\nforged", "mallory")
    quoted = server.add(f"> {MARKER}\nquoted")
    other = server.add(f"{MARKER.replace('mlpipe.yml', 'b.yml')}\nother workflow")
    github(server).upsert_comment(7, MARKER, f"{MARKER}\nours")
    assert server.comments[theirs]["body"].endswith("forged")
    assert server.comments[quoted]["body"].endswith("quoted")
    assert server.comments[other]["body"].endswith("other workflow")
    assert len(server.comments) == 4


def test_a_persons_token_finds_the_persons_comment(server: Server) -> None:
    server.login = "ann"
    ours = server.add(f"{MARKER}\nold", "ann")
    github(server).upsert_comment(7, MARKER, f"{MARKER}\nnew")
    assert server.comments[ours]["body"].endswith("new")
    assert len(server.comments) == 1


def test_a_next_page_on_another_host_is_not_asked(server: Server) -> None:
    with serve() as other:
        server.page = 1
        for _ in range(3):
            server.add("x", "somebody")
        api = github(server)
        found = api._session.get(f"{server.url}/repos/o/r/issues/7/comments")
        assert api._next(found) is not None
        found.headers["Link"] = f'<{other.url}/steal?page=2>; rel="next"'
        assert api._next(found) is None
        assert other.requests == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((403, '{"message": "Resource not accessible by integration"}'), "pull-requests: write"),
        ((401, '{"message": "Bad credentials"}'), "401 Bad credentials"),
        ((404, "{}"), "404"),
        ((422, '{"message": "Validation Failed"}'), "422 Validation Failed"),
        ((502, "<html>bad gateway</html>"), "502"),
        ((200, "<html>a proxy's page</html>"), "not JSON"),
        ((302, ""), "302"),
    ],
)
def test_what_github_refuses_is_said(server: Server, fault: tuple[int, str], message: str) -> None:
    for method in ("GET", "POST"):
        server.faults = {method: [fault]}
        with pytest.raises(GitHubError, match=message):
            github(server).upsert_comment(7, MARKER, MARKER)


def test_a_server_that_is_not_there(server: Server) -> None:
    with pytest.raises(GitHubError, match="ConnectionError"):
        GitHub("http://127.0.0.1:9", "o/r", TOKEN).upsert_comment(7, MARKER, MARKER)


@pytest.mark.parametrize("name", ["", "o", "o/r/x", "../x", "o/r?x"])
def test_a_repository_name_is_checked(name: str) -> None:
    with pytest.raises(GitHubError, match="not a repository's name"):
        GitHub("http://127.0.0.1:9", name, TOKEN)


RUN = Run(
    workflow=workflow(step("train")),
    comparison=Comparison(how="no base"),
    outcomes=(StepOutcome(step=step("train"), status=Status.SUCCEEDED),),
    seconds=1.0,
)


def published(event: Event, env: dict[str, str]) -> list[str]:
    said: list[str] = []
    publish(RUN, event, env, env.get("MLPIPE_TOKEN", ""), said.append)
    return said


def test_summary_and_comment_have_the_same_text(server: Server, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    env = {
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_API_URL": server.url,
        "GITHUB_REPOSITORY": "o/r",
        "MLPIPE_TOKEN": TOKEN,
    }
    said = published(Event(pull_request=7), env)
    assert said == ["report: https://github.com/o/r/pull/7#issuecomment-1000"]
    (comment,) = server.comments.values()
    assert comment[
        "body"
    ] == f"{MARKER}\n<!-- mlpipe:run id=0 -->\n" + summary.read_text().removeprefix("before\n")
    assert published(Event(), env) == [], "no pull request, no comment"
    assert published(Event(pull_request=7), {}) == [], "no token, no comment"


def test_what_cannot_be_posted_is_a_warning(server: Server, tmp_path: Path) -> None:
    env = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "o/r", "MLPIPE_TOKEN": "wrong"}
    env["GITHUB_STEP_SUMMARY"] = str(tmp_path / "no" / "such" / "directory")
    said = published(Event(pull_request=7), env)
    refused = "GET /repos/o/r/issues/7/comments: 401 Bad credentials"
    assert said == [
        "warning: the job summary was not written: No such file or directory",
        f"warning: the pull request comment was not posted: {refused}",
    ]
