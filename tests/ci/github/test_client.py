"""Requests to GitHub's API: redirects, pages, time limits, the contract."""

from pathlib import Path

import pytest

from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.retry import TRIES
from mlpipe_ci.core.errors import GitHubError
from tests.support import github_openapi as openapi
from tests.support.github_client import (
    PAGE,
    SHA,
    bodies,
    body,
    client,
    post,
)
from tests.support.servers.github import TOKEN, Fault, Server, serve


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
    server.faults = {"GET": [Fault(drip=600)] * 9}
    with pytest.raises(GitHubError, match="takes too long"):
        post(server, body("one"))
    assert (len(server.requests), server.dripped) == (TRIES, 0), "no answer was waited for"


@pytest.mark.parametrize("name", ["", "o", "o/r/x", "../x", "o/r?x"])
def test_a_repository_name_is_checked(name: str) -> None:
    with pytest.raises(GitHubError, match="not a repository's name"):
        Client("http://127.0.0.1:9", name, TOKEN)


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
