"""Which pull request a commit belongs to."""

from mlpipe_ci.ci.github import pulls
from tests.support.github_client import SHA, client
from tests.support.servers.github import Server


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
