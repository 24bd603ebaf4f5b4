"""What changed, on other events and in odd places: scenarios 38 to 44 and 60 to 67."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import Hub, Job, payload
from tests.support.repository import ROOT, Repo
from tests.support.servers.github import TOKEN, serve

STEP = "steps: [{name: train, run: cat data/*, inputs: [data/], outputs: []}]"


def test_a_merge_group(hub: Hub, tmp_path: Path) -> None:
    base = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "gh-readonly-queue/main/pr-7")
    head = hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    event = payload("merge_group", merge_group={"base_sha": base, "head_sha": head})
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", head, depth=depth)
        plan = job.plan("merge_group", event)
        assert (plan.base, plan.how) == (base, "base of the merge group")
        assert plan.changed == {"data/a.csv": "modified"}
    assert "`merge_group`" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["schedule", "an_event_of_tomorrow"])
def test_an_event_that_names_no_commit(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    summary = tmp_path / "summary.md"
    with serve() as api:
        env = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_API_URL": api.url}
        env |= {"MLPIPE_TOKEN": TOKEN}
        assert "2 ran" in job.mlpipe("run", **job.env(name, {}) | env).stdout
        again = job.mlpipe("run", **job.env(name, {}) | env).stdout
        head = hub.desk.git("rev-parse", "HEAD")
        posts, looks = f"/repos/o/r/statuses/{head}", f"/repos/o/r/commits/{head}/statuses"
        assert {path.partition("?")[0] for _, path in api.requests} == {posts, looks}
        assert [state for _, state in api.states()] == ["pending", "success", "success"]
    told = f"no base ('{name}' names no commit to compare with), so decided by keys"
    assert ("started by schedule" if name == "schedule" else told) in again
    assert "2 reused" in again
    assert "2 reused" in summary.read_text()
    assert hub.server.requests == []


def test_a_step_that_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = payload("workflow_dispatch", inputs={"force": "data"})
    job.mlpipe("run", **job.env("workflow_dispatch", event))
    plan = job.plan("workflow_dispatch", event, "--force=data")
    assert plan.actions == {"data": "run", "docs": "reuse"}
    assert plan.reasons("data") == ["asked for by --force"]
    done = job.mlpipe("run", "--force", "data", **job.env("workflow_dispatch", event))
    assert "1 ran · 1 reused" in done.stdout
    assert job.plan("workflow_dispatch", event).actions == {"data": "reuse", "docs": "reuse"}
    assert "2 ran" in job.mlpipe("run", "--force").stdout
    wrong = job.mlpipe("run", "--force", "dta", code=2)
    assert "--force dta: there is no such step; did you mean 'data'?" in wrong.stderr


def test_a_dispatch_on_a_tag(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("tag", "-a", "v1", "-m", "annotated")
    tagged = hub.desk.git("rev-parse", "v1^{commit}")
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    job = hub.clone(tmp_path / "job", "v1")
    event = payload("workflow_dispatch", ref="refs/tags/v1")
    plan = job.plan("workflow_dispatch", event, GITHUB_REF="refs/tags/v1")
    assert plan.told["head"] == tagged


def test_a_release_is_compared_as_its_tag(hub: Hub, tmp_path: Path) -> None:
    first = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("tag", "v1")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("tag", "v2")
    hub.push()
    job = hub.clone(tmp_path / "job", "v2")
    event = payload("release", "published", release={"tag_name": "v2"})
    plan = job.plan("release", event, GITHUB_REF="refs/tags/v2")
    assert (plan.base, plan.changed) == (first, {"data/a.csv": "modified"})


def test_a_payload_is_data(hub: Hub, tmp_path: Path) -> None:
    step = (
        "{name: train, run: 'echo $ETAG', inputs: [data/], outputs: [], "
        'env: {ETAG: "${{ github.event.client_payload.dataset_etag }}"}}'
    )
    hub.desk.commit({"mlpipe.yml": f"steps: [{step}]"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")

    def run(etag: str) -> str:
        event = payload("repository_dispatch", client_payload={"dataset_etag": etag})
        return str(job.mlpipe("run", **job.env("repository_dispatch", event)).stdout)

    assert "1 ran" in run("one")
    assert "1 reused" in run("one")
    assert "1 ran" in run("two; touch hacked $(touch hacked)")
    assert not (job.root / "hacked").exists()
    bad = "steps: [{name: t, run: 'echo ${{ github.event.client_payload.dataset_etag }}'}]"
    job.write({"mlpipe.yml": bad})
    assert "github" in job.mlpipe("validate", code=2).stderr


def test_a_finished_workflow_of_a_stranger(hub: Hub, tmp_path: Path) -> None:
    from mlpipe_ci.ci.event import read_event  # noqa: PLC0415

    hub.desk.commit({"mlpipe.yml": STEP})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = payload("workflow_run", "completed", workflow_run={"head_sha": "a" * 40})
    env = job.env("workflow_run", event)
    assert read_event(env).change.commit == "a" * 40
    assert "not run on 'workflow_run'" in job.mlpipe("run", code=2, **env).stderr
    assert not list((job.root / ".git").rglob("*.log"))


def push(before: str, **more: Any) -> dict[str, Any]:
    return payload("push", before=before, ref="refs/heads/main", commits=[], **more)


def test_a_partial_clone_is_not_filled_up(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.commit({"data/a.csv": "as it was"})
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main", "--filter=blob:none", depth=0)
    missing = ("rev-list", "--objects", "--all", "--missing=print")
    absent = [o for o in job.git(*missing).splitlines() if o.startswith("?")]
    assert absent
    assert job.plan("push", push(before)).changed == {"data/a.csv": "modified"}
    assert hub.server.requests == []
    assert [o for o in job.git(*missing).splitlines() if o.startswith("?")] == absent


def test_a_sparse_checkout(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2", "mlpipe.yml": STEP})
    hub.push()
    job = hub.clone(tmp_path / "job", "main", depth=0)
    job.git("sparse-checkout", "set", "--cone", "docs")
    told = job.mlpipe("plan", code=2, **job.env("push", push(before))).stderr
    assert "the sparse checkout leaves it out: git sparse-checkout add data" in told
    job.git("sparse-checkout", "set", "--cone", "data")
    plan = job.plan("push", push(before))
    assert plan.changed == {"data/a.csv": "modified", "mlpipe.yml": "modified"}


def many(hub: Hub, count: int, name: str = "data/{n}.csv") -> str:
    """A commit of so many new files."""
    before = hub.desk.git("rev-parse", "HEAD")
    lines = [f"M 100644 inline {name.format(n=n)}\ndata 1\n1\n" for n in range(count)]
    stream = "commit refs/heads/main\ncommitter A <a@example.invalid> 1000000000 +0000\n"
    stream += f"data 4\nmany\nfrom {before}\n{''.join(lines)}"
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=hub.desk.root, input=stream.encode(), check=True
    )
    hub.desk.git("reset", "-q", "--hard")
    hub.push()
    return before


def test_five_thousand_files(hub: Hub, tmp_path: Path) -> None:
    before = many(hub, 5000)
    plan = hub.clone(tmp_path / "job", "main").plan("push", push(before))
    assert len(plan.changed or ()) == 5000


def test_no_api_is_asked_what_changed(hub: Hub, tmp_path: Path) -> None:
    """An API lists 300 or 3,000 files; here, what git cannot tell counts as not known."""
    many(hub, 400)
    job = hub.clone(tmp_path / "job", "main")
    with serve() as api:
        env = {"GITHUB_API_URL": api.url, "MLPIPE_TOKEN": TOKEN}
        plan = job.plan("push", push("1" * 40), **env)
        assert plan.changed is None
        assert plan.actions == {"data": "run", "docs": "run"}
        assert api.requests == []


def test_a_megabyte_of_paths(hub: Hub, tmp_path: Path) -> None:
    before = many(hub, 6000, "data/" + "x" * 190 + "{n}")
    job = hub.clone(tmp_path / "job", "main")
    summary, output = tmp_path / "summary.md", tmp_path / "output"
    env = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    done = job.mlpipe("run", **job.env("push", push(before)) | env)
    assert "6000 paths changed" in done.stdout
    assert len(done.stdout) < 10_000
    assert summary.stat().st_size < 65_536
    assert "6,000 changed paths" in summary.read_text()
    assert not output.exists() or output.stat().st_size < 10_000


OTHER = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "true"}
"""git's own switch for its own tests of this."""


@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_a_workspace_of_another_user(hub: Hub, tmp_path: Path, language: str) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    job = hub.clone(tmp_path / "jöb's place", "main", depth=0)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[core]\n\tquotepath = true\n")
    env = OTHER | {"HOME": str(home), "LANG": language, "LANGUAGE": language[:5]}
    env |= {"GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}
    sha = job.git("rev-parse", "HEAD")
    plan = job.plan("push", push(before), GITHUB_SHA=sha, **env)
    assert plan.changed == {"data/a.csv": "modified"}
    assert (home / ".gitconfig").read_text() == "[core]\n\tquotepath = true\n", "never global"
    at_a_desk = job.mlpipe("plan", code=2, **env)
    assert "belongs to another user" in at_a_desk.stderr
    assert "git config --global --add safe.directory" in at_a_desk.stderr
    done = job.mlpipe("run", **job.env("push", push(before)) | env)
    assert "2 ran" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_workspace_that_really_is_another_users(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    sha = job.git("rev-parse", "HEAD")
    for path in (job.root, *job.root.rglob("*")):
        os.lchown(path, 12345, 12345)
    plan = job.plan("push", push(before), GITHUB_SHA=sha)
    assert plan.changed == {"data/a.csv": "modified"}


def test_a_machine_without_git(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "sh", "cat"):
        (programs / name).symlink_to(f"/bin/{name}")
    event = push("0" * 40)
    env = job.env("push", event, GITHUB_SHA="1" * 40) | {"PATH": str(programs)}
    done = job.mlpipe("run", **env)
    assert "git is not installed, or not on PATH" in done.stdout
    assert "2 ran" in done.stdout
    assert "2 reused" in job.mlpipe("run", **env).stdout


def test_a_tarball(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    job = Job(tmp_path / "job", hub.server)
    tarball = tmp_path / "r.tar"
    hub.desk.git("archive", "-o", str(tarball), "HEAD")
    subprocess.run(["tar", "-x", "-f", str(tarball), "-C", str(job.root)], check=True)
    env = job.env("push", push("0" * 40), GITHUB_SHA="1" * 40)
    done = job.mlpipe("run", **env)
    assert "no base (not a git repository), so decided by keys alone" in done.stdout
    assert "2 ran" in done.stdout


def test_a_dirty_work_tree(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"docs/a.md": "2"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    job.write({"data/a.csv": "by an earlier step", "data/new.csv": "1"})
    assert job.plan("push", push(before)).changed == {"docs/a.md": "modified"}
    asked = job.plan("push", push(before), "--base", "HEAD")
    assert asked.changed == {"data/a.csv": "modified", "data/new.csv": "untracked"}
    desk = Repo(job.root).mlpipe("plan", "--json").stdout
    found = {c["path"]: c["change"] for c in json.loads(desk)["changed"]}
    assert found == {"data/a.csv": "modified", "data/new.csv": "untracked"}


def test_base_and_head_are_the_same(hub: Hub, tmp_path: Path) -> None:
    head = hub.desk.git("rev-parse", "HEAD")
    hub.push()
    plan = hub.clone(tmp_path / "job", "main").plan("push", push(head))
    assert (plan.base, plan.changed) == (head, {})
