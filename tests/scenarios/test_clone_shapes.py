"""Odd clones, odd names, odd configurations: each of these was wrong once."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import ZEROS, Hub, Job, payload
from tests.support.repository import Repo
from tests.support.servers.git import GitServer


def commits(hub: Hub, count: int, name: str) -> None:
    """So many commits on the branch that is checked out, each a file."""
    branch = hub.desk.git("symbolic-ref", "HEAD")
    head = hub.desk.git("rev-parse", "HEAD")
    stream = f"reset {branch}\nfrom {head}\n"
    for n in range(count):
        stream += f"commit {branch}\ncommitter A <a@example.invalid> {10**9 + n} +0000\n"
        stream += f"data 1\nc\nM 100644 inline {name}-{n}.txt\ndata 1\n1\n"
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=hub.desk.root, input=stream.encode(), check=True
    )
    hub.desk.git("reset", "-q", "--hard")


def new_branch(**more: Any) -> dict[str, Any]:
    return payload("push", before=ZEROS, ref="refs/heads/topic", created=True, commits=[], **more)


TOPIC = {"GITHUB_REF": "refs/heads/topic"}


@pytest.mark.parametrize("count", [60, 130])
def test_a_branch_that_left_long_ago(hub: Hub, tmp_path: Path, count: int) -> None:
    fork = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("checkout", "-q", "main")
    commits(hub, count, "main")
    hub.push()
    plan = hub.clone(tmp_path / "job", "topic").plan("push", new_branch(), **TOPIC)
    assert (plan.base, plan.changed) == (fork, {"data/a.csv": "modified"})


def test_an_older_branch_that_was_merged_since(hub: Hub, tmp_path: Path) -> None:
    """The first ancestor that a cut history shows is not the best one."""
    hub.desk.git("branch", "old")
    commits(hub, 5, "before")
    fork = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("checkout", "-q", "old")
    hub.desk.commit({"old.txt": "1"})
    hub.desk.git("checkout", "-q", "main")
    commits(hub, 60, "main")
    hub.desk.git("merge", "-q", "-m", "Merge old", "old")
    hub.push()
    plan = hub.clone(tmp_path / "job", "topic").plan("push", new_branch(), **TOPIC)
    assert (plan.base, plan.changed) == (fork, {"data/a.csv": "modified"})


def test_an_asked_base_in_a_shallow_clone(hub: Hub, tmp_path: Path) -> None:
    fork = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("checkout", "-q", "main")
    commits(hub, 3, "main")
    hub.push()
    tip = hub.desk.git("rev-parse", "main")
    job = hub.clone(tmp_path / "job", "topic")
    job.git("fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main")
    for name in ("origin/main", "main", tip):
        plan = job.plan("push", new_branch(), "--base", name, **TOPIC)
        assert (plan.base, plan.changed) == (fork, {"data/a.csv": "modified"}), name
    desk = Repo(tmp_path / "desk")
    desk.root.mkdir()
    url = f"{hub.server.url}/o/r"
    told = desk.mlpipe("plan", "--repo", url, "--ref", "topic", "--base", tip)
    assert "1 path changed" in told.stderr, told.stderr


def test_the_target_of_a_pull_request_is_not_its_merge(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("checkout", "-q", "-b", "other")
    hub.desk.commit({"docs/other.md": "1"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.git("merge", "-q", "--no-ff", "-m", "An earlier pull request", "other")
    hub.push()
    event = payload("pull_request", pull_request={"number": 7, "base": {"ref": "main"}})
    plan = hub.clone(tmp_path / "job", "main").plan("pull_request_target", event)
    assert plan.changed == {}


def test_a_tag_in_a_clone_without_tags(hub: Hub, tmp_path: Path) -> None:
    first = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("tag", "v1")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("tag", "v2")
    hub.push()
    job = hub.clone(tmp_path / "job", "v2", depth=0)
    for tag in job.git("tag").split():
        job.git("tag", "-d", tag)
    event = payload("push", before=ZEROS, ref="refs/tags/v2", created=True)
    plan = job.plan("push", event, GITHUB_REF="refs/tags/v2")
    assert (plan.base, plan.changed) == (first, {"data/a.csv": "modified"})


def test_a_clone_without_trees(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main", "--filter=tree:0", depth=0)
    plan = job.plan("push", payload("push", before=before, ref="refs/heads/main", commits=[]))
    assert plan.changed == {"data/a.csv": "modified"}


def test_a_pointer_that_is_not_committed(hub: Hub) -> None:
    outs = "outs:\n- {{md5: {0}, path: one}}\n- {{md5: same, path: two}}\n"
    hub.desk.commit({"data/all.dvc": outs.format(1), ".gitignore": "one\ntwo\n"})
    hub.desk.write({"data/all.dvc": outs.format(2)})
    job = Job(hub.desk.root, hub.server)
    told = Repo(job.root).mlpipe("plan", "--json").stdout
    assert '"path": "data/one"' in told
    assert '"path": "data/two"' not in told
    for odd in ("outs: 5\n", "outs: true\n", "[]", "outs: [1, {path: 2}]\n", "\0", "a: ["):
        hub.desk.write({"data/all.dvc": odd})
        hub.desk.mlpipe("plan")


def test_a_token_in_the_address_is_not_told(
    hub: Hub, git_server: GitServer, tmp_path: Path
) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    git_server.token = "another"  # noqa: S105
    address = git_server.url.replace("://", "://ghp_SECRET@") + "/o/r"
    job.git("remote", "set-url", "origin", address)
    plan = job.plan("push", payload("push", before="1" * 40, ref="refs/heads/main"))
    assert plan.changed is None
    assert "ghp_SECRET" not in plan.said + str(plan.told)
    told = job.mlpipe("run", "--repo", address, "-C", str(tmp_path / "new"), code=2)
    assert "ghp_SECRET" not in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("safe.bareRepository", "explicit"), ("protocol.version", "0"), ("fetch.prune", "true")],
)
def test_the_users_configuration_does_not_stop_a_fetch(
    hub: Hub, tmp_path: Path, name: str, value: str
) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    config = tmp_path / "gitconfig"
    subprocess.run(["git", "config", "-f", str(config), name, value], check=True)
    event = payload("push", before=before, ref="refs/heads/main", commits=[])
    plan = job.plan("push", event, GIT_CONFIG_GLOBAL=str(config))
    assert plan.changed == {"data/a.csv": "modified"}


def test_configuration_from_the_environment_is_kept(hub: Hub, tmp_path: Path) -> None:
    """A job sets its proxy so, or where its repositories are."""
    before = hub.desk.git("rev-parse", "HEAD")
    step = "{name: a, run: 'git config --get x.y', inputs: [data/], outputs: []}"
    hub.desk.commit({"data/a.csv": "2", "mlpipe.yml": f"steps: [{step}]"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    job.git("remote", "set-url", "origin", "https://elsewhere.invalid/o/r")
    event = payload("push", before=before, ref="refs/heads/main", commits=[])
    given = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{hub.server.url}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://elsewhere.invalid",
        "GIT_CONFIG_KEY_1": "x.y",
        "GIT_CONFIG_VALUE_1": "given",
    }
    done = job.mlpipe("run", **job.env("push", event) | given)
    assert "2 paths changed" in done.stdout
    assert "given" in done.stdout


@pytest.mark.parametrize(
    "event",
    [
        {"repository": {"default_branch": "a\0b"}},
        {"repository": {"default_branch": "\ud800"}},
        {"before": "\0" * 40},
        {"ref": "\ud800"},
    ],
)
def test_a_payload_with_names_that_no_file_has(
    hub: Hub, tmp_path: Path, event: dict[str, Any]
) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    job.plan("push", payload("push", **event), GITHUB_REF=os.fsdecode(b"refs/heads/a\xff"))


def test_file_names_forge_no_author(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    forged = "\x01" + "cafebabe" * 5 + " Forged by nobody"
    head = hub.desk.commit({"\x01a": "1", forged: "1", "data/a.csv": "2"}, "Mine")
    hub.push()
    job = hub.clone(tmp_path / "job", "main", depth=0)
    plan = job.plan("push", payload("push", before=before, ref="refs/heads/main"))
    assert plan.reasons("data") == [f'data/a.csv changed ({head[:7]} "Mine")']


def test_a_workspace_of_a_self_hosted_runner(hub: Hub, tmp_path: Path) -> None:
    """One job after the other in the same directory, each with another thing in the way."""
    (tmp_path / "real").mkdir()
    (tmp_path / "workspace").symlink_to("real")
    job = Job(tmp_path / "workspace", hub.server)
    hub.desk.git("checkout", "-q", "-b", "foo")
    hub.push()

    def run(branch: str) -> str:
        time.sleep(0.02)  # the event of a job is later than all that the job before did
        sha = hub.desk.git("rev-parse", branch)
        env = job.env("push", payload("push"), GITHUB_SHA=sha, GITHUB_REF=f"refs/heads/{branch}")
        said = str(job.mlpipe("run", **env).stdout)
        assert job.git("rev-parse", "HEAD") == sha
        return said

    run("foo")
    hub.desk.git("checkout", "-q", "main")
    hub.desk.git("branch", "-m", "foo", "foo-old")
    hub.desk.git("checkout", "-q", "-b", "foo/bar")
    hub.desk.commit({"data/b.csv": "1"})
    subprocess.run(["git", "-C", str(hub.bare), "branch", "-D", "foo"], check=True)
    hub.push()
    (job.root / ".git/index.lock").touch()
    assert "checking out" in run("foo/bar")
    job.commit({"data/a.csv": "a step's own commit"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.commit({"data/a.csv": "3"})
    hub.push()
    run("main")
    assert job.read("data/a.csv") == "3"


def test_what_a_user_checks_out_over_ours_is_left_alone(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    job = Job(tmp_path / "workspace", hub.server)
    hub.push()
    first = hub.desk.git("rev-parse", "HEAD")
    job.mlpipe("run", **job.env("push", payload("push"), GITHUB_SHA=first))
    later = hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    env = job.env("push", payload("push"), GITHUB_SHA=later)  # the next job begins
    time.sleep(0.02)
    job.git("checkout", "-q", "--detach", first)  # its user wants that one
    job.write({"built/model": "1", "data/a.csv": "edited by a step"})
    assert "checking out" not in job.mlpipe("run", **env).stdout
    assert job.read("built/model") == "1"
    assert job.read("data/a.csv") == "edited by a step"


def test_a_desk_keeps_branches_and_ignored_files(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({".gitignore": "secret.env\n*.txt\n"})
    hub.push()
    hub.desk.git("checkout", "-q", "-b", "env")
    hub.desk.write({"secret.env": "theirs"})
    hub.desk.git("add", "-f", "secret.env")
    hub.desk.commit()
    hub.push()
    url = f"{hub.server.url}/o/r"
    desk = Repo(tmp_path / "home")
    desk.root.mkdir()
    desk.mlpipe("run", "--repo", url, "--ref", "main")
    assert desk.mlpipe("plan", "--repo", url).returncode == 0, "the same directory again"
    assert not (desk.root / "r").exists()
    desk.write({"secret.env": "mine"})
    assert "secret.env" in desk.mlpipe("run", "--repo", url, "--ref", "env", code=2).stderr
    assert desk.read("secret.env") == "mine"
    mine = desk.commit({"data/a.csv": "mine"})
    desk.git("checkout", "-q", "-b", "try", "origin/main")
    told = desk.mlpipe("run", "--repo", url, "--ref", "main", code=2).stderr
    assert "branch main in" in told
    assert "has commits of its own" in told
    assert desk.git("rev-parse", "main") == mine


def test_a_ref_is_meant_as_it_is_written(hub: Hub, tmp_path: Path) -> None:
    head = hub.desk.git("rev-parse", "HEAD")
    hub.push()
    hub.push(f"{head}:refs/original/refs/heads/main", f"{head}:refs/heads/HEAD")
    url = f"{hub.server.url}/o/r"
    desk = Repo(tmp_path / "home")
    desk.root.mkdir()
    desk.mlpipe("plan", "--repo", url, "--ref", "main", "-C", "a")
    assert "no such branch" in desk.mlpipe("plan", "--repo", url, "--ref", "ma?n", code=2).stderr
    desk.mlpipe("plan", "--repo", url, "--ref", "refs/heads/HEAD", "-C", "b")
    odd = tmp_path / "q?r"
    Repo(tmp_path).git("clone", "-q", "--bare", str(hub.bare), str(odd))
    desk.mlpipe("plan", "--repo", str(odd), "-C", "c")
    assert Repo(desk.root / "c").git("remote", "get-url", "origin") == str(odd)


def test_another_users_workspace_knows_the_users_files(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main", depth=0)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/.ignored\n")
    (home / ".ignored").write_text("*.tmp\n")
    job.write({"data/a.tmp": "1"})
    env = {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}
    env |= {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "true", "GITHUB_SHA": job.git("rev-parse", "HEAD")}
    plan = job.plan(
        "push", payload("push", before=ZEROS, ref="refs/heads/main"), "--base", "HEAD", **env
    )
    assert plan.changed == {}
