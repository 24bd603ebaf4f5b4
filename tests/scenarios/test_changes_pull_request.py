"""What changed, on a pull request: scenarios 20 to 37 of the table in changes.md."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.github_runner import Hub, Job, payload
from tests.support.repository import ROOT
from tests.support.servers.git import GitServer
from tests.support.servers.github import TOKEN, Server, serve

REF = "refs/pull/7/merge"


def request(action: str = "synchronize", base: str = "main", **more: Any) -> dict[str, Any]:
    """GitHub's example, of our pull request; where its base was is what nobody may believe."""
    asked = {"number": 7, "base": {"ref": base, "sha": "1" * 40}, "commits": 2}
    return payload("pull_request", action, pull_request=asked | more)


@pytest.fixture
def merge(hub: Hub) -> str:
    """Pull request 7: two commits, that change data and README; main has moved by 5 since."""
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"}, "Data")
    hub.desk.commit({"README.md": "2"}, "Words")
    hub.desk.git("checkout", "-q", "main")
    for n in range(5):
        hub.desk.commit({f"docs/main-{n}.md": "1"}, f"Main {n}")
    return hub.pull_request("topic")


NET = {"data/a.csv": "modified", "README.md": "added"}


def test_a_default_checkout_is_deepened_by_one(hub: Hub, merge: str, tmp_path: Path) -> None:
    job = hub.clone(tmp_path / "job", merge)
    before = sorted(p.name for p in (job.root / ".git").rglob("*"))
    plan = job.plan("pull_request", request(), GITHUB_REF=REF)
    assert plan.changed == NET
    assert plan.how == "first parent of the pull request's merge commit, fetched"
    assert hub.server.fetches == 1
    assert job.git("rev-list", "--count", "HEAD") == "1", "the clone itself is as it was"
    after = sorted(p.name for p in (job.root / ".git").rglob("*"))
    assert [name for name in after if name != "index.lock"] == before
    assert plan.reasons("data") == ["data/a.csv changed"], "which commit did it is not known here"


def test_what_others_merged_is_not_listed(hub: Hub, merge: str, tmp_path: Path) -> None:
    plan = hub.clone(tmp_path / "job", merge, depth=0).plan("pull_request", request())
    assert plan.changed == NET
    assert plan.reasons("data")[0].endswith('"Data")'), plan.reasons("data")


def test_one_commit_is_named_also_where_history_is_cut(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("checkout", "-q", "-b", "topic")
    head = hub.desk.commit({"data/a.csv": "2"}, "Week 9")
    merge = hub.pull_request("topic")
    job = hub.clone(tmp_path / "job", merge)
    plan = job.plan("pull_request", request(commits=1, head={"sha": head}), GITHUB_REF=REF)
    assert plan.reasons("data") == [f'data/a.csv changed ({head[:7]} "Week 9")']


def test_a_new_target_and_a_stale_merge_commit(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("checkout", "-q", "-b", "develop")
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.commit({"docs/main.md": "1"})
    merge = hub.pull_request("topic", "main")
    changes = {"base": {"ref": {"from": "main"}, "sha": {"from": "1" * 40}}}
    event = request(base="develop") | {"action": "edited", "changes": changes}
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", merge, depth=depth)
        plan = job.plan("pull_request", event, GITHUB_REF=REF)
        assert plan.how == "merge base with develop"
        assert plan.changed == {"data/a.csv": "modified", "docs/main.md": "added"}
        assert "the merge commit was not made with develop as it is now" in plan.said
    fresh = hub.clone(tmp_path / "fresh", hub.pull_request("topic", "develop"), depth=0)
    plan = fresh.plan("pull_request", event)
    assert plan.how == "first parent of the pull request's merge commit"
    assert plan.changed == {"data/a.csv": "modified"}


def test_the_head_is_compared_with_where_it_left(hub: Hub, merge: str, tmp_path: Path) -> None:
    for depth in (1, 3, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "topic", depth=depth)
        plan = job.plan("pull_request", request(), GITHUB_SHA=merge)
        assert (plan.how, plan.changed) == ("merge base with main", NET)


def test_a_clone_of_the_fork_is_compared_with_the_base(
    hub: Hub, merge: str, tmp_path: Path
) -> None:
    """The fork's own main is somewhere else; the pull request goes to ours."""
    hub.desk.git("clone", "-q", "--bare", str(hub.bare), str(hub.server.root / "fork" / "r"))
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "topic", depth=depth)
        job.git("remote", "set-url", "origin", f"{hub.server.url}/fork/r")
        job.git("update-ref", "refs/remotes/origin/main", job.git("rev-parse", "HEAD"))
        plan = job.plan("pull_request", request(), GITHUB_SHA=merge)
        assert (plan.how, plan.changed) == ("merge base with main", NET)
        assert all(path.startswith("/o/r/") for path in hub.server.requests)


def test_a_complete_clone_fetches_nothing(hub: Hub, merge: str, tmp_path: Path) -> None:
    for ref in (merge, "topic"):
        job = hub.clone(tmp_path / ref, ref, depth=0)
        assert job.plan("pull_request", request(), GITHUB_SHA=merge).changed == NET
    assert hub.server.requests == []


def test_a_depth_of_two_fetches_nothing(hub: Hub, merge: str, tmp_path: Path) -> None:
    job = hub.clone(tmp_path / "job", merge, depth=2)
    plan = job.plan("pull_request", request())
    assert (plan.how, plan.changed) == ("first parent of the pull request's merge commit", NET)
    assert hub.server.requests == []


def test_a_private_repository_is_asked_with_the_token(hub: Hub, merge: str, tmp_path: Path) -> None:
    job = hub.clone(tmp_path / "job", merge)
    hub.server.token = TOKEN
    plan = job.plan("pull_request", request(), MLPIPE_TOKEN=TOKEN)
    assert plan.changed == NET
    files = (p for p in job.root.parent.rglob("*") if p.is_file() and "event" not in p.name)
    assert not any(TOKEN.encode() in p.read_bytes() for p in files), "nothing of it is on the disk"
    # What a checkout stored must not be sent as well: two headers are refused.
    old = f"http.{hub.server.url}/.extraheader"
    job.git("config", old, "AUTHORIZATION: basic c3RhbGU=")
    assert job.plan("pull_request", request(), MLPIPE_TOKEN=TOKEN).changed == NET
    refused = job.plan("pull_request", request())
    assert refused.changed is None
    assert "could not be fetched" in refused.how
    assert refused.actions == {"data": "run", "docs": "run"}


def test_a_stored_credential_is_used_where_there_is_no_token(
    hub: Hub, merge: str, tmp_path: Path
) -> None:
    job = hub.clone(tmp_path / "job", merge)
    hub.server.token = TOKEN
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    job.git("config", f"http.{hub.server.url}/.extraheader", f"AUTHORIZATION: basic {basic}")
    assert job.plan("pull_request", request()).changed == NET


def test_a_checkout_in_a_subdirectory(hub: Hub, merge: str, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    inner = hub.clone(tmp_path / "workspace" / "src", merge)
    outer = Job(tmp_path / "workspace", hub.server)
    plan = outer.plan("pull_request", request(), "-C", "src", GITHUB_SHA=merge)
    assert plan.changed == NET
    (inner.root / "deep" / "down").mkdir(parents=True)
    plan = outer.plan("pull_request", request(), "-C", "src/deep/down", GITHUB_SHA=merge)
    assert plan.changed == NET


def test_a_merge_from_main_adds_nothing(hub: Hub, merge: str, tmp_path: Path) -> None:
    hub.desk.git("checkout", "-q", "topic")
    hub.desk.git("merge", "-q", "-m", "Merge main", "main")
    again = hub.pull_request("topic")
    for name, ref in (("merge", again), ("head", "topic")):
        for depth in (1, 0):
            job = hub.clone(tmp_path / f"{name}-{depth}", ref, depth=depth)
            assert job.plan("pull_request", request(), GITHUB_SHA=again).changed == NET


def test_two_merge_bases_give_the_union(hub: Hub, tmp_path: Path) -> None:
    desk = hub.desk
    desk.git("checkout", "-q", "-b", "topic")
    ours = desk.commit({"data/topic.csv": "1"})
    desk.git("checkout", "-q", "main")
    theirs = desk.commit({"docs/main.md": "1"})
    desk.git("merge", "-q", "-m", "cross", ours)
    desk.git("checkout", "-q", "topic")
    desk.git("merge", "-q", "-m", "cross", theirs)
    desk.commit({"README.md": "1"})
    hub.push()
    assert len(desk.git("merge-base", "--all", "main", "topic").split()) == 2
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "topic", depth=depth)
        plan = job.plan("pull_request", request())
        assert plan.how == "2 merge bases with main"
        assert plan.base == min(ours, theirs)
        assert set(plan.changed or ()) == {"data/topic.csv", "docs/main.md", "README.md"}
        assert "main was merged crosswise" in plan.said


def test_unrelated_histories_are_compared_as_they_are(hub: Hub, tmp_path: Path) -> None:
    hub.desk.git("checkout", "-q", "--orphan", "topic")
    hub.desk.git("rm", "-q", "-r", "-f", "docs")
    hub.desk.commit({"data/a.csv": "2", "docs/b.md": "1"})
    hub.push()
    for depth in (1, 0):
        job = hub.clone(tmp_path / f"depth-{depth}", "topic", depth=depth)
        plan = job.plan("pull_request", request())
        assert (plan.base, plan.how) == (hub.desk.git("rev-parse", "main"), "tip of main")
        assert plan.changed == {
            "data/a.csv": "modified",
            "docs/a.md": "deleted",
            "docs/b.md": "added",
        }
        assert "no commit in common" in plan.said


def test_a_conflict_is_explained() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "merge conflict" in text


@pytest.fixture
def api() -> Iterator[Server]:
    with serve() as running:
        yield running


def posting(api: Server, run: int) -> dict[str, str]:
    return {"GITHUB_API_URL": api.url, "MLPIPE_TOKEN": TOKEN, "GITHUB_RUN_ID": str(run)}


def test_an_old_attempt_run_again(hub: Hub, merge: str, api: Server, tmp_path: Path) -> None:
    job = hub.clone(tmp_path / "old", merge, depth=2)
    env = job.env("pull_request", request(), GITHUB_SHA=merge)
    job.mlpipe("run", **env | posting(api, 100))
    hub.desk.git("checkout", "-q", "topic")
    hub.desk.commit({"data/a.csv": "3"})
    newer = hub.clone(tmp_path / "new", hub.pull_request("topic"), depth=2)
    later = newer.env("pull_request", request(), GITHUB_SHA=newer.git("rev-parse", "HEAD"))
    newer.mlpipe("run", **later | posting(api, 101))
    (comment,) = api.comments.values()
    kept = str(comment["body"])
    again = job.mlpipe("run", **env | posting(api, 100))
    assert "the report of a newer run stays as it is" in again.stdout
    assert [c["body"] for c in api.comments.values()] == [kept]
    assert job.plan("pull_request", request(), GITHUB_SHA=merge).changed == NET
    newer.mlpipe("run", **later | posting(api, 101))
    assert len(api.comments) == 1


@pytest.mark.parametrize("who", ["fork", "dependabot"])
def test_a_strangers_pull_request_is_the_same(
    hub: Hub, merge: str, api: Server, tmp_path: Path, who: str
) -> None:
    event = request(
        head={"repo": {"full_name": "somebody/r", "fork": True}},
        user={"login": "dependabot[bot]" if who == "dependabot" else "somebody"},
    )
    job = hub.clone(tmp_path / "job", merge)
    api.may_write = set()
    summary = tmp_path / "summary.md"
    env = job.env("pull_request", event, GITHUB_SHA=merge) | posting(api, 100)
    done = job.mlpipe("run", **env | {"GITHUB_STEP_SUMMARY": str(summary)})
    assert "2 paths changed" in done.stdout
    assert "comment was not posted" in done.stdout
    assert "2 ran" in summary.read_text()
    assert api.comments == {}


def test_a_strangers_change_with_our_rights(hub: Hub, tmp_path: Path) -> None:
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = payload("pull_request", "opened", pull_request={"number": 7})
    env = job.env("pull_request_target", event)
    done = job.mlpipe("run", code=2, **env)
    assert "gives a stranger's change the rights of this repository" in done.stderr
    assert "allow-untrusted" in done.stderr
    assert "2 ran" in job.mlpipe("run", "--allow-untrusted", **env).stdout


@pytest.mark.parametrize("action", ["labeled", "converted_to_draft", "ready_for_review"])
def test_a_draft_or_a_label(hub: Hub, merge: str, tmp_path: Path, action: str) -> None:
    event = request(action, draft=True)
    assert "before" not in event
    assert hub.clone(tmp_path / "job", merge).plan("pull_request", event).changed == NET


@pytest.mark.parametrize("merged", [True, False])
def test_a_closed_pull_request(hub: Hub, api: Server, tmp_path: Path, merged: bool) -> None:
    hub.desk.git("checkout", "-q", "-b", "topic")
    hub.desk.commit({"data/a.csv": "2"})
    hub.desk.git("checkout", "-q", "main")
    hub.desk.git("merge", "-q", "--no-ff", "-m", "Merge", "topic")
    hub.push()
    job = hub.clone(tmp_path / "job", "main")
    event = request("closed", merged=merged)
    files = ("--report", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html"))
    done = job.mlpipe("run", *files, **job.env("pull_request", event) | posting(api, 100))
    assert json.loads((tmp_path / "r.json").read_text())["steps"] == []
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    how = "merged" if merged else "closed"
    assert done.stdout == f"pull request #7 is {how}: there is nothing to run\n"
    assert api.requests == []
    plan = job.plan("pull_request", event)
    assert plan.changed == ({"data/a.csv": "modified"} if merged else None)


def test_a_network_that_is_gone(hub: Hub, merge: str, tmp_path: Path) -> None:
    job = hub.clone(tmp_path / "job", merge)
    shutil.rmtree(hub.bare)
    plan = job.plan("pull_request", request())
    assert plan.changed is None
    assert "first parent could not be fetched" in plan.how
    done = job.mlpipe("run", **job.env("pull_request", request(), GITHUB_SHA=merge))
    assert "decided by keys alone" in done.stdout
    assert "2 ran" in done.stdout


def test_a_fetch_that_is_cut_in_the_middle(
    hub: Hub, merge: str, git_server: GitServer, tmp_path: Path
) -> None:
    job = hub.clone(tmp_path / "job", merge)
    git_server.cut = 60
    done = job.mlpipe("run", **job.env("pull_request", request(), GITHUB_SHA=merge))
    assert git_server.fetches >= 2, "it was tried again"
    assert "could not be fetched (git fetch: " in done.stdout
    assert "2 ran" in done.stdout
    job.write({"data/a.csv": "3"})
    broken = {"mlpipe.yml": "steps: [{name: train, run: exit 3, inputs: [data/]}]"}
    job.write(dict(broken))
    job.mlpipe("run", code=1, **job.env("pull_request", request(), GITHUB_SHA=merge))


def test_a_pack_that_is_damaged(hub: Hub, merge: str, tmp_path: Path) -> None:
    job = hub.clone(tmp_path / "job", merge, depth=0)
    job.git("repack", "-q", "-a", "-d")
    for pack in (job.root / ".git/objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40] + b"\0" * (pack.stat().st_size - 40))
    env = job.env("pull_request", request(), GITHUB_SHA=merge)
    done = job.mlpipe("run", **env)
    assert "decided by keys alone" in done.stdout
    assert "no commit here that can be read" in done.stdout
    assert "2 ran" in done.stdout
    assert "2 reused" in job.mlpipe("run", **env).stdout
