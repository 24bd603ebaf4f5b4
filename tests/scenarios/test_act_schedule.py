"""A schedule on runners that are new each time: nothing new ends at once, new data retrains."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.act_runner import Acted, act, copy_of_the_action
from tests.support.repository import LOOPBACK, Repo
from tests.support.servers.github import Server, serve
from tests.support.servers.web import File, Web, web

pytestmark = [pytest.mark.act, pytest.mark.slow, pytest.mark.xdist_group("act")]
CONSUMER = """
name: new data
on:
  schedule: [{cron: "17 5 * * *"}]
  repository_dispatch: {types: [data]}
permissions: {contents: read}
jobs:
  mlpipe:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: org/mlpipe@v1
"""
STEPS = """
steps:
  - name: clean
    run: sort data/raw.csv > clean.txt
    inputs: [{{url: "{url}/raw.csv", path: data/raw.csv}}]
    outputs: [clean.txt]
  - {{name: train, run: "wc -l < clean.txt > model.txt", inputs: [clean.txt], outputs: [model.txt]}}
"""
FIRST = b"2\n1\n" * 1000


@pytest.fixture
def github() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def lake() -> Iterator[Web]:
    with web() as running:
        running.files["/raw.csv"] = File(FIRST)
        yield running


def test_nothing_new_then_new_data(repo: Repo, tmp_path: Path, github: Server, lake: Web) -> None:
    repo.git("remote", "add", "origin", "https://github.com/o/r")
    files = {".github/workflows/data.yml": CONSUMER, ".gitignore": "*.txt\ndata/\n"}
    repo.commit({**files, "mlpipe.yml": STEPS.format(url=lake.url)})
    action = copy_of_the_action(tmp_path / "action")

    def run(event: str, **payload: object) -> Acted:
        for place in (tmp_path / "cache", repo.root / ".git/mlpipe", repo.root / "data"):
            shutil.rmtree(place, ignore_errors=True)
        for path in repo.root.glob("*.txt"):
            path.unlink()
        told = {"repository": {"default_branch": "main"}, **payload}
        env = {"GITHUB_API_URL": github.url, "MLPIPE_CACHE_DIR": str(tmp_path / "cache")}
        return act(repo.root, event, told, action, **env, NO_PROXY=",".join(LOOPBACK))

    first = run("schedule", schedule="17 5 * * *")
    assert first.code == 0, first.log
    assert "### ✅ r: 2 ran" in first.summary
    assert "Started by** schedule 17 5" in first.summary
    lake.requests.clear()

    second = run("schedule", schedule="17 5 * * *")
    assert second.code == 0, second.log
    assert "### ✅ r: nothing new · 2 reused" in second.summary
    assert lake.told() == ["HEAD 200"], "one question, and not a byte"

    lake.files["/raw.csv"] = File(FIRST + b"3\n")
    third = run(
        "repository_dispatch", action="data", client_payload={"key": "raw.csv", "x": "`<b>"}
    )
    assert third.code == 0, third.log
    assert "### ✅ r: 2 ran" in third.summary
    assert (
        "**Started by** repository&#95;dispatch data &#123;&#34;key&#34;: &#34;raw.csv"
        in third.summary
    )
    assert "`<b>" not in third.summary
    assert "data/raw.csv changed at its source" in third.summary
