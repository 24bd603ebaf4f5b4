"""mlpipe checks the repository out where nothing else did: a runner's workspace, and --repo."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import Hub, Job, payload
from tests.support.repository import Repo
from tests.support.servers.git import GitServer
from tests.support.servers.github import TOKEN


@pytest.fixture
def workspace(tmp_path: Path, git_server: GitServer) -> Job:
    """The empty directory that a runner gives to a job."""
    (tmp_path / "workspace").mkdir()
    return Job(tmp_path / "workspace", git_server)


@pytest.fixture
def merge(hub: Hub) -> str:
    """Pull request 7 changes data; main has moved by 5 commits since."""
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"}, "Data")
    hub.desk.git("checkout", "-q", "main")
    for n in range(5):
        hub.desk.commit({f"docs/main-{n}.md": "1"})
    return hub.pull_request("topic")


REF = "refs/pull/7/merge"


def request(**more: Any) -> dict[str, Any]:
    return payload("pull_request", pull_request={"number": 7, "base": {"ref": "main"}} | more)


def test_an_empty_workspace_gets_the_commit_of_the_event(
    hub: Hub, merge: str, workspace: Job
) -> None:
    hub.server.token = TOKEN
    api = f"{hub.server.url}/no-api"  # the report is not what this is about
    env = workspace.env("pull_request", request(), GITHUB_SHA=merge, GITHUB_REF=REF)
    env |= {"MLPIPE_TOKEN": TOKEN, "GITHUB_API_URL": api}
    done = workspace.mlpipe("run", **env)
    url = f"{hub.server.url}/o/r"
    assert f"checking out {url} at {merge[:7]} ({REF}) into {workspace.root}" in done.stdout
    assert "1 path changed" in done.stdout
    assert "▶" in done.stdout or "::group::data: data/a.csv changed" in done.stdout
    assert workspace.git("rev-parse", "HEAD") == merge
    assert workspace.git("rev-list", "--count", "HEAD") == "1"
    assert workspace.git("remote", "get-url", "origin") == url
    assert workspace.git("status", "--porcelain") == "?? build.txt\n?? docs.txt"
    files = [p for p in workspace.root.rglob("*") if p.is_file()]
    assert not any(TOKEN.encode() in p.read_bytes() for p in files)


def test_plan_in_an_empty_workspace(hub: Hub, merge: str, workspace: Job) -> None:
    plan = workspace.plan("pull_request", request(), GITHUB_SHA=merge, GITHUB_REF=REF)
    assert plan.changed == {"data/a.csv": "modified"}


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1"])
def test_a_branch_and_a_tag(hub: Hub, workspace: Job, ref: str) -> None:
    hub.desk.git("tag", "-a", "v1", "-m", "annotated")
    hub.push()
    sha = hub.desk.git("rev-parse", "HEAD")
    event = payload("push", before="0" * 40, ref=ref)
    workspace.mlpipe("run", **workspace.env("push", event, GITHUB_SHA=sha, GITHUB_REF=ref))
    assert workspace.git("rev-parse", "HEAD") == sha
    branch = subprocess.run(
        ["git", "symbolic-ref", "-q", "HEAD"], cwd=workspace.root, capture_output=True, check=False
    )
    assert (branch.returncode == 0) == (ref == "refs/heads/main")


def test_a_second_job_in_the_same_workspace(hub: Hub, merge: str, workspace: Job) -> None:
    """A self-hosted runner keeps the directory: the old commit must not be taken for the new."""
    first = hub.desk.git("rev-parse", "main~1")
    event = payload("push", before="0" * 40, ref="refs/heads/main")
    workspace.mlpipe("run", **workspace.env("push", event, GITHUB_SHA=first))
    workspace.write({"data/left-over.csv": "1"})
    last = hub.desk.git("rev-parse", "main")
    workspace.mlpipe("run", **workspace.env("push", event, GITHUB_SHA=last))
    assert workspace.git("rev-parse", "HEAD") == last
    assert not (workspace.root / "data/left-over.csv").exists()
    env = workspace.env("pull_request", request(), GITHUB_SHA=merge, GITHUB_REF=REF)
    workspace.mlpipe("run", **env)
    assert workspace.git("rev-parse", "HEAD") == merge


def test_a_tag_that_was_moved_since(hub: Hub, workspace: Job) -> None:
    hub.desk.git("tag", "v1")
    sha = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("tag", "-f", "v1")
    hub.push()
    event = payload("push", before="0" * 40, ref="refs/tags/v1")
    env = workspace.env("push", event, GITHUB_SHA=sha, GITHUB_REF="refs/tags/v1")
    workspace.mlpipe("plan", **env)
    assert workspace.git("rev-parse", "HEAD") == sha, "an old attempt is run again"


def test_a_second_run_in_the_same_job(hub: Hub, workspace: Job) -> None:
    hub.push()
    sha = hub.desk.git("rev-parse", "HEAD")
    env = workspace.env("push", payload("push"), GITHUB_SHA=sha)
    workspace.mlpipe("run", **env)
    workspace.write({"made/by/the/job": "1"})
    again = workspace.mlpipe("run", **env)
    assert "checking out" not in again.stdout
    assert workspace.read("made/by/the/job") == "1"
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    workspace.git("fetch", "-q", "origin", "main")
    workspace.git("checkout", "-q", "--detach", "FETCH_HEAD")
    other = workspace.mlpipe("run", **env)
    assert "checking out" not in other.stdout, "somebody else has checked out something"
    assert workspace.read("made/by/the/job") == "1"


def test_a_workspace_with_something_in_it_is_left_alone(hub: Hub, workspace: Job) -> None:
    hub.push()
    workspace.write({"precious.txt": "mine"})
    event = payload("push", before="0" * 40)
    sha = hub.desk.git("rev-parse", "HEAD")
    done = workspace.mlpipe("run", code=2, **workspace.env("push", event, GITHUB_SHA=sha))
    assert "mlpipe.yml: there is no such file" in done.stderr
    assert os.listdir(workspace.root) == ["precious.txt"]  # noqa: PTH208
    assert hub.server.requests == []


def test_a_server_that_is_not_there(hub: Hub, workspace: Job) -> None:
    hub.push()
    sha = hub.desk.git("rev-parse", "HEAD")
    env = workspace.env("push", payload("push"), GITHUB_SHA=sha)
    gone = env | {"GITHUB_SERVER_URL": "http://127.0.0.1:9"}
    done = workspace.mlpipe("run", code=2, **gone)
    assert "Failed to connect" in done.stderr or "unable to access" in done.stderr
    assert list(workspace.root.iterdir()) == []
    hub.server.cut = 50
    done = workspace.mlpipe("run", code=2, **env)
    assert list(workspace.root.iterdir()) == [], "nothing half done is left"
    hub.server.cut = None
    gone = workspace.env("push", payload("push"), GITHUB_SHA="1" * 40)
    assert "1111111" in workspace.mlpipe("run", code=2, **gone).stderr
    workspace.mlpipe("run", **env)


def test_a_checkout_that_was_killed_is_started_anew(hub: Hub, workspace: Job) -> None:
    hub.desk.write({f"data/{n}.bin": os.urandom(30_000) for n in range(200)})
    hub.desk.commit()
    hub.push()
    sha = hub.desk.git("rev-parse", "HEAD")
    env = os.environ | workspace.env("push", payload("push"), GITHUB_SHA=sha)
    for delay in (0.15, 0.3, 0.45):
        words = [sys.executable, "-m", "mlpipe_ci", "run"]
        running = subprocess.Popen(
            words, cwd=workspace.root, env=env, stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(delay)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    done = workspace.mlpipe("run", **workspace.env("push", payload("push"), GITHUB_SHA=sha))
    assert "2 ran" in done.stdout or "reused" in done.stdout
    assert workspace.git("status", "--porcelain", "-uno") == ""


def test_submodules_if_asked(hub: Hub, workspace: Job, tmp_path: Path) -> None:
    library = Repo(tmp_path / "library")
    library.root.mkdir()
    library.git("init", "-q", "-b", "main")
    library.commit({"src/a.py": "1"})
    library.git("clone", "-q", "--bare", ".", str(hub.server.root / "o" / "lib"))
    hub.desk.git("submodule", "--quiet", "add", f"{hub.server.url}/o/lib", "lib")
    hub.desk.git("config", "-f", ".gitmodules", "submodule.lib.url", "../lib")
    hub.desk.commit()
    hub.push()
    hub.server.token = TOKEN
    sha = hub.desk.git("rev-parse", "HEAD")
    env = workspace.env("push", payload("push"), GITHUB_SHA=sha, MLPIPE_TOKEN=TOKEN)
    workspace.mlpipe("plan", "--submodules", **env)
    assert (workspace.root / "lib/src/a.py").read_text() == "1"


def test_at_a_desk_into_a_directory(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("tag", "v1")
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    url = f"{hub.server.url}/o/r"
    desk = Repo(tmp_path / "home")
    desk.write({"other.txt": "1"})
    done = desk.mlpipe("run", "--repo", url)
    assert "2 ran" in done.stdout
    clone = Repo(desk.root / "r")
    assert clone.read("build.txt") == "2"
    assert clone.git("symbolic-ref", "HEAD") == "refs/heads/main"
    named = desk.mlpipe("run", "--repo", url, "--ref", "v1", "-C", "old")
    assert "2 ran" in named.stdout or "reused" in named.stdout
    assert Repo(desk.root / "old").read("build.txt") == "1"
    sha = hub.desk.git("rev-parse", "v1^{commit}")
    desk.mlpipe("run", "--repo", url, "--ref", sha, "-C", "r")
    assert clone.git("rev-parse", "HEAD") == sha, "the same directory again"
    assert clone.read("build.txt") == "1"


def test_at_a_desk_nothing_of_the_users_is_lost(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    url = f"{hub.server.url}/o/r"
    desk = Repo(tmp_path / "home")
    desk.write({"mine/file": "1"})
    again = ("run", "--repo", url, "-C", "mine")
    assert "not checked out by mlpipe" in desk.mlpipe(*again, code=2).stderr
    assert desk.read("mine/file") == "1"
    desk.mlpipe("run", "--repo", url)
    clone = Repo(desk.root / "r")
    clone.write({".git/info/exclude": "*.txt\n", "data/a.csv": "edited"})
    assert "changes of its own (data/a.csv)" in desk.mlpipe("run", "--repo", url, code=2).stderr
    clone.commit()
    assert "commits of its own" in desk.mlpipe("run", "--repo", url, code=2).stderr
    assert clone.read("data/a.csv") == "edited"
    other = ("run", "--repo", f"{hub.server.url}/o/other", "--ref", "a" * 40, "-C", "r")
    assert "is a checkout of" in desk.mlpipe(*other, code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ref", "main"), "--repo, which is not given"),
        (("--repo", "-x"), "expected one argument"),
        (("--repo=-x",), "is no address"),
        (("--repo", "ext::sh -c touch% hacked"), "transport 'ext' not allowed"),
        (("--repo", "{url}", "--ref", "nope"), "has no such branch or tag"),
        (("--repo", "{url}", "--ref", "both"), "is a branch and a tag"),
        (("--repo", "{url}", "--ref", "refs/heads/nope"), "has no refs/heads/nope"),
        (("--repo", "{url}", "--ref", "--upload-pack=x"), "expected one argument"),
        (("--repo", "{url}", "--ref=--upload-pack=x"), "has no such branch or tag"),
        (("--repo", "{url}nothing"), "not found"),
    ],
)
def test_what_cannot_be_checked_out(
    hub: Hub, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    hub.desk.git("tag", "both")
    hub.desk.git("branch", "both")
    hub.push()
    desk = Repo(tmp_path / "home")
    desk.root.mkdir()
    filled = [word.format(url=f"{hub.server.url}/o/r") for word in words]
    assert said in desk.mlpipe("run", *filled, code=2).stderr
    assert list(desk.root.iterdir()) == []


def test_the_repository_of_a_directory(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    (tmp_path / "empty").mkdir()
    desk = Repo(tmp_path / "empty")
    told = json.loads(desk.mlpipe("plan", "--json", "--repo", str(hub.bare)).stdout)
    assert told["head"] == hub.desk.git("rev-parse", "HEAD")
    assert (tmp_path / "empty" / "mlpipe.yml").exists(), "an empty directory is the place"


SPY = """#!/bin/sh
printf '%s\\n' "args $*" >> {log}
env | grep -c -e {token} -e {basic} | sed "s/^/told /" >> {log}
exec {git} "$@"
"""


def test_the_token_is_given_to_the_fetch_alone(
    hub: Hub, merge: str, workspace: Job, tmp_path: Path
) -> None:
    """A program in the place of git writes down what each call can see."""
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    log, spy = tmp_path / "log", tmp_path / "bin" / "git"
    spy.parent.mkdir()
    git = shutil.which("git")
    spy.write_text(SPY.format(log=log, token=TOKEN, basic=basic, git=git))
    spy.chmod(0o755)
    hub.server.token = TOKEN
    env = workspace.env("pull_request", request(), GITHUB_SHA=merge, GITHUB_REF=REF)
    env |= {"MLPIPE_TOKEN": TOKEN, "GITHUB_API_URL": f"{hub.server.url}/no-api"}
    env |= {"PATH": f"{spy.parent}{os.pathsep}{os.environ['PATH']}"}
    done = workspace.mlpipe("run", **env)
    assert "1 path changed" in done.stdout
    text = log.read_text()
    assert TOKEN not in text
    assert basic not in text
    calls = re.findall(r"args (.*)\ntold (\d+)", text)
    told = {words for words, count in calls if count != "0"}
    assert len(told) == 2, "the commit, and what it is compared with"
    assert all(words.startswith("fetch ") for words in told)
    assert len(calls) > 10
