"""What changed, on a push: scenarios 1 to 19 of the table in changes.md."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema

from tests.support.github_runner import WORKFLOW, ZEROS, Hub, payload
from tests.support.repository import ROOT, Repo
from tests.support.servers.git import GitServer


def push(before: str, ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"created": False, "commits": []} | more
    return payload("push", before=before, ref=ref, **told)


def test_one_commit(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    after = hub.desk.commit({"data/a.csv": "2"}, "New rates")
    hub.push()
    plan = hub.clone(tmp_path / "job", "main", depth=0).plan("push", push(before, after=after))
    assert plan.changed == {"data/a.csv": "modified"}
    assert (plan.base, plan.how) == (before, "the commit before this push")
    assert plan.reasons("data") == [f'data/a.csv changed ({after[:7]} "New rates")']
    assert hub.server.requests == [], "nothing had to be fetched"


def test_three_commits_are_a_range(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    data = hub.desk.commit({"data/a.csv": "2"}, "Data")
    hub.desk.commit({"other": "2"})
    docs = hub.desk.commit({"docs/a.md": "2"}, "Docs | 'quoted' `code` \x1b[31m<b>")
    hub.push()
    plan = hub.clone(tmp_path / "job", "main", depth=0).plan("push", push(before))
    assert set(plan.changed or ()) == {"data/a.csv", "docs/a.md", "other"}
    assert plan.reasons("data") == [f'data/a.csv changed ({data[:7]} "Data")']
    (reason,) = plan.reasons("docs")
    assert reason == f"docs/a.md changed ({docs[:7]} \"Docs | 'quoted' `code` \\x1b[31m<b>\")"


def test_a_new_branch_is_compared_with_where_it_left(hub: Hub, tmp_path: Path) -> None:
    fork = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.commit({"main": "1"})
    hub.push()
    event = push(ZEROS, "refs/heads/topic", created=True)
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "topic", depth=depth)
        plan = job.plan("push", event, GITHUB_REF="refs/heads/topic")
        assert (plan.base, plan.how) == (fork, "merge base with main")
        assert plan.changed == {"data/a.csv": "modified"}
        assert (hub.server.fetches > 0) == (depth == 1)


def test_the_first_push_of_the_default_branch(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({"second": "1"})
    hub.push()
    plan = hub.clone(tmp_path / "job", "main").plan("push", push(ZEROS, created=True))
    assert set((plan.changed or {}).values()) == {"added"}
    assert set(plan.changed or ()) == {"mlpipe.yml", "data/a.csv", "docs/a.md", "second"}
    assert plan.how == "the first push of main: all files are new"


def test_a_repository_with_one_commit(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    plan = hub.clone(tmp_path / "job", "main", depth=0).plan("push", push(ZEROS, created=True))
    assert plan.changed == dict.fromkeys(("mlpipe.yml", "data/a.csv", "docs/a.md"), "added")


def test_a_sha256_repository(tmp_path: Path, git_server: GitServer) -> None:
    root = tmp_path / "sha256"
    subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256", root], check=True)
    desk = Repo(root)
    desk.commit({"mlpipe.yml": WORKFLOW, "data/a.csv": "1", "docs/a.md": "1"})
    hub = Hub(desk, git_server)
    desk.git("checkout", "-q", "-b", "topic")
    desk.commit({"data/a.csv": "2"})
    merge = hub.pull_request("topic")
    first = hub.clone(tmp_path / "first", "main").plan("push", push("0" * 64, created=True))
    assert set((first.changed or {}).values()) == {"added"}
    request = payload("pull_request", pull_request={"base": {"ref": "main"}})
    plan = hub.clone(tmp_path / "job", merge).plan("pull_request", request)
    assert plan.changed == {"data/a.csv": "modified"}
    assert len(plan.base) == 64


def forced(hub: Hub) -> tuple[str, str]:
    """A branch that was pushed, and then pushed again with another commit in its place."""
    hub.desk.git("checkout", "-q", "-b", "topic")
    before = hub.desk.commit({"data/a.csv": "2"}, "Wrong")
    hub.push()
    hub.desk.git("reset", "-q", "--hard", "HEAD~1")
    after = hub.desk.commit({"docs/a.md": "2"}, "Right")
    hub.push()
    return before, after


def test_a_forced_push_whose_old_commit_the_server_still_has(hub: Hub, tmp_path: Path) -> None:
    before, after = forced(hub)
    event = push(before, "refs/heads/topic", forced=True, after=after)
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "topic", depth=depth)
        plan = job.plan("push", event, GITHUB_REF="refs/heads/topic")
        assert (plan.base, plan.how) == (before, "the commit before this push, fetched")
        assert plan.changed == {"data/a.csv": "modified", "docs/a.md": "modified"}
        assert hub.server.fetches == 1
        assert not (job.root / ".git/FETCH_HEAD").read_text().count(before)


def collect_garbage(hub: Hub) -> None:
    for words in (["reflog", "expire", "--expire=now", "--all"], ["gc", "-q", "--prune=now"]):
        subprocess.run(["git", "-C", str(hub.bare), *words], check=True, capture_output=True)


def test_a_forced_push_whose_old_commit_is_gone(hub: Hub, tmp_path: Path) -> None:
    before, after = forced(hub)
    collect_garbage(hub)
    event = push(before, "refs/heads/topic", forced=True, after=after)
    job = hub.clone(tmp_path / "job", "topic")
    plan = job.plan("push", event, GITHUB_REF="refs/heads/topic")
    assert plan.how.startswith(f"merge base with main, as the previous push {before[:7]} is gone (")
    assert plan.changed == {"docs/a.md": "modified"}
    on_main = job.plan("push", push(before))
    assert (on_main.changed, on_main.told["base"]) == (None, None)
    assert f"::warning title=mlpipe::the previous push {before[:7]} is gone" in on_main.said
    assert on_main.actions == {"data": "run", "docs": "run"}


def test_a_rebase_tells_the_changes_of_the_base(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("checkout", "-q", "-b", "topic")
    before = hub.desk.commit({"docs/a.md": "2"}, "Docs")
    hub.push()
    hub.desk.git("checkout", "-q", "main")
    hub.desk.commit({"data/b.csv": "new"}, "Week 2")
    hub.desk.git("checkout", "-q", "topic")
    hub.desk.git("rebase", "-q", "main")
    hub.desk.commit({"docs/b.md": "1"}, "More")
    hub.push()
    job = hub.clone(tmp_path / "job", "topic", depth=0)
    job.git("fetch", "-q", "origin", before)
    event = push(before, "refs/heads/topic", forced=True)
    plan = job.plan("push", event, GITHUB_REF="refs/heads/topic")
    told = {c["path"]: c.get("from_base", False) for c in plan.told["changed"]}
    assert told == {"data/b.csv": True, "docs/b.md": False}
    assert plan.reasons("data")[0].startswith("data/b.csv added (from the default branch) (")


def test_what_failed_runs_again_though_only_the_readme_changed(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({"mlpipe.yml": "steps: [{name: train, run: 'false', inputs: [data/]}]"})
    first = hub.desk.git("rev-parse", "HEAD")
    hub.push()
    job = hub.clone(tmp_path / "job", "main", depth=0)
    env = job.env("push", push(ZEROS), GITHUB_SHA=first)
    assert "train" in job.mlpipe("run", code=1, **env).stdout
    hub.desk.commit({"README.md": "only words"})
    hub.push()
    job.git("fetch", "-q", "origin", "main")
    job.git("checkout", "-q", "FETCH_HEAD")
    plan = job.plan("push", push(first))
    assert plan.changed == {"README.md": "added"}
    assert plan.actions == {"train": "run"}
    assert plan.reasons("train") == ["failed last time"]


def merged(hub: Hub, *how: str) -> str:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.commit({"docs/a.md": "2"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.git("merge", "-q", *how, "topic")
    hub.desk.git("commit", "-q", "--allow-empty", "--amend", "-m", "Merge topic")
    hub.push()
    return before


def test_a_merge_commit_is_not_empty(hub: Hub, tmp_path: Path) -> None:
    before = merged(hub, "--no-ff", "-m", "Merge")
    plan = hub.clone(tmp_path / "job", "main").plan("push", push(before))
    assert plan.changed == {"data/a.csv": "modified", "docs/a.md": "modified"}


def test_a_squash_merge_is_the_same(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.commit({"docs/a.md": "2"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.git("merge", "-q", "--squash", "topic")
    hub.desk.commit(message="Squashed")
    hub.push()
    plan = hub.clone(tmp_path / "job", "main").plan("push", push(before))
    assert plan.changed == {"data/a.csv": "modified", "docs/a.md": "modified"}


def test_a_revert_is_a_change_and_restores(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main", depth=0)
    job.mlpipe("run", **job.env("push", push(ZEROS, created=True)))
    hub.desk.commit({"data/a.csv": "2"})
    before = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("revert", "--no-edit", "HEAD")
    hub.push()
    job.git("fetch", "-q", "origin", "main")
    job.git("checkout", "-q", "FETCH_HEAD")
    plan = job.plan("push", push(before))
    assert plan.changed == {"data/a.csv": "modified"}
    assert plan.actions == {"data": "reuse", "docs": "reuse"}


def test_an_empty_commit(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    hub.push()
    job = hub.clone(tmp_path / "job", "main", depth=0)
    job.mlpipe("run", **job.env("push", push(ZEROS, created=True)))
    hub.desk.commit(message="Nothing")
    hub.push()
    job.git("fetch", "-q", "origin", "main")
    job.git("checkout", "-q", "FETCH_HEAD")
    assert job.plan("push", push(before)).changed == {}
    done = job.mlpipe("run", **job.env("push", push(before)))
    assert "nothing changed" in done.stdout
    assert "2 reused" in done.stdout


def test_a_tag_is_compared_with_the_tag_before(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("tag", "-a", "v1.1.0", "-m", "annotated")
    old = hub.desk.git("rev-parse", "HEAD")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.commit({"docs/a.md": "2"})
    hub.desk.git("tag", "-a", "v1.2.0", "-m", "annotated")
    hub.desk.git("tag", "latest")
    hub.push()
    event = push(ZEROS, "refs/tags/v1.2.0", created=True, base_ref=None)
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "v1.2.0", depth=depth)
        plan = job.plan("push", event, GITHUB_REF="refs/tags/v1.2.0")
        assert (plan.base, plan.how) == (old, "v1.1.0, the tag before")
        assert set(plan.changed or ()) == {"data/a.csv", "docs/a.md"}
    first = hub.clone(tmp_path / "first", "v1.1.0", depth=0)
    plan = first.plan("push", event, GITHUB_REF="refs/tags/v1.1.0")
    assert plan.how == "the first tag: all files are new"
    assert set((plan.changed or {}).values()) == {"added"}


def test_a_branch_and_a_tag_of_one_name(hub: Hub, tmp_path: Path) -> None:
    fork = hub.desk.git("rev-parse", "HEAD")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("tag", "main")
    hub.desk.commit({"docs/a.md": "2"})
    hub.push("refs/heads/main", "refs/heads/topic", "refs/tags/main")
    event = push(ZEROS, "refs/heads/topic", created=True)
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "refs/heads/topic", depth=depth)
        plan = job.plan("push", event, GITHUB_REF="refs/heads/topic")
        assert plan.base == fork, "the branch, not the tag"
    job.git("branch", "main", fork)
    done = job.mlpipe("plan", "--base", "main", code=2)
    assert "base main is a branch and a tag; say refs/heads/main or refs/tags/main" in done.stderr
    assert job.mlpipe("plan", "--base", "refs/heads/main", "--json").returncode == 0


def test_a_deleted_branch_is_nothing_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.desk.commit({"mlpipe.yml": "steps: [broken"})
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = push(ZEROS[:-1] + "1", "refs/heads/topic", deleted=True, after=ZEROS)
    done = job.mlpipe("run", "--json", **job.env("push", event))
    told = json.loads(done.stdout)
    assert told["result"] == "success"
    schema = json.loads((ROOT / "schema/report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(told)
    assert "refs/heads/topic was deleted: there is nothing to run" in done.stderr
    assert job.mlpipe("run", **job.env("push", event)).stdout.count("\n") == 1


def test_a_skipped_workflow_is_explained() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "`[skip ci]`" in text
    assert "stays pending" in text


def test_more_commits_than_an_api_lists(hub: Hub, tmp_path: Path) -> None:
    before = hub.desk.git("rev-parse", "HEAD")
    stream = [b"reset refs/heads/main\nfrom " + before.encode() + b"\n"]
    commit = (
        b"commit refs/heads/main\ncommitter A <a@example.invalid> %d +0000\n"
        b"data 1\nc\nM 100644 inline data/%d.csv\ndata 1\n1\n"
    )
    stream += [commit % (10**9 + n, n) for n in range(1100)]
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=hub.desk.root,
        input=b"".join(stream),
        check=True,
        capture_output=True,
    )
    hub.push()
    for depth in (1, 0):
        plan = hub.clone(tmp_path / f"depth-{depth}", "main", depth=depth).plan(
            "push", push(before)
        )
        assert len(plan.changed or ()) == 1100
