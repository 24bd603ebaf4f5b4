"""Data that git does not have: asked in each run, fetched for a step that runs, never stale."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mlpipe_ci.sources.base import ReaderError
from mlpipe_ci.sources.http import _accepted
from tests.support.repository import Repo
from tests.support.servers.web import File, Web, web

IGNORED = "data/\nclean.csv\nmodel\nother\n"
FIRST, SECOND = b"1,2\n" * 500, b"3,4\n" * 700


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as running:
        running.files["/raw.csv"] = File(FIRST)
        yield running


class Desk:
    """A workflow that reads one source, and what its last run did."""

    def __init__(self, repo: Repo, server: Web, url: str, **more: Any) -> None:
        self.repo, self.server = repo, server
        self.write(url, **more)

    def write(self, url: str, **more: Any) -> None:
        """Write the workflow file."""
        source = {"url": url, "path": "data/raw.csv", **more}
        steps = [
            _step("other", [".gitignore"], "other", "date > other"),
            _step("clean", [source], "clean.csv", "sort -u data/raw.csv > clean.csv"),
            _step("train", ["clean.csv"], "model", "cp clean.csv model"),
        ]
        self.repo.commit({"mlpipe.yml": json.dumps({"steps": steps}), ".gitignore": IGNORED})

    def run(self, *arguments: str, code: int = 0, **env: str) -> list[str]:
        """Names of the steps that succeeded."""
        done = self.repo.mlpipe("run", "--json", *arguments, code=code, **env)
        self.said = done.stderr
        self.report = json.loads(done.stdout)
        self.steps = {step["name"]: step for step in self.report["steps"]}
        return [name for name, step in self.steps.items() if step["status"] == "succeeded"]


def _step(name: str, inputs: list[Any], output: str, run: str) -> dict[str, Any]:
    return {"name": name, "inputs": inputs, "outputs": [output], "run": run}


@pytest.fixture
def desk(repo: Repo, server: Web) -> Desk:
    return Desk(repo, server, f"{server.url}/raw.csv")


def test_unchanged_costs_one_request_and_no_byte(desk: Desk) -> None:
    assert desk.run() == ["other", "clean", "train"]
    assert desk.server.told() == ["HEAD 200", "GET 200"]
    assert desk.repo.read("model") == "1,2\n"
    assert desk.run() == []
    assert desk.server.told() == ["HEAD 304"]
    desk.repo.mlpipe("plan")
    assert desk.server.told() == ["HEAD 304"]


def test_changed_runs_what_reads_it(desk: Desk) -> None:
    desk.run()
    desk.server.files["/raw.csv"] = File(SECOND)
    plan = json.loads(desk.repo.mlpipe("plan", "--json").stdout)["steps"]
    assert [one["action"] for one in plan] == ["reuse", "run", "maybe"]
    assert plan[1]["reasons"] == ["data/raw.csv changed at its source since the last run here"]
    assert desk.run() == ["clean", "train"]
    assert desk.repo.read("model") == "3,4\n"
    desk.server.files["/raw.csv"] = File(FIRST)
    desk.server.sent()
    assert desk.run() == [], "what it was before is known"
    assert desk.server.sent() == 0
    assert desk.repo.read("model") == "1,2\n"


KINDS = {
    "strong etag": File(FIRST),
    "etag alone": File(FIRST, modified="", length=None),
    "weak etag": File(FIRST, etag="weak"),
    "weak etag and size": File(FIRST, etag="weak", modified=""),
    "modified": File(FIRST, etag=""),
    "version": File(FIRST, etag="", version="v1", modified=""),
    "no head": File(FIRST, head=405),
    "signed for get": File(FIRST, head=403),
    "no head, modified": File(FIRST, head=501, etag=""),
    "with its md5": File(FIRST, md5=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_of_telling_a_version(desk: Desk, kind: str) -> None:
    file = desk.server.files["/raw.csv"] = File(**vars(KINDS[kind]))
    assert desk.run() == ["other", "clean", "train"]
    desk.server.requests.clear()
    assert desk.run() == []
    assert desk.server.sent() <= 2 * len(FIRST) * (file.head > 0)
    file.content, file.modified = SECOND, file.modified and "Thu, 22 Oct 2015 07:28:00 GMT"
    file.version = file.version and "v2"
    assert desk.run() == ["clean", "train"]
    assert desk.repo.read("model") == "3,4\n"
    assert "read as a whole" not in desk.said


@pytest.mark.parametrize("etag", ["", "weak"])
def test_without_a_version_the_content_tells_and_a_warning_says_so(desk: Desk, etag: str) -> None:
    file = desk.server.files["/raw.csv"] = File(FIRST, etag=etag, modified="", length=None)
    assert desk.run() == ["other", "clean", "train"]
    assert "says neither ETag nor Last-Modified with its size" in desk.said
    assert desk.run() == []
    file.content = SECOND
    assert desk.run() == ["clean", "train"]
    assert desk.repo.read("model") == "3,4\n"


def test_a_redirect_is_followed(desk: Desk) -> None:
    desk.server.files["/elsewhere"] = desk.server.files["/raw.csv"]
    desk.server.files["/raw.csv"] = File(b"", moved=f"{desk.server.url}/elsewhere")
    assert desk.run() == ["other", "clean", "train"]
    assert desk.run() == []
    desk.server.files["/elsewhere"] = File(SECOND)
    assert desk.run() == ["clean", "train"]


def test_a_redirect_to_what_is_not_encrypted_is_refused() -> None:
    first, second = requests.Response(), requests.Response()
    first.url, second.url = "https://example.org/a", "http://example.org/a"
    second.status_code, second.history, second.raw = 200, [first], io.BytesIO()
    with pytest.raises(ReaderError, match="not encrypted"):
        _accepted("GET", second)


@pytest.mark.parametrize(("status", "words"), [(404, "there is nothing (404)"), (410, "(410)")])
def test_what_is_gone_fails_the_step_whatever_the_file_says(
    desk: Desk, status: int, words: str
) -> None:
    desk.write(f"{desk.server.url}/raw.csv", **{"if-unreachable": "use-last"})
    desk.run()
    desk.server.files["/raw.csv"].statuses = [status] * 20
    assert desk.run("--force", "other", code=1) == ["other"]
    assert words in desk.steps["clean"]["notes"][0]
    assert desk.steps["train"]["status"] == "blocked"
    assert desk.repo.read("model") == "1,2\n", "nothing is lost by it"


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "access is denied (401)"), (403, "~/.netrc"), (500, "it answers 500"), (429, "429")],
)
def test_a_source_that_refuses_fails_the_step_that_needs_it(
    desk: Desk, status: int, words: str
) -> None:
    desk.server.files["/raw.csv"].statuses = [status] * 20
    assert desk.run(code=1) == ["other"]
    assert words in desk.steps["clean"]["notes"][0]
    assert f"{desk.server.url}/raw.csv cannot be had" in desk.steps["clean"]["notes"][0]
    plan = json.loads(desk.repo.mlpipe("plan", "--json").stdout)["steps"]
    assert plan[1]["action"] == "run"
    assert words in plan[1]["reasons"][0]


def test_a_fault_that_passes_is_not_seen(desk: Desk) -> None:
    desk.server.files["/raw.csv"].statuses = [503, 429]
    assert desk.run() == ["other", "clean", "train"]


def test_what_it_held_last_if_the_file_says_so(desk: Desk) -> None:
    desk.write(f"{desk.server.url}/raw.csv", **{"if-unreachable": "use-last"})
    desk.server.files["/raw.csv"].statuses = [503] * 20
    desk.run(code=1)
    assert "nothing is known of what it had last" in desk.steps["clean"]["notes"][0]
    desk.server.files["/raw.csv"].statuses = []
    desk.run()
    desk.server.files["/raw.csv"].statuses = [503] * 99
    assert desk.run() == []
    word = f"{desk.server.url}/raw.csv cannot be had (it answers 503); what it had last is used"
    assert desk.steps["clean"]["notes"] == [word]
    assert desk.run("--force", "clean") == ["clean"], "its content is in the cache"
    shutil.rmtree(desk.repo.root / ".git/mlpipe")  # as on a fresh runner
    assert desk.run() == []
    shutil.rmtree(os.environ["MLPIPE_CACHE_DIR"])
    assert desk.run(code=1) == ["other"]
    assert "cannot be had" in desk.steps["clean"]["notes"][0]


def test_a_content_is_fetched_once(desk: Desk, tmp_path: Path) -> None:
    desk.run()
    assert desk.server.sent() == len(FIRST)
    desk.run("--force", "clean")
    other = Repo(tmp_path / "other")
    desk.repo.git("clone", "-q", ".", str(other.root))
    again = Desk(other, desk.server, f"{desk.server.url}/raw.csv")
    assert again.run() == []
    assert not (other.root / "data").exists(), "nothing is put where no step runs"
    assert again.run("--force", "clean") == ["clean"]
    assert desk.server.sent() == 0
    desk.repo.mlpipe("cache", "gc")
    assert again.run("--force", "clean") == ["clean"]
    assert desk.server.sent() == 0


def test_a_broken_connection_is_gone_on_with(desk: Desk) -> None:
    content = b"0123456789\n" * 300_000
    desk.server.files["/raw.csv"] = File(content, cut=2_000_000)
    assert desk.run() == ["other", "clean", "train"]
    gets = [one for one in desk.server.requests if one.method == "GET"]
    assert [one.status for one in gets] == [200, 206]
    assert sum(one.sent for one in gets) <= len(content) + (2 << 20)
    assert (desk.repo.root / "data/raw.csv").read_bytes() == content


def test_one_that_cannot_be_gone_on_with_begins_again(desk: Desk) -> None:
    desk.server.files["/raw.csv"] = File(FIRST, etag="", cut=100)
    assert desk.run() == ["other", "clean", "train"]
    assert (desk.repo.root / "data/raw.csv").read_bytes() == FIRST


@pytest.mark.parametrize("length", [7, -7])
def test_a_length_that_is_a_lie_is_never_believed(desk: Desk, length: int) -> None:
    file = desk.server.files["/raw.csv"] = File(FIRST, length=length)
    file.before = lambda method: setattr(file, "length", 0 if method == "HEAD" else length)
    assert desk.run(code=1) == ["other"]
    assert "cannot be fetched" in desk.steps["clean"]["notes"][0] or (
        "has changed since" in desk.steps["clean"]["notes"][0]
    )
    file.before, file.length = lambda _method: None, 0
    assert desk.run() == ["clean", "train"]
    assert (desk.repo.root / "data/raw.csv").read_bytes() == FIRST


def test_bytes_that_are_not_those_of_their_md5_are_not_taken(desk: Desk) -> None:
    file = desk.server.files["/raw.csv"] = File(FIRST, md5=True)
    file.spoil = True
    assert desk.run(code=1) == ["other"]
    assert "its bytes are not those of its md5" in desk.steps["clean"]["notes"][0]
    file.spoil = False
    assert desk.run() == ["clean", "train"]


def test_one_that_changes_between_question_and_fetch_is_decided_again(desk: Desk) -> None:
    file = desk.server.files["/raw.csv"]

    def change(method: str) -> None:
        if method == "GET":
            file.content = SECOND

    file.before = change
    assert desk.run() == ["other", "clean", "train"]
    assert desk.repo.read("model") == "3,4\n"
    desk.server.requests.clear()
    assert desk.run() == [], "the result is that of what was read"


def test_one_that_changes_all_the_time_fails_in_the_end(desk: Desk) -> None:
    file = desk.server.files["/raw.csv"]
    count = iter(range(10_000))
    file.before = lambda _method: setattr(file, "content", b"%d" % next(count))
    assert desk.run(code=1) == ["other"]
    assert "has changed since this run began" in desk.steps["clean"]["notes"][0]


def test_a_signature_is_in_no_key_log_or_report(desk: Desk, tmp_path: Path) -> None:
    desk.write(f"{desk.server.url}/raw.csv?part=1&X-Amz-Signature=5ecre7&token=5ecre7")
    assert desk.run("--report", "r.json", "--html", "r.html") == ["other", "clean", "train"]
    desk.write(f"{desk.server.url}/raw.csv?part=1&X-Amz-Signature=0ther5ecre7&token=x")
    assert desk.run() == [], "another signature is the same data"
    desk.write(f"{desk.server.url}/raw.csv?part=2&X-Amz-Signature=0ther5ecre7&token=x")
    assert desk.run() == ["clean", "train"] or desk.run() == [], "another part is other data"
    desk.server.files["/raw.csv"].statuses = [403] * 20
    desk.run(code=1)
    told = desk.said + json.dumps(desk.report)
    places = [Path(os.environ["MLPIPE_CACHE_DIR"]), desk.repo.root / ".git/mlpipe"]
    places += [desk.repo.root / "r.json", desk.repo.root / "r.html"]
    files = [f for p in places for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file()]
    assert len(files) > 5
    for file in files:
        if file.parent.name != "workflows":  # the workflow file itself, as it was read
            assert b"5ecre7" not in file.read_bytes(), file
    assert "5ecre7" not in told


def test_credentials_come_from_netrc_and_stay_with_their_host(desk: Desk, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    desk.server.files["/raw.csv"].user = "me:mine"
    desk.run(code=1)
    assert desk.run(NETRC=str(netrc)) == ["clean", "train"]
    assert b"mine" not in b"".join(
        f.read_bytes() for f in Path(os.environ["MLPIPE_CACHE_DIR"]).rglob("*") if f.is_file()
    )
    with web() as other:
        other.files["/raw.csv"] = File(SECOND)
        address = other.url.replace("127.0.0.1", "localhost")
        desk.server.files["/raw.csv"] = File(b"", moved=f"{address}/raw.csv", user="me:mine")
        desk.run(NETRC=str(netrc))
        assert all("authorization" not in one.headers for one in other.requests)
        assert other.requests


def test_a_file_of_the_user_in_its_place_is_moved_not_lost(desk: Desk) -> None:
    desk.repo.write({"data/raw.csv": "mine"})
    assert desk.run() == ["other", "clean", "train"]
    kept = desk.repo.root / ".git/mlpipe/aside/replaced/sources/data/raw.csv"
    assert kept.read_text() == "mine"
    assert "and not from there, so moved to" in desk.steps["clean"]["notes"][0]
    desk.repo.write({"data/raw.csv": "edited"})
    assert desk.run() == [], "what counts is the source"
    desk.server.files["/raw.csv"] = File(SECOND)
    assert desk.run() == ["clean", "train"]
    assert desk.repo.read("model") == "3,4\n"


def test_nothing_is_written_through_a_link(repo: Repo, tmp_path: Path) -> None:
    share, outside = tmp_path / "share" / "sub", tmp_path / "outside"
    share.mkdir(parents=True)
    outside.mkdir()
    (share / "a.csv").write_text("1\n")
    source = {"url": f"file://{share.parent}/", "path": "data/"}
    step = _step("all", [source], "model", "cat data/sub/a.csv > model")
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]}), ".gitignore": IGNORED})
    (repo.root / "data").mkdir()
    (repo.root / "data/sub").symlink_to(outside)
    assert "leads through the link 'data/sub'" in repo.mlpipe("run", code=2).stdout
    assert list(outside.iterdir()) == []


def test_what_git_tracks_is_no_place_for_a_source(desk: Desk) -> None:
    desk.repo.git("rm", "-q", "--cached", ".gitignore")
    desk.repo.write({".gitignore": "clean.csv\nmodel\nother\n", "data/raw.csv": "tracked"})
    desk.repo.commit()
    assert desk.run(code=2) == ["other"]
    assert "and git tracks data/raw.csv there" in desk.steps["clean"]["notes"][0]
    assert desk.repo.read("data/raw.csv") == "tracked"
    assert "git tracks data/raw.csv" in desk.repo.mlpipe("validate").stderr


def test_who_needs_it_not_does_not_ask(desk: Desk) -> None:
    desk.run("--only", "other")
    desk.repo.mlpipe("validate")
    desk.repo.mlpipe("graph")
    assert desk.server.told() == []


def test_another_step_may_read_what_came(desk: Desk) -> None:
    text = json.loads(desk.repo.read("mlpipe.yml"))
    text["steps"].append(_step("count", ["data/*.csv"], "n", "wc -l data/raw.csv > n"))
    desk.repo.write({"mlpipe.yml": json.dumps(text), ".gitignore": IGNORED + "n\n"})
    assert desk.run()[-1] == "count"
    shutil.rmtree(desk.repo.root / "data")
    assert desk.run() == []
    assert desk.run("--force", "count") == ["count"], "it comes for this step as well"


def test_many_are_asked_at_the_same_time(repo: Repo, server: Web) -> None:
    inputs: list[Any] = []
    for number in range(12):
        server.files[f"/{number}"] = File(b"x", before=lambda _method: time.sleep(0.05))
        inputs.append({"url": f"{server.url}/{number}", "path": f"data/{number}"})
    step = _step("all", inputs, "model", "cat data/* > model")
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]}), ".gitignore": IGNORED})
    repo.mlpipe("run")
    assert repo.read("model") == "x" * 12
    assert server.most_at_once > 3


def test_a_server_that_never_answers_is_given_up(desk: Desk) -> None:
    hang = threading.Event()
    desk.server.files["/raw.csv"].before = lambda _method: print(hang.wait(20))
    try:
        assert desk.run(code=1, MLPIPE_REMOTE_TIMEOUT="0.3") == ["other"]
    finally:
        hang.set()
    assert "no answer in time" in desk.steps["clean"]["notes"][0]


def test_files_of_a_share(repo: Repo, server: Web, tmp_path: Path) -> None:
    share = tmp_path / "share" / "weeks"
    share.mkdir(parents=True)
    for week in (1, 2):
        (share / f"week {week}.csv").write_text(f"{week}\n")
    source = {"url": f"file://{share}/*.csv", "path": "data/weeks/"}
    step = _step("all", [source], "model", "cat data/weeks/*.csv > model")
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]}), ".gitignore": IGNORED})
    repo.mlpipe("run")
    assert repo.read("model") == "1\n2\n"
    (share / "week 3.csv").write_text("3\n")
    (share / "note.txt").write_text("no week")
    (share / "week 1.csv").unlink()
    repo.write({"data/weeks/mine.csv": "mine\n"})
    done = repo.mlpipe("run")
    assert (
        "data/weeks/week 1.csv removed since the last run here, data/weeks/week 3.csv added"
        in done.stdout
    )
    assert repo.read("model") == "2\n3\n"
    kept = repo.root / ".git/mlpipe/aside/replaced/sources/data/weeks/mine.csv"
    assert kept.read_text() == "mine\n"
    assert "nothing to run" in repo.mlpipe("plan").stderr
    shutil.rmtree(share)
    assert "there is no directory" in repo.mlpipe("run", code=1).stdout


def test_lineage_goes_back_to_the_source(desk: Desk) -> None:
    desk.run()
    told = desk.repo.mlpipe("show", "data/raw.csv").stdout
    assert f"source {desk.server.url}/raw.csv" in told


def test_interrupted_while_it_is_fetched_it_is_gone_on_with(desk: Desk, tmp_path: Path) -> None:
    content = b"0123456789\n" * 400_000
    file = desk.server.files["/raw.csv"] = File(content, hold=2_000_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"],
        cwd=desk.repo.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    waiting = Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1" / "tmp"
    end = time.monotonic() + 20
    while not any(one.stat().st_size > 1_000_000 for one in waiting.glob("source-*")):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    file.hold = 0
    desk.server.requests.clear()
    assert desk.run()[-2:] == ["clean", "train"]
    assert (desk.repo.root / "data/raw.csv").read_bytes() == content
    assert "GET 206" in desk.server.told()


def test_a_cache_that_cannot_be_written(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    assert desk.run(code=2, MLPIPE_CACHE_DIR=str(tmp_path / "file" / "x")) == ["other"]
    assert "cannot be saved in the cache: Not a directory" in desk.steps["clean"]["notes"][0]


def test_objects_of_one_url_are_told_apart_whatever_their_times(repo: Repo, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    for name in ("p", "q"):
        (share / f"{name}.csv").write_text(f"{name}\n")
        os.utime(share / f"{name}.csv", (1_700_000_000, 1_700_000_000))
    source = {"url": f"file://{share}/*.csv", "path": "data/"}
    step = _step("all", [source], "model", "cat data/*.csv > model")
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]}), ".gitignore": IGNORED})
    repo.mlpipe("run")
    assert repo.read("model") == "p\nq\n"


def test_a_file_that_goes_back_to_an_older_one_is_seen(desk: Desk) -> None:
    """A server may answer 304 to If-Modified-Since where the file is older."""
    old, new = "Wed, 21 Oct 2015 07:28:00 GMT", "Thu, 22 Oct 2015 07:28:00 GMT"
    desk.server.files["/raw.csv"] = File(b"good\n", etag="", modified=old, older=True)
    desk.run()
    desk.server.files["/raw.csv"] = File(b"broken\n", etag="", modified=new, older=True)
    desk.run()
    assert desk.repo.read("model") == "broken\n"
    desk.server.files["/raw.csv"] = File(b"good\n", etag="", modified=old, older=True)
    desk.run()
    assert desk.repo.read("model") == "good\n"


def test_a_step_that_reads_a_source_without_naming_it_fails_with_the_remedy(desk: Desk) -> None:
    text = json.loads(desk.repo.read("mlpipe.yml"))
    text["steps"].append({"name": "peek", "run": "cat data/raw.csv > n"})
    desk.repo.write({"mlpipe.yml": json.dumps(text), ".gitignore": IGNORED + "n\n"})
    desk.run(code=1, MLPIPE_TRACER="notify")
    assert desk.steps["peek"]["status"] == "failed"
    assert "it read 'data/raw.csv', which comes from" in desk.steps["peek"]["notes"][0]
    shutil.rmtree(desk.repo.root / "data")
    desk.run(code=1)
    assert "name it in inputs" in " ".join(desk.steps["peek"]["notes"])


def test_a_share_that_is_not_mounted_is_one_that_cannot_be_reached(
    repo: Repo, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.csv").write_text("1\n")
    source = {"url": f"file://{share}/*.csv", "path": "data/", "if-unreachable": "use-last"}
    step = _step("all", [source], "model", "cat data/*.csv > model")
    repo.commit({"mlpipe.yml": json.dumps({"steps": [step]}), ".gitignore": IGNORED})
    repo.mlpipe("run")
    (share / "a.csv").unlink()
    assert "what it had last is used" in repo.mlpipe("run").stdout, "an empty mount point"
    share.rmdir()
    done = repo.mlpipe("run")
    assert "what it had last is used" in done.stdout
    assert "what it had last is used" in repo.mlpipe("report").stdout
