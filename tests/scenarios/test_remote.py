"""The remote cache from end to end: a fresh runner executes nothing, and nobody is poisoned."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import payload
from tests.support.repository import ROOT, Repo
from tests.support.servers.github import TOKEN, serve
from tests.support.servers.s3 import Fault, Rule, Server, s3

WORKFLOW = """
cache: {{remote: "s3://{bucket}/top"}}
steps:
  - name: clean
    run: cat data/*.csv > clean.txt; head -c 300000 /dev/urandom > noise.bin; echo cleaned
    inputs: [data/]
    outputs: [clean.txt, noise.bin]
  - name: many
    run: mkdir -p out; for i in $(seq 150); do echo $i > out/$i; done
    inputs: [clean.txt]
    outputs: [out/]
  - name: score
    run: "echo '{{\\"auc\\": 0.9}}' > metrics.json; echo scored"
    inputs: [out/, score.py]
    metrics: [metrics.json]
"""
FILES = {"data/a.csv": "1\n2\n", "score.py": "1", ".gitignore": "clean.txt\nnoise.bin\nout/\n"}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with s3() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.faults = lambda _method, _path: None
    running.policy = {}
    running.requests.clear()
    return running


class Team:
    """A repository, and machines that share nothing but a bucket."""

    def __init__(self, repo: Repo, server: Server, tmp_path: Path) -> None:
        self.repo, self.server, self.tmp_path = repo, server, tmp_path
        self.bucket = server.bucket(f"bucket-{os.urandom(6).hex()}")
        repo.commit({**FILES, "mlpipe.yml": WORKFLOW.format(bucket=self.bucket)})

    def machine(self, name: str, ref: str = "main", **env: str) -> "Machine":
        """A fresh clone of depth 1, with an empty cache."""
        url = f"file://{self.repo.root}"
        path = self.tmp_path / name / "work"
        self.repo.git("clone", "-q", "--depth", "1", "-b", ref, url, str(path))
        cache = str(self.tmp_path / name / "cache")
        return Machine(path, {**self.server.env(), "MLPIPE_CACHE_DIR": cache, **env})


class Machine(Repo):
    """A clone, and what mlpipe finds in its environment."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        super().__init__(root)
        self.env = env

    def ask(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run mlpipe here."""
        env: dict[str, Any] = self.env
        return self.mlpipe(*arguments, code=code, **env)

    def report(self, *arguments: str) -> dict[str, Any]:
        """Run the workflow; returns the report."""
        done = self.ask("run", "--json", *arguments)
        report: dict[str, Any] = json.loads(done.stdout)
        report["said"] = done.stderr
        return report


def statuses(report: dict[str, Any]) -> list[str]:
    return [step["status"] for step in report["steps"]]


@pytest.fixture
def team(repo: Repo, server: Server, tmp_path: Path) -> Team:
    return Team(repo, server, tmp_path)


ALL_RAN, ALL_REUSED = ["succeeded"] * 3, ["reused"] * 3


def test_the_second_machine_executes_nothing(team: Team) -> None:
    first = team.machine("a").report("--push")
    assert statuses(first) == ALL_RAN
    assert first["transfers"]["failed"] == 0
    other = team.machine("b")
    planned = json.loads(other.ask("plan", "--json").stdout)
    assert [step["action"] for step in planned["steps"]] == ["reuse"] * 3
    second = other.report()
    assert statuses(second) == ALL_REUSED
    assert second["steps"][2]["metrics"] == {"auc": 0.9}
    assert (other.root / "noise.bin").read_bytes() == (
        team.tmp_path / "a/work/noise.bin"
    ).read_bytes()
    assert len(list((other.root / "out").iterdir())) == 150
    assert second["transfers"]["fetched"] == 7, "two files, a pack, metrics, three logs"
    assert second["transfers"]["stored"] == 0


def test_no_more_is_fetched_than_what_a_step_reads(team: Team) -> None:
    team.machine("a").report("--push")
    other = team.machine("b")
    other.write({"score.py": "2"})
    team.server.requests.clear()
    report = other.report("--outputs", "needed")
    assert statuses(report) == ["reused", "reused", "succeeded"]
    fetched = sum(r.received for r in team.server.requests if "/objects/" in r.path)
    assert 0 < fetched < 20_000, "the pack alone, not the noise"
    assert not (other.root / "noise.bin").exists()
    assert report["transfers"]["fetched"] == 1
    assert len([r for r in team.server.requests if r.method == "GET"]) <= 5


def test_what_is_here_is_not_asked_for(team: Team) -> None:
    machine = team.machine("a")
    machine.report("--push")
    team.server.requests.clear()
    report = machine.report()
    assert statuses(report) == ALL_REUSED
    assert team.server.requests == []
    assert report["transfers"]["requests"] == 0


def test_a_desk_sends_nothing_unless_it_is_asked_to(team: Team) -> None:
    machine = team.machine("a")
    machine.report()
    assert team.server.objects(team.bucket) == {}
    report = machine.report("--push")
    assert statuses(report) == ALL_REUSED, "what was made before is sent as well"
    assert report["transfers"]["stored"] > 3
    assert statuses(team.machine("b").report()) == ALL_REUSED


def test_logs_of_reused_steps_are_there(team: Team) -> None:
    team.machine("a").report("--push")
    other = team.machine("b")
    other.report()
    assert "scored" in other.ask("logs", "score").stdout


# -- trust -------------------------------------------------------------------------------------


def on_github(tmp_path: Path, name: str, ref: str, told: dict[str, Any]) -> dict[str, str]:
    """The variables of a job; they hold for a machine whose key is that of the event."""
    path = tmp_path / f"event-{os.urandom(4).hex()}.json"
    path.write_text(json.dumps(told))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REF": ref,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ID": "12",
        "GITHUB_SERVER_URL": "http://127.0.0.1:9",
        "GITHUB_API_URL": "http://127.0.0.1:9",
    }


def pull_request(tmp_path: Path, *, fork: bool = False, **more: str) -> dict[str, str]:
    head = {"repo": {"full_name": "stranger/r" if fork else "o/r"}}
    sides = {"number": 7, "head": head, "base": {"repo": {"full_name": "o/r"}}}
    told = payload("pull_request", "opened", number=7, pull_request=sides)
    return on_github(tmp_path, "pull_request", "refs/pull/7/merge", told) | more


def push(tmp_path: Path) -> dict[str, str]:
    return on_github(tmp_path, "push", "refs/heads/main", payload("push"))


def scopes(team: Team) -> set[str]:
    keys = (key.split("/") for key in team.server.objects(team.bucket))
    return {"/".join(words[2:4]) if words[2] == "pr" else words[2] for words in keys}


def test_each_event_writes_its_own_scope_and_a_fork_none(team: Team, tmp_path: Path) -> None:
    team.machine("fork", **pull_request(tmp_path, fork=True)).report()
    assert scopes(team) == set()
    team.machine("pr", **pull_request(tmp_path)).report()
    assert scopes(team) == {"pr/7"}
    report = team.machine("main", **push(tmp_path)).report()
    assert statuses(report) == ALL_RAN, "a pull request's results are not main's"
    assert scopes(team) == {"pr/7", "main"}
    report = team.machine("other fork", **pull_request(tmp_path, fork=True)).report()
    assert statuses(report) == ALL_REUSED, "main's can be read"
    assert statuses(team.machine("pr again", **pull_request(tmp_path)).report()) == ALL_REUSED


def test_a_poisoned_pull_request_changes_nothing_for_main(team: Team, tmp_path: Path) -> None:
    """With a bucket policy, as docs/security.md has it: even a thief of the credentials fails."""
    team.server.policy = {
        "main": Rule(reads=("top/",), writes=("top/v1/main/",)),
        "pr": Rule(reads=("top/",), writes=("top/v1/pr/7/",)),
    }
    evil = team.machine("evil", **pull_request(tmp_path), AWS_ACCESS_KEY_ID="pr")
    evil.write({"data/b.csv": "3\n"})
    evil.report("--force")
    assert scopes(team) == {"pr/7"}
    thief = {**evil.env, **push(tmp_path), "AWS_ACCESS_KEY_ID": "pr"}
    stolen = Machine(evil.root, thief).report("--force")
    assert scopes(team) == {"pr/7"}
    assert stolen["result"] == "success"
    assert stolen["transfers"]["failed"] > 0
    assert "do not allow it" in " ".join(stolen["transfers"]["warnings"])
    good = team.machine("good", **push(tmp_path))
    good.write({"data/b.csv": "3\n"})
    assert statuses(good.report()) == ALL_RAN
    assert scopes(team) == {"pr/7", "main"}


def test_pull_request_target_is_refused(team: Team, tmp_path: Path) -> None:
    env = pull_request(tmp_path) | {"GITHUB_EVENT_NAME": "pull_request_target"}
    machine = team.machine("a", **env)
    done = machine.ask("run", code=2)
    assert "rights of this repository" in done.stdout + done.stderr
    machine.report("--allow-untrusted")
    assert scopes(team) == set()


def test_a_secret_in_an_output_is_not_stored(team: Team) -> None:
    text = """
cache: {{remote: "s3://{bucket}/top"}}
steps:
  - name: leak
    run: echo "key=$KEY" > out.txt
    inputs: [data/]
    outputs: [out.txt]
    env: {{KEY: "${{{{ secrets.API_KEY }}}}"}}
"""
    machine = team.machine("a", API_KEY="hunter2-hunter2")
    machine.write({"mlpipe.yml": text.format(bucket=team.bucket)})
    report = machine.report("--push")
    assert "holds the value of a secret" in report["steps"][0]["notes"][0]
    assert team.server.objects(team.bucket) == {}
    assert not list(Path(machine.env["MLPIPE_CACHE_DIR"]).glob("v1/objects/*/*"))


def test_a_merge_reuses_what_its_pull_request_made_if_the_file_says_so(
    team: Team, tmp_path: Path
) -> None:
    text = WORKFLOW.format(bucket=team.bucket)
    team.repo.commit({"mlpipe.yml": text.replace('/top"}', '/top", promote: merged}')})
    team.machine("pr", **pull_request(tmp_path)).report()
    commit = team.repo.git("rev-parse", "HEAD")
    side = {"repo": {"full_name": "o/r"}}
    pull = {"number": 7, "merge_commit_sha": commit, "merged_at": "2026-01-01", "head": side}
    with serve() as github:
        env = push(tmp_path) | {"GITHUB_API_URL": github.url, "MLPIPE_TOKEN": TOKEN}
        env |= {"GITHUB_SHA": commit}
        github.pulls[commit] = [{**pull, "base": {"repo": {"full_name": "other/r"}}}]
        report = team.machine("foreign", **env).report("--force", "score")
        assert statuses(report) == ALL_RAN, "of another repository"
        for key in team.server.objects(team.bucket):
            if "/main/" in key:
                team.server.delete(team.bucket, key)
        github.pulls[commit] = [{**pull, "base": side}]
        assert statuses(team.machine("merge", **env).report()) == ALL_REUSED
    assert "main" in scopes(team), "from now on they are main's"
    plain = team.machine("next", **push(tmp_path))
    assert statuses(plain.report()) == ALL_REUSED


# -- what goes wrong -----------------------------------------------------------------------------


def test_a_lost_or_damaged_content_is_made_again(team: Team) -> None:
    team.machine("a").report("--push")
    keys = [key for key in team.server.objects(team.bucket) if "/objects/" in key]
    for key in keys:
        data = bytearray(team.server.get(team.bucket, key))
        data[len(data) // 2] ^= 1
        team.server.put(team.bucket, key, bytes(data))
    report = team.machine("b").report("--push")
    assert report["result"] == "success"
    assert report["steps"][0]["status"] == "succeeded"
    assert "damaged" in report["steps"][0]["reasons"][0]
    again = team.machine("c").report()
    assert statuses(again) == ALL_REUSED, again["steps"]


def test_a_result_that_is_damaged_is_a_miss_and_is_written_anew(team: Team) -> None:
    team.machine("a").report("--push")
    for key in team.server.objects(team.bucket):
        if "/results/" in key or "/recent/" in key:
            team.server.put(team.bucket, key, b"nonsense")
    assert statuses(team.machine("b").report("--push")) == ALL_RAN
    assert statuses(team.machine("c").report()) == ALL_REUSED


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"AWS_ACCESS_KEY_ID": ""}, "not used"),
        ({"MLPIPE_REMOTE_TIMEOUT": "x"}, "not a number of seconds"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_warning(
    team: Team, env: dict[str, str], word: str
) -> None:
    report = team.machine("a", AWS_EC2_METADATA_DISABLED="true", **env).report("--push")
    assert statuses(report) == ALL_RAN
    said = [line for line in report["said"].splitlines() if line.startswith("warning")]
    assert len(said) == 1
    assert word in said[0]
    assert report["transfers"]["failed"] > 0


def test_a_bucket_that_is_not_there(team: Team) -> None:
    machine = team.machine("a")
    machine.write({"mlpipe.yml": WORKFLOW.format(bucket="no-such-bucket")})
    report = machine.report("--push")
    assert statuses(report) == ALL_RAN
    assert "there is no such bucket" in report["said"]


@pytest.mark.parametrize("remote", ["ftp://x/y", "s3:///x", "s3://key:word@bucket/x"])
def test_an_address_that_is_wrong_stops_the_run(team: Team, remote: str) -> None:
    machine = team.machine("a")
    text = WORKFLOW.format(bucket="b").replace("s3://b/top", remote)
    machine.write({"mlpipe.yml": text})
    done = machine.ask("run", code=2)
    assert "cache.remote" in done.stderr
    assert "word" not in done.stderr


def test_it_can_be_left_out(team: Team) -> None:
    report = team.machine("a", AWS_ENDPOINT_URL="http://127.0.0.1:9").report("--no-remote")
    assert "transfers" not in report
    assert "warning" not in report["said"]


def test_the_doctor_tries_it(team: Team) -> None:
    machine = team.machine("a")
    told = machine.ask("doctor").stdout
    assert f"✔ remote    s3://{team.bucket}/top can be read and written" in told
    assert team.server.objects(team.bucket) == {}
    team.server.policy = {"main": Rule(writes=())}
    told = machine.ask("doctor").stdout
    assert "can be read, but not written with these credentials" in told
    team.server.faults = lambda _method, _path: Fault(status=403, code="ExpiredToken")
    assert "log in again" in machine.ask("doctor", code=1).stdout


# -- the pack of GitHub's cache --------------------------------------------------------------------


def packed(repo: Repo, tmp_path: Path, *arguments: str, name: str = "cache") -> dict[str, Any]:
    """A run on a fresh machine that has the pack of the one before."""
    cache = tmp_path / f"{name}-{os.urandom(4).hex()}"
    env: dict[str, Any] = {
        "MLPIPE_PACK": str(tmp_path / "pack"),
        "MLPIPE_CACHE_DIR": str(cache),
    }
    shutil.rmtree(repo.root / ".git" / "mlpipe", ignore_errors=True)
    repo.git("clean", "-fdxq")
    told: dict[str, Any] = json.loads(repo.mlpipe("run", "--json", *arguments, **env).stdout)
    return told


def test_a_pack_holds_what_the_last_run_used_and_says_if_it_changed(
    repo: Repo, tmp_path: Path
) -> None:
    text = WORKFLOW.format(bucket="b").replace('cache: {remote: "s3://b/top"}', "")
    repo.commit({**FILES, "mlpipe.yml": text})
    mark, pack = tmp_path / "pack.changed", tmp_path / "pack"
    assert statuses(packed(repo, tmp_path)) == ALL_RAN
    mark.unlink()
    assert statuses(packed(repo, tmp_path)) == ALL_REUSED
    assert not mark.exists()
    before = {path for path in pack.rglob("*") if path.is_file()}
    repo.commit({"data/a.csv": "9\n"})
    assert statuses(packed(repo, tmp_path)) == [*ALL_RAN[:2], "reused"]
    assert mark.exists()
    after = {path for path in pack.rglob("*") if path.is_file()}
    assert len(after) <= len(before), "what is not used any more has gone"


@pytest.mark.parametrize("how", ["cut", "flipped", "foreign", "empty", "gone"])
def test_a_pack_that_is_not_what_it_should_be_is_a_miss(
    repo: Repo, tmp_path: Path, how: str
) -> None:
    text = WORKFLOW.format(bucket="b").replace('cache: {remote: "s3://b/top"}', "")
    repo.commit({**FILES, "mlpipe.yml": text})
    packed(repo, tmp_path)
    for path in list((tmp_path / "pack").rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        wrong = {"cut": data[:middle], "flipped": flipped, "foreign": b"PK" + data, "empty": b""}
        path.unlink()
        if how in wrong:
            path.write_bytes(wrong[how])
    report = packed(repo, tmp_path)
    assert statuses(report) == ALL_RAN
    assert (repo.root / "clean.txt").read_text() == FILES["data/a.csv"]
    assert statuses(packed(repo, tmp_path)) == ALL_REUSED, "it is whole again"


# -- looking after it ----------------------------------------------------------------------------


def test_push_pull_status_and_list(team: Team) -> None:
    first = team.machine("a")
    first.report()
    done = first.ask("cache", "push")
    assert "3 results; fetched 0 contents (0 B), sent" in done.stdout
    assert "main: 3 results" in first.ask("cache", "status", "--remote").stdout
    told = json.loads(first.ask("cache", "ls", "--remote", "--json").stdout)
    assert {row["step"] for row in told["results"]} == {"clean", "many", "score"}
    assert {row["producer"]["event"] for row in told["results"]} == {"desk"}
    second = team.machine("b")
    second.ask("cache", "pull")
    assert statuses(second.report("--no-remote")) == ALL_REUSED
    assert "clean" in second.ask("cache", "ls").stdout


def test_a_collection_keeps_what_main_needs(team: Team, tmp_path: Path) -> None:
    main = team.machine("main", **push(tmp_path))
    main.report()
    pull = team.machine("pr", **pull_request(tmp_path))
    pull.write({"data/b.csv": "3\n"})
    pull.report()
    before = team.server.objects(team.bucket)
    args = ("cache", "gc", "--remote", "--max-age", "0")
    young = json.loads(main.ask(*args, "--json").stdout)
    assert young["removed"] == 0, "what is a day old at most may be in use"
    code = (
        "import time; t = time.time; time.time = lambda: t() + 1e6\n"
        "import sys; from mlpipe_ci.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    later = [sys.executable, "-c", code, *args, "--json"]
    env = os.environ | main.env | {"PYTHONPATH": str(ROOT)}
    run = [*later, "--dry-run"]
    dry = subprocess.run(run, cwd=main.root, env=env, capture_output=True, check=False)
    assert dry.returncode == 0, dry.stderr.decode()
    assert json.loads(dry.stdout)["removed"] > 0
    assert team.server.objects(team.bucket) == before
    subprocess.run(later, cwd=main.root, env=env, capture_output=True, check=True)
    left = team.server.objects(team.bucket)
    assert {key for key in left if "/main/" in key} == {key for key in before if "/main/" in key}
    assert not [key for key in left if "/pr/7/objects" in key and key not in left]
    assert statuses(team.machine("next", **push(tmp_path)).report()) == ALL_REUSED


# -- a store that fails at random ------------------------------------------------------------------


def failing(seed: int) -> Callable[[str, str], Fault | None]:
    """Each third request or so goes wrong, in a way of its own."""
    chance, lock = random.Random(seed), threading.Lock()  # noqa: S311 - seeded
    kinds = [
        Fault(drop="before"),
        Fault(drop="middle"),
        Fault(delay=0.2),
        Fault(delay=1.5),
        Fault(cut=5),
        Fault(flip=True),
        Fault(status=500, code="InternalError"),
        Fault(status=503, code="SlowDown"),
        Fault(status=403, code="AccessDenied"),
        Fault(status=429),
        Fault(etag='"of another"'),
        Fault(drip=0.05),
    ]

    def fault(_method: str, _path: str) -> Fault | None:
        with lock:
            return chance.choice(kinds) if chance.random() < 0.35 else None

    return fault


def faulty_runs(team: Team, seed: int, count: int) -> None:
    """Machines come and go; data changes now and then; what comes out is always right."""
    chance = random.Random(seed)  # noqa: S311 - seeded
    for number in range(count):
        machine = team.machine(f"{seed}-{number}", MLPIPE_REMOTE_TIMEOUT="1")
        rows = "".join(f"{chance.randrange(3)}\n" for _ in range(2))
        machine.write({"data/a.csv": rows})
        done = machine.ask("run", "--json", "--push")
        report = json.loads(done.stdout)
        assert report["result"] == "success", done.stderr
        assert (machine.root / "clean.txt").read_text() == rows
        assert len(list((machine.root / "out").iterdir())) == 150
        assert json.loads((machine.root / "metrics.json").read_text()) == {"auc": 0.9}
        assert (machine.root / "noise.bin").stat().st_size == 300_000
        shutil.rmtree(machine.root.parent)


def test_a_store_that_fails_at_random_changes_no_output(team: Team) -> None:
    team.server.faults = failing(1)
    faulty_runs(team, 1, 4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_many_runs_over_a_store_that_fails_at_random(team: Team, seed: int) -> None:
    """Five machines at a time: two tests, five threads, twenty-five runs."""
    team.server.faults = failing(seed)
    with ThreadPoolExecutor(5) as pool:
        tasks = [pool.submit(faulty_runs, team, 10 * seed + one, 25) for one in range(5)]
        for task in tasks:
            task.result()
