"""The action as GitHub would run it: act, a real repository, a real HTTP server for the API."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.act_runner import Acted, act, copy_of_the_action
from tests.support.repository import ROOT, Repo
from tests.support.servers.github import TOKEN, Server, serve

pytestmark = [pytest.mark.act, pytest.mark.xdist_group("act")]
CONSUMER = """
name: ml
on: [push, pull_request]
permissions: {contents: read, pull-requests: write}
jobs:
  mlpipe:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: org/mlpipe@v1
        id: ml
      - if: always()
        env: {RESULT: "${{ steps.ml.outputs.result }}", URL: "${{ steps.ml.outputs.comment-url }}"}
        run: echo "result=$RESULT comment=$URL"
"""
REPORT = """
name: report
on: {workflow_run: {workflows: [ml], types: [completed]}}
permissions: {actions: read, pull-requests: write}
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: org/mlpipe@v1
        with: {mode: report}
"""
MATRIX = """
name: ml
on: [push, pull_request]
permissions: {contents: read, pull-requests: write}
jobs:
  train:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      max-parallel: 1
      matrix: {model: [forest, bad, boosting], seed: [1]}
    steps:
      - uses: actions/checkout@v6
      - env: {MODEL: "${{ matrix.model }}"}
        run: echo "$MODEL" > model.txt
      - uses: org/mlpipe@v1
"""
WITHOUT_CHECKOUT = CONSUMER.replace("      - uses: actions/checkout@v6\n", "")
STEPS = {"profiles", "clean", "features", "train", "evaluate", "deploy"}


class Consumer:
    """A user's repository with the example in it, and what GitHub would send about it."""

    def __init__(self, repo: Repo, action: Path, server: Server) -> None:
        self.repo, self.action, self.server = repo, action, server
        self.cache = repo.root.parent / "mlpipe cache"

    def push(self, before: str) -> Acted:
        payload = {"before": before, "repository": {"default_branch": "main"}}
        return self._act("push", payload | {"ref": "refs/heads/main"})

    def pull_request(self, base: str, fork: str = "o/r") -> Acted:
        head = self.repo.git("rev-parse", "HEAD")
        request: dict[str, Any] = {
            "number": 7,
            "head": {"ref": "topic", "sha": head, "repo": {"full_name": fork}},
            "base": {"ref": "main", "sha": base, "repo": {"full_name": "o/r"}},
        }
        return self._act("pull_request", {"action": "synchronize", "pull_request": request})

    def workflow_run(self, head: str) -> Acted:
        run = {
            "id": 1,
            "head_sha": head,
            "head_branch": "topic",
            "head_repository": {"full_name": "eve/r", "owner": {"login": "eve"}},
        }
        return self._act("workflow_run", {"workflow_run": run})

    def _act(self, event: str, payload: dict[str, Any]) -> Acted:
        return act(
            self.repo.root,
            event,
            payload,
            self.action,
            GITHUB_API_URL=self.server.url,
            MLPIPE_CACHE_DIR=str(self.cache),
        )


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def consumer(tmp_path: Path, server: Server) -> Consumer:
    root = tmp_path / "consumer"
    ignore = shutil.ignore_patterns("build", "models", "reports", "deploy", "__pycache__")
    shutil.copytree(ROOT / "examples" / "fraud-detection", root, ignore=ignore)
    repo = Repo(root)
    repo.git("init", "-q", "-b", "main")
    repo.git("remote", "add", "origin", "https://github.com/o/r")
    repo.commit({".github/workflows/ml.yml": CONSUMER}, "Eight weeks")
    return Consumer(repo, copy_of_the_action(tmp_path / "action"), server)


def _pages(kept: Path) -> list[str]:
    """The pages among the artifacts, which the stand-in for GitHub's action has packed."""
    found = []
    for path in (path for path in kept.rglob("*") if zipfile.is_zipfile(path)):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".html")]
            found += [archive.read(name).decode() for name in names]
    return found


def test_push_then_pull_request_then_a_second_push_to_it(consumer: Consumer) -> None:
    """One long story, as the packages are installed and the model is trained only once."""
    repo, server = consumer.repo, consumer.server
    first = repo.git("rev-parse", "HEAD")

    pushed = consumer.push("0" * 40)
    assert pushed.code == 0, pushed.log
    assert pushed.summary.startswith("### ✅ fraud-detection: auc 0.9")
    assert all(f"| ✅ <code>{name}" in pushed.summary for name in STEPS)
    assert {path for how, path in server.requests if how != "GET"} == {
        f"/repos/o/r/statuses/{first}"
    }
    assert server.comments == {}, "a push to main has no pull request to comment on"
    assert server.states() == [
        ("mlpipe/fraud-detection", state) for state in ("pending", "success")
    ]
    server.requests.clear()

    repo.git("checkout", "-q", "-b", "topic")
    train = repo.read("src/train.py")
    flat = train.replace("MAX_DEPTH = 8", "MAX_DEPTH = 7")
    asked_head = repo.commit({"src/train.py": flat}, "Flatter trees")
    asked = consumer.pull_request(first)
    assert " · 2 ran · 10 reused · 1 skipped" in asked.summary
    (comment,) = server.comments.values()
    marker, run, _, text = comment["body"].split("\n", 3)
    assert marker == "<!-- mlpipe:report key=mlpipe.yml v=1 -->"
    assert run == "<!-- mlpipe:run id=1 attempt=1 -->"
    assert text == asked.summary.removesuffix("\n") + "\n"
    flatter = f"src/train.py changed ({asked_head[:7]} &#34;Flatter trees&#34;)"
    assert f"| ✅ <code>train</code> | {flatter} since {first[:7]} |" in text
    assert {one["commit"] for one in server.statuses[2:]} == {asked_head}
    assert len(server.requests) <= 10
    assert f"| metric | change | base <code>{first[:7]}</code> → here |" in text
    assert "<summary>1 plot</summary>" in text
    assert any("data:image/svg+xml" in page for page in _pages(repo.root.parent / "act artifacts"))
    assert "result=success" in asked.log
    assert f"comment={comment['html_url']}" in asked.log
    assert f"base {first[:7]} (merge base with main as it was when" in text

    repo.commit({"src/train.py": train.replace("model.fit(", "model.fit(x, ")}, "Break it")
    failed = consumer.pull_request(first)
    assert failed.code != 0
    assert list(server.comments) == [comment["id"]], "the same comment is updated"
    body = server.comments[comment["id"]]["body"]
    assert "### ❌ fraud-detection: 1 failed · 10 reused · 2 not run" in body
    assert "> **<code>train</code>** failed: exit code 1" in body
    assert "NameError: name &#39;x&#39;" in body or "NameError: name 'x' is not defined" in body
    assert server.states()[-1] == ("mlpipe/fraud-detection", "failure")
    assert "src/train.py" in failed.log, "the line that failed is annotated"
    assert "mlpipe failed (exit code 1)" in failed.log
    assert "result=failure" in failed.log

    # A force push: history is rewritten, the comment is the same one.
    repo.git("reset", "-q", "--hard", asked_head)
    repo.git("commit", "-q", "--amend", "-m", "Flatter trees, again")
    again = consumer.pull_request(first)
    assert again.code == 0, again.log
    assert list(server.comments) == [comment["id"]]
    assert "12 reused" in server.comments[comment["id"]]["body"]


@pytest.mark.slow
def test_the_page_links_executed_notebooks_which_are_an_artifact(consumer: Consumer) -> None:
    """Also those of a reused step, which a runner does not bring back."""
    repo = consumer.repo
    text = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    run = "mkdir -p out/deep; cp explore.ipynb out/deep/explore.ipynb"
    step = {"name": "explore", "run": run, "outputs": ["out/"]}
    files = {"mlpipe.yml": json.dumps({"steps": [step]}), "explore.ipynb": text}
    repo.commit({**files, ".gitignore": "out/\n"}, "A notebook")
    for tally in ("1 ran", "nothing new · 1 reused"):
        shutil.rmtree(repo.root / "out", ignore_errors=True)
        shutil.rmtree(repo.root / ".git/mlpipe", ignore_errors=True)
        pushed = consumer.push("0" * 40)
        assert pushed.code == 0, pushed.log
        assert tally in pushed.summary
        kept = repo.root.parent / "act artifacts"
        assert any('/actions/runs/1#artifacts"' in page for page in _pages(kept))
        found = [zipfile.ZipFile(path) for path in kept.rglob("*") if zipfile.is_zipfile(path)]
        held = [one.read(name) for one in found for name in one.namelist() if "ipynb" in name]
        assert text.encode() in held
        shutil.rmtree(kept)


def test_a_comment_that_cannot_be_posted_leaves_the_job_green(consumer: Consumer) -> None:
    consumer.repo.commit({"mlpipe.yml": "steps: [{name: train, run: bash train.sh}]"})
    script = "echo trained; env; tr '\\0' '\\n' < /proc/$PPID/environ"
    consumer.repo.commit({"train.sh": script})
    refused = json.dumps({"message": "Resource not accessible by integration"})
    consumer.server.faults = {method: [(403, refused)] * 9 for method in ("GET", "POST")}
    done = consumer.pull_request(consumer.repo.git("rev-parse", "HEAD"))
    assert done.code == 0, done.log
    assert "the pull request comment was not posted" in done.log
    assert "pull-requests: write" in done.log
    assert "trained" in done.log
    assert "MLPIPE_STEP=train" in done.log
    assert "MLPIPE_TOKEN" not in done.log, "no step can see the token"
    assert done.summary.startswith("### ✅ r: 1 ran")


def test_a_forks_report_is_posted_by_a_second_workflow(consumer: Consumer) -> None:
    """The fork's job may only read; what it left is posted by a job that runs nothing of it."""
    repo, server = consumer.repo, consumer.server
    repo.commit({"mlpipe.yml": "steps: [{name: train, run: echo trained}]"})
    server.may_write = set()
    ran = consumer.pull_request(repo.git("rev-parse", "HEAD"), fork="eve/r")
    assert ran.code == 0, ran.log
    assert "a fork's token may only read" in ran.log
    assert server.comments == {}
    head = repo.git("rev-parse", "HEAD")
    server.may_write = {"comments"}
    server.open_pulls = [{"number": 7, "state": "open", "head": {"sha": head}}]
    repo.commit({".github/workflows/ml.yml": REPORT})
    done = consumer.workflow_run(head)
    assert done.code == 0, done.log
    (comment,) = server.comments.values()
    assert "1 ran" in comment["body"]
    assert "This run was a fork's" in comment["body"]


def test_legs_of_a_matrix_are_one_comment_and_one_status(consumer: Consumer) -> None:
    """Each has a part, artifacts and a pack of its own; the leg that fails is not the last."""
    repo, server = consumer.repo, consumer.server
    step = "{name: train, run: '! grep bad model.txt', inputs: [model.txt]}"
    repo.commit({"mlpipe.yml": f"name: demo\nsteps: [{step}]"}, "Legs")
    repo.commit({".github/workflows/ml.yml": MATRIX}, "Matrix")
    done = consumer.pull_request(repo.git("rev-parse", "HEAD"))
    assert done.code != 0
    (comment,) = server.comments.values()
    shown = comment["body"].split("\n", 3)[3]
    assert shown.startswith("### ❌ demo: 1 of 3 jobs failed\n\n#### ❌ train (model=bad, seed=1)")
    assert "✅ <b>train (model=forest, seed=1)</b>" in shown
    assert "✅ <b>train (model=boosting, seed=1)</b>" in shown
    assert server.states()[-1] == ("mlpipe/demo", "failure")
    assert server.statuses[-1]["description"].startswith("1 of 3 jobs failed")
    kept = {path.name for path in (repo.root.parent / "act artifacts").rglob("*.json*")}
    for model in ("forest", "bad", "boosting"):
        assert any(f"mlpipe-report-train-model={model}-seed=1.json" in name for name in kept)


def test_plan_says_whether_there_is_work(consumer: Consumer) -> None:
    plan = CONSUMER.replace("        id: ml\n", "        id: ml\n        with: {mode: plan}\n")
    plan = plan.replace("outputs.comment-url", "outputs.has-work")
    step = "steps: [{name: train, run: touch was-run, inputs: [a]}]"
    consumer.repo.commit({"mlpipe.yml": step, "a": "1", ".github/workflows/ml.yml": plan})
    done = consumer.push("0" * 40)
    assert done.code == 0, done.log
    assert "result=success comment=true" in done.log
    assert not (consumer.repo.root / "was-run").exists()
    assert consumer.server.requests == []


def test_a_fault_in_the_file_is_red_and_annotated(consumer: Consumer) -> None:
    consumer.repo.commit({"mlpipe.yml": "steps: [{name: train, rnu: echo trained}]"})
    done = consumer.push("0" * 40)
    assert done.code != 0
    assert "mlpipe.yml,line=1,col=23" in done.log
    assert "did you mean 'run'?" in done.log


def test_without_a_checkout_step(tmp_path: Path, hub: Any, server: Server) -> None:
    """The whole job is one line: clone, find what the pull request changes, run what it needs."""
    desk = hub.desk
    desk.commit({".github/workflows/ml.yml": WITHOUT_CHECKOUT}, "One line")
    action = copy_of_the_action(tmp_path / "action")
    hub.server.token = TOKEN
    env = {
        "GITHUB_SERVER_URL": hub.server.url,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": server.url,
        "MLPIPE_CACHE_DIR": str(tmp_path / "cache"),
    }

    def run(event: str, payload: dict[str, Any], ref: str) -> Acted:
        # act runs the workflow of a directory, and takes the event's commit from it.
        sha = desk.git("rev-parse", "HEAD")
        return act(desk.root, event, payload, action, **env, GITHUB_SHA=sha, GITHUB_REF=ref)

    hub.push()
    pushed = run("push", {"before": "0" * 40, "ref": "refs/heads/main"}, "refs/heads/main")
    assert pushed.code == 0, pushed.log
    assert f"checking out {hub.server.url}/o/r at" in pushed.log
    assert "### ✅ r: 2 ran" in pushed.summary

    base = desk.git("rev-parse", "HEAD")
    desk.git("checkout", "-q", "-b", "topic")
    head = desk.commit({"data/a.csv": "2"}, "Week 9")
    desk.git("checkout", "-q", "main")
    for n in range(5):
        desk.commit({f"main-{n}.md": "1"}, f"Main {n}")
    merge = hub.pull_request("topic")
    desk.git("checkout", "-q", "--detach", merge)
    request = {
        "number": 7,
        "commits": 1,
        "head": {"ref": "topic", "sha": head},
        "base": {"ref": "main", "sha": base},
    }
    asked = run("pull_request", {"action": "opened", "pull_request": request}, "refs/pull/7/merge")
    assert asked.code == 0, asked.log
    assert "### ✅ r: 1 ran · 1 reused" in asked.summary
    assert "first parent of the pull request&#39;s merge commit, fetched): 1 path changed" in (
        asked.summary.replace("'", "&#39;")
    )
    assert f"data/a.csv changed ({head[:7]} &#34;Week 9&#34;)" in asked.summary
    assert "main-0.md" not in asked.summary
    assert len(server.comments) == 1
