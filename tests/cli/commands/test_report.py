"""`mlpipe report`: a run's JSON becomes Markdown, at a desk and on the pull request of a fork."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.report.renderings import RENDERINGS
from tests.support.repository import Repo
from tests.support.servers.github import TOKEN, Server, serve

STEPS = """
steps:
  - {name: clean, run: cat a.csv > clean.txt, inputs: [a.csv], outputs: [clean.txt]}
  - {name: train, run: "echo loss 0.1; exit 3", inputs: [clean.txt]}
"""
SHA = "5" * 40


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def told(repo: Repo) -> dict[str, Any]:
    """The report of a run with a failure in it; it is in report.json too."""
    repo.commit({"mlpipe.yml": STEPS, "a.csv": "1\n"})
    repo.mlpipe("run", "--report", "report.json", code=1)
    return dict(json.loads(repo.read("report.json")))


def workflow_run(server: Server, tmp_path: Path, **more: Any) -> dict[str, str]:
    """What GitHub tells a job on `workflow_run`, about a run of eve's fork."""
    event = {
        "workflow_run": {
            "id": 77,
            "run_attempt": 2,
            "html_url": "https://github.com/o/r/actions/runs/77",
            "head_sha": SHA,
            "head_branch": "topic",
            "head_repository": {"full_name": "eve/r", "owner": {"login": "eve"}},
            "pull_requests": [],
        },
        "repository": {"full_name": "o/r", "default_branch": "main"},
    } | more
    (tmp_path / "event.json").write_text(json.dumps(event))
    server.open_pulls = [
        {"number": 8, "state": "open", "head": {"sha": "6" * 40}},
        {"number": 9, "state": "open", "head": {"sha": SHA}},
    ]
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "workflow_run",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": server.url,
        "GITHUB_RUN_ID": "99",
        "MLPIPE_TOKEN": TOKEN,
    }


def test_the_file_has_what_json_prints_and_is_shown_as_markdown(
    repo: Repo, told: dict[str, Any]
) -> None:
    text = repo.mlpipe("report", "report.json").stdout
    assert text.startswith(f"### ❌ {told['workflow']}: 1 failed · 1 ran\n")
    assert "```text\nloss 0.1\n```" in text
    assert "```mermaid\nflowchart LR" in text
    assert {edge["before"] for edge in told["edges"]} == {"clean"}


def test_the_ending_of_a_file_says_how_the_report_is_written(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": STEPS, "a.csv": "1\n"})
    files = ("r.json", "plain", "R.HTML", "sub/r.md")
    words = [word for name in files for word in ("--report", name)]
    printed = repo.mlpipe("run", *words, "--html", "page.txt", "--json", code=1).stdout
    assert repo.read("r.json") == repo.read("plain") == printed
    assert repo.read("page.txt") == repo.read("R.HTML")
    assert repo.read("R.HTML").startswith("<!doctype html>")
    texts = (repo.read("sub/r.md"), repo.mlpipe("report").stdout)
    one, other = (re.sub(r"[0-9.]+(&nbsp;| )s\b", "", text) for text in texts)  # JSON rounds it
    assert one == other
    repo.mlpipe("report", "r.json", "--report", "again.json", "--report", "again.md")
    assert repo.read("again.md") == texts[1]
    assert json.loads(repo.read("again.json"))["steps"] == json.loads(printed)["steps"]
    assert repo.mlpipe("report", "--json").stdout == repo.read("again.json")


def test_an_ending_that_says_nothing_is_refused_before_anything_runs(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": STEPS, "a.csv": "1\n"})
    said = repo.mlpipe("run", "--report", "r.pdf", code=2).stderr
    assert "'r.pdf': how a report is written follows from the ending of its file" in said
    assert f"there are: {', '.join(RENDERINGS)}\n" in said
    assert not (repo.root / "clean.txt").exists()
    repo.mlpipe("plan", "--report", "p.json", "--report", "plain")
    assert json.loads(repo.read("p.json"))["steps"][0]["action"] == "run"
    assert repo.read("plain") == repo.read("p.json")
    assert "there are: .json\n" in repo.mlpipe("plan", "--report", "p.html", code=2).stderr


def test_the_report_of_a_fork_is_posted_on_its_pull_request(
    repo: Repo, told: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    told["run_url"] = "https://evil.example/phish"
    repo.write({"report.json": json.dumps(told)})
    env = workflow_run(server, tmp_path)
    said = repo.mlpipe("report", "report.json", "--post", code=0, **env).stderr
    assert "report: https://github.com/o/r/pull/9#issuecomment-1000" in said
    (comment,) = server.comments.values()
    assert "<!-- mlpipe:run id=77 attempt=2 -->" in comment["body"]
    assert "[log of the run](https://github.com/o/r/actions/runs/77)" in comment["body"]
    assert "evil.example" not in comment["body"]
    assert "This run was a fork's" in comment["body"]
    assert len(server.requests) <= 7
    assert server.statuses == [], "a fork does not say that its own commit is good"


def test_the_page_that_a_report_names_is_not_believed_on_a_pull_request_either(
    repo: Repo, told: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    repo.write({"report.json": json.dumps(told | {"run_url": "https://evil.example/phish"})})
    request = {"number": 9, "head": {"sha": SHA}, "base": {"ref": "main"}}
    env = workflow_run(server, tmp_path, workflow_run=None, pull_request=request)
    env |= {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_SERVER_URL": "https://github.com"}
    repo.mlpipe("report", "report.json", "--post", code=0, **env)
    (comment,) = server.comments.values()
    assert "[log of the run](https://github.com/o/r/actions/runs/99)" in comment["body"]
    assert "evil.example" not in comment["body"]


def test_a_commit_that_is_no_ones_head_is_not_posted(
    repo: Repo, told: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    assert told["steps"]
    env = workflow_run(server, tmp_path)
    server.open_pulls.pop()
    said = repo.mlpipe("report", "report.json", "--post", code=0, **env).stderr
    assert "no open pull request has this commit as its head" in said
    assert server.comments == {}


def test_an_event_without_a_pull_request_is_a_warning(
    repo: Repo, told: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    assert told["steps"]
    env = workflow_run(server, tmp_path, workflow_run=None) | {"GITHUB_EVENT_NAME": "schedule"}
    said = repo.mlpipe("report", "report.json", "--post", code=0, **env).stderr
    assert "::warning" in said
    assert "this event names no pull request; run this on: workflow_run" in said
    assert server.requests == []


def test_a_comment_that_cannot_be_posted_is_a_warning(
    repo: Repo, told: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    assert told["steps"]
    env = workflow_run(server, tmp_path) | {"MLPIPE_TOKEN": "wrong"}
    said = repo.mlpipe("report", "report.json", "--post", code=0, **env).stderr
    assert "not posted" in said
    assert "401" in said
    assert "fork" not in said, "the token is not a fork's here"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no report of this version"),
        ('{"version": 1}', "is a required property"),
        ("x" * 5_000_001, "more than 5,000,000 bytes"),
        (None, "No such file"),
    ],
)
def test_what_is_no_report_is_said(repo: Repo, text: str | None, fault: str) -> None:
    if text is not None:
        repo.write({"report.json": text})
    assert fault in repo.mlpipe("report", "report.json", code=2).stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("steps", 0, "status"), "great"),
        (("steps", 0, "metrics"), {"auc": "<script>"}),
        (("steps", 0, "seconds"), "1"),
        (("changed",), [{"path": "a", "change": "<b>"}]),
        (("base",), {"sha": "main", "how": "x"}),
        (("extra",), 1),
    ],
)
def test_what_breaks_the_schema_is_not_shown(
    repo: Repo, told: dict[str, Any], path: tuple[Any, ...], value: object
) -> None:
    at: Any = told
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    repo.write({"report.json": json.dumps(told)})
    assert "is no report" in repo.mlpipe("report", "report.json", code=2).stderr
