"""A run that cannot start, and the next one that can: one comment, and no status left in error."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import Hub, Job
from tests.support.repository import Repo
from tests.support.servers.git import GitServer
from tests.support.servers.github import TOKEN, Server, serve

SHA = "5" * 40
STEPS = "steps: [{name: make, run: echo made > out, inputs: [raw], outputs: [out]}]\n"
GOOD = f"name: demo\n{STEPS}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def job(repo: Repo, git_server: GitServer, server: Server) -> "PullRequest":
    """A job of pull request 7, with the repository checked out."""
    repo.commit({"raw": "1\n", "sub/a.txt": "1\n"})
    return PullRequest(Job(repo.root, git_server), server)


class PullRequest:
    """Runs of one commit of pull request 7, as a user starts the same job again."""

    def __init__(self, job: Job, server: Server, head: str = SHA) -> None:
        self.job, self.server = job, server
        number = {"number": 7, "base": {"ref": "main"}, "head": {"sha": head}}
        event = {"action": "opened", "pull_request": number, "repository": {"full_name": "o/r"}}
        self.env: dict[str, Any] = job.env(
            "pull_request",
            event,
            GITHUB_REF="refs/pull/7/merge",
            GITHUB_API_URL=server.url,
            MLPIPE_TOKEN=TOKEN,
            RUNNER_TEMP=str(job.root.parent),
        )

    def run(self, *arguments: str, code: int = 0, **env: str) -> str:
        """Run, and return what was said."""
        done = self.job.mlpipe("run", *arguments, code=code, **(self.env | env))
        return done.stdout + done.stderr

    def comment(self) -> str:
        """The only comment."""
        (comment,) = self.server.comments.values()
        return str(comment["body"])

    def states(self) -> dict[tuple[str, str], str]:
        """The last state of each status, by commit and context."""
        return {(s["commit"], s["context"]): s["state"] for s in self.server.statuses}


BROKEN = {
    "a list that is not closed": "name: demo\nsteps: [\n",
    "a quoted name": "name: 'demo'\nsteps: [\n",
    "a name in double quotes": 'name: "d\\u0065mo"   # called so\nsteps: [\n',
    "a comment behind the name": "name: demo  # the first\nsteps: [\n",
    "an unknown key": f"name: demo\nstep: 1\n{STEPS}",
    "JSON": '{"name": "demo", "steps": 3}',
    "a name on a line of its own": "name: >-\n  demo\nsteps: 3\n",
    "a missing input": GOOD.replace("raw", "gone"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
def test_a_mended_file_has_the_comment_and_the_status_of_the_broken_one(
    job: PullRequest, broken: str
) -> None:
    breaks_and_is_mended(job, broken, "mlpipe.yml")


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("sub/train.yml", ("-C", "sub", "--file=train.yml")),  # input working-directory
        ("x.yml", ("-C", "sub", "--file=../x.yml")),
        ("mlpipe.yml", ("-C", "sub")),
    ],
)
def test_a_file_has_one_name_wherever_it_lies(
    job: PullRequest, path: str, arguments: tuple[str, ...]
) -> None:
    breaks_and_is_mended(job, BROKEN["a list that is not closed"], path, *arguments)


def breaks_and_is_mended(job: PullRequest, broken: str, path: str, *arguments: str) -> None:
    job.job.write({path: broken})
    job.run(*arguments, code=2)
    assert "### ❌ demo: could not start" in job.comment()
    assert job.states() == {(SHA, "mlpipe/demo"): "error"}
    job.job.write({path: GOOD})
    job.run(*arguments)
    assert "### ✅ demo: 1 ran" in job.comment()
    assert job.states() == {(SHA, "mlpipe/demo"): "success"}


def test_a_file_without_a_name_is_called_as_the_repository(job: PullRequest) -> None:
    job.job.write({"mlpipe.yml": "steps: [\n"})
    job.run(code=2)
    assert job.states() == {(SHA, "mlpipe/r"): "error"}
    job.job.write({"mlpipe.yml": STEPS})
    job.run()
    assert "### ✅ r: 1 ran" in job.comment()
    assert job.states() == {(SHA, "mlpipe/r"): "success"}


def test_a_run_that_is_broken_again_updates_both(job: PullRequest) -> None:
    job.job.write({"mlpipe.yml": GOOD})
    job.run()
    job.job.write({"mlpipe.yml": "name: demo\nsteps: 3\n"})
    job.run(code=2)
    assert "could not start" in job.comment()
    assert job.states() == {(SHA, "mlpipe/demo"): "error"}


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((), "mlpipe.yml"),
        (("-C", "sub", "--file=train.yml"), "sub/train.yml"),
    ],
)
def test_a_checkout_that_failed_leaves_no_status_of_another_name(
    hub: Hub, server: Server, tmp_path: Path, arguments: tuple[str, ...], path: str
) -> None:
    hub.desk.git("checkout", "-q", "-b", "topic")
    head = hub.desk.commit({path: GOOD, "raw": "1\n"})
    merge = hub.pull_request("topic")
    workspace = Job(tmp_path / "workspace", hub.server)
    workspace.root.mkdir()
    job = PullRequest(workspace, server, head)
    hub.server.token = TOKEN
    away = hub.bare.with_name("away")
    shutil.move(hub.bare, away)
    job.run(*arguments, code=2, GITHUB_SHA=merge)
    assert "could not start" in job.comment()
    assert job.states() == {}, "what the workflow is called is not known yet"
    shutil.move(away, hub.bare)
    job.run(*arguments, GITHUB_SHA=merge)
    assert workspace.git("rev-parse", "HEAD") == merge
    assert "### ✅ demo: 1 ran" in job.comment()
    assert job.states() == {(head, "mlpipe/demo"): "success"}


def test_a_status_belongs_to_the_commit_that_is_checked_out(job: PullRequest) -> None:
    event = {"ref": "refs/heads/main", "repository": {"full_name": "o/r"}}
    env = job.job.env("push", event, GITHUB_SHA=SHA, GITHUB_API_URL=job.server.url)
    job.env = env | {"MLPIPE_TOKEN": TOKEN}
    job.job.write({"mlpipe.yml": GOOD.replace("raw", "gone")})
    head = job.job.git("rev-parse", "HEAD")
    job.run(code=2)
    assert job.states() == {(head, "mlpipe/demo"): "error"}, "not the event's, which is elsewhere"
    job.job.write({"gone": "1\n"})
    job.run()
    assert job.states() == {(head, "mlpipe/demo"): "success"}


def test_a_run_after_another_workflow_leaves_that_ones_comment_alone(job: PullRequest) -> None:
    job.job.write({"mlpipe.yml": GOOD})
    job.run()
    before = job.comment()
    finished = {"id": 200, "head_sha": SHA, "head_branch": "topic"}
    event = {"workflow_run": finished, "repository": {"full_name": "o/r"}}
    base = {"repo": {"full_name": "o/r"}}
    job.server.pulls[SHA] = [{"number": 7, "state": "open", "head": {"sha": SHA}, "base": base}]
    job.env |= job.job.env("workflow_run", event)
    assert "steps are not run on 'workflow_run'" in job.run(code=2)
    assert job.comment() == before
    job.run("--allow-untrusted", "--force")
    assert job.comment() == before
