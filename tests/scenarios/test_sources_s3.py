"""Data in a bucket: one object, or all that match; and a step for each of them."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.support.repository import Repo
from tests.support.servers.s3 import SIGNED, Server, s3

IGNORED = "data/\nbuild/\nall.txt\n"


VERSIONED = (
    "<VersioningConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
    "<Status>Enabled</Status></VersioningConfiguration>"
)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with s3() as server:
        yield server


class Lake:
    """A bucket, and a repository whose steps read it."""

    def __init__(self, repo: Repo, server: Server) -> None:
        self.repo, self.server, self.env = repo, server, server.env()
        self.bucket = server.bucket(f"lake-{os.urandom(6).hex()}")

    def put(self, key: str, content: str) -> None:
        """Write an object, whatever it is called."""
        connection = http.client.HTTPConnection(self.server.direct.removeprefix("http://"))
        path = f"/{self.bucket}/{quote(key, safe='')}"
        connection.request("PUT", path, content.encode(), SIGNED)
        assert connection.getresponse().status == 200
        connection.close()

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.server.delete(self.bucket, quote(key))

    def source(self, key: str, path: str = "data/") -> dict[str, str]:
        """An input."""
        return {"url": f"s3://{self.bucket}/{key}", "path": path}

    def steps(self, *steps: dict[str, Any]) -> None:
        text = json.dumps({"steps": list(steps)})
        self.repo.commit({"mlpipe.yml": text, ".gitignore": IGNORED})

    def run(self, *arguments: str, code: int = 0) -> list[str]:
        """What succeeded; requests and contents of the run are in `asked` and `bytes`."""
        self.server.requests.clear()
        done = self.repo.mlpipe("run", "--json", *arguments, code=code, **self.env)
        self.said = done.stderr
        asked = self.server.requests
        self.asked = [one.method + " list" * bool(one.query) for one in asked]
        self.bytes = sum(one.received for one in asked if one.method == "GET" and not one.query)
        steps = json.loads(done.stdout)["steps"]
        self.notes = [note for step in steps for note in step["notes"]]
        return [step["name"] for step in steps if step["status"] == "succeeded"]


@pytest.fixture
def lake(repo: Repo, running: Server) -> Lake:
    return Lake(repo, running)


ALL = {"name": "all", "run": "cat data/* > all.txt", "outputs": ["all.txt"]}


def test_one_object(lake: Lake) -> None:
    lake.put("raw/a b.csv", "1\n")
    lake.steps(ALL | {"inputs": [lake.source("raw/a b.csv", "data/raw.csv")]})
    assert lake.run() == ["all"]
    assert lake.bytes == 2
    assert lake.run() == []
    assert lake.asked == ["HEAD"]
    lake.put("raw/a b.csv", "22\n")
    assert lake.run() == ["all"]
    assert lake.repo.read("all.txt") == "22\n"
    lake.delete("raw/a b.csv")
    assert lake.run(code=1) == []
    assert f"s3://{lake.bucket}/raw/a b.csv cannot be had" in lake.notes[0]


def test_versions_of_a_bucket_that_keeps_them(lake: Lake) -> None:
    path = f"{lake.server.direct}/{lake.bucket}?versioning"
    requests.put(path, data=VERSIONED, headers=SIGNED, timeout=10).raise_for_status()
    lake.put("a", "1")
    lake.steps(ALL | {"inputs": [lake.source("a", "data/a")]})
    assert lake.run() == ["all"]
    assert lake.run() == []
    lake.put("a", "1")
    assert lake.run() == ["all"], "the same bytes are another version"


def test_all_that_match(lake: Lake) -> None:
    for week in (1, 2):
        lake.put(f"weeks/{week}.csv", f"{week}\n")
    lake.put("weeks/readme.md", "no week")
    lake.put("weeksend/3.csv", "no week")
    lake.steps(ALL | {"inputs": [lake.source("weeks/*.csv")]})
    assert lake.run() == ["all"]
    assert lake.repo.read("all.txt") == "1\n2\n"
    assert lake.run() == []
    assert (lake.asked, lake.bytes) == (["GET list"], 0), "one listing"
    lake.put("weeks/3.csv", "3\n")
    assert lake.run() == ["all"]
    assert lake.bytes == 2, "what is here already is not fetched again"
    lake.delete("weeks/1.csv")
    assert lake.run() == ["all"]
    assert lake.repo.read("all.txt") == "2\n3\n"
    assert not (lake.repo.root / "data/1.csv").exists()


def test_a_prefix_with_directories_in_it(lake: Lake) -> None:
    for key in ("tree/a/1.txt", "tree/b/2.txt", "tree/b/c/3.txt"):
        lake.put(key, key)
    lake.put("tree/b/", "")
    step = ALL | {"run": "find data -type f | sort > all.txt"}
    lake.steps(step | {"inputs": [lake.source("tree/")]})
    assert lake.run() == ["all"]
    assert lake.repo.read("all.txt") == "data/a/1.txt\ndata/b/2.txt\ndata/b/c/3.txt\n"


def test_a_step_for_each_object(lake: Lake) -> None:
    """Nothing of it is in git: the next week makes one step run."""
    for week in (1, 2):
        lake.put(f"w/{week}.csv", f"{week}\n")
    clean = {
        "name": "clean",
        "each": "data/*.csv",
        "inputs": [lake.source("w/*.csv")],
        "run": "mkdir -p build; cp ${{ each.path }} build/${{ each.name }}",
        "outputs": ["build/${{ each.name }}"],
    }
    total = {"name": "total", "inputs": ["build/*"], "run": "cat build/* > all.txt"}
    lake.steps(clean, total | {"outputs": ["all.txt"]})
    assert lake.run() == ["clean (1.csv)", "clean (2.csv)", "total"]
    assert lake.run() == []
    assert (lake.asked, lake.bytes) == (["GET list"], 0)
    lake.put("w/3.csv", "3\n")
    assert lake.run() == ["clean (3.csv)", "total"]
    assert lake.bytes == 2, "only what the step reads is fetched"
    lake.delete("w/1.csv")
    assert lake.run() == ["total"]
    assert lake.repo.read("all.txt") == "2\n3\n"


@pytest.mark.parametrize("key", ["x/../../out.txt", "x/.git/hooks/post-commit"])
def test_a_name_that_leads_elsewhere_is_refused(lake: Lake, key: str, tmp_path: Path) -> None:
    lake.put(key, "evil")
    lake.steps(ALL | {"inputs": [lake.source("x/")]})
    lake.run(code=1)
    assert "cannot be used" in lake.notes[0] or "cannot be had" in lake.notes[0]
    assert not list(tmp_path.rglob("out.txt"))
    assert not (lake.repo.root / ".git/hooks/post-commit").exists()


def test_nothing_that_matches_and_no_bucket(lake: Lake) -> None:
    lake.steps(ALL | {"inputs": [lake.source("none/*.csv")]})
    lake.run(code=1)
    assert lake.notes[0] == f"s3://{lake.bucket}/none/*.csv: nothing matches"
    lake.steps(ALL | {"inputs": [{"url": "s3://nowhere/a", "path": "data/a"}]})
    lake.run(code=1)
    assert "s3://nowhere/a cannot be had" in lake.notes[0]


def test_without_credentials(lake: Lake) -> None:
    lake.steps(ALL | {"inputs": [lake.source("a", "data/a")]})
    lake.env = {"AWS_EC2_METADATA_DISABLED": "true"}
    lake.run(code=1)
    assert "there are no credentials for S3" in lake.notes[0]
