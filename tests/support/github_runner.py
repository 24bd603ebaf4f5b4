"""What GitHub and its runner do for a job, on this machine: a repository with a server, a clone of
the depth that a workflow asks for, an event with GitHub's own example as the payload.
"""

import copy
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.repository import ROOT, Repo
from tests.support.servers.git import GitServer

PACKAGE = ROOT / "tests/node/node_modules/@octokit/webhooks-examples"
EXAMPLES = PACKAGE / "api.github.com"
ZEROS = "0" * 40
WORKFLOW = """
steps:
  - {name: data, run: cat data/* > build.txt, inputs: [data/], outputs: [build.txt]}
  - {name: docs, run: cat docs/* > docs.txt, inputs: [docs/], outputs: [docs.txt]}
"""


@functools.cache
def examples() -> dict[str, list[dict[str, Any]]]:
    """GitHub's examples of payloads, by the event's name."""
    events = json.loads((EXAMPLES / "index.json").read_text("utf-8"))
    return {event["name"]: event["examples"] for event in events}


def payload(event: str, action: str | None = None, **changes: Any) -> dict[str, Any]:
    """GitHub's example of an event's payload, with some values in the place of the example's."""
    found = next(e for e in examples()[event] if action in {None, e.get("action")})
    return _merged(copy.deepcopy(found), {"repository": {"default_branch": "main"}} | changes)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    for name, value in new.items():
        both = isinstance(value, dict) and isinstance(old.get(name), dict)
        old[name] = _merged(old[name], value) if both else value
    return old


class Hub:
    """A repository `o/r` on a server, and a desk from which people push to it."""

    def __init__(self, desk: Repo, server: GitServer) -> None:
        self.desk, self.server = desk, server
        self.bare = server.root / "o" / "r"
        form = desk.git("rev-parse", "--show-object-format")
        self._run("git", "init", "-q", "--bare", "-b", "main", f"--object-format={form}", self.bare)
        for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            self._run("git", "-C", self.bare, "config", name, "true")
        desk.git("remote", "add", "origin", str(self.bare))

    def push(self, *refs: str) -> None:
        """Push branches, by force; all of them and all tags if none is named."""
        self.desk.git("push", "-q", "--force", "origin", *(refs or ("--all",)))
        if not refs:
            self.desk.git("push", "-q", "--force", "--tags", "origin")

    def pull_request(self, head: str, base: str = "main", number: int = 7) -> str:
        """Merge as GitHub does for `refs/pull/N/merge`; returns that commit. Both are pushed."""
        self.desk.git("checkout", "-q", "--detach", base)
        self.desk.git("merge", "-q", "--no-ff", "-m", f"Merge {head} into {base}", head)
        merge = self.desk.git("rev-parse", "HEAD")
        self.desk.git("checkout", "-q", head)
        self.push()
        self.push(f"{merge}:refs/pull/{number}/merge", f"{head}:refs/pull/{number}/head")
        return merge

    def clone(self, directory: Path, ref: str, *options: str, depth: int = 1) -> "Job":
        """Check out as `actions/checkout` does: one ref, so many commits (0: everything)."""
        job = Job(directory, self.server)
        directory.mkdir()
        form = self.desk.git("rev-parse", "--show-object-format")
        job.git("init", "-q", "-b", "main", f"--object-format={form}")
        job.git("remote", "add", "origin", f"{self.server.url}/o/r")
        specs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        commit = self.desk.git("rev-parse", f"{ref}^{{commit}}")
        path = f"refs/remotes/mlpipe/{ref.replace('/', '-')}"
        wanted = specs if depth == 0 else [f"--depth={depth}"]
        job.git("fetch", "-q", "--no-tags", *options, "origin", f"+{commit}:{path}", *wanted)
        job.git("checkout", "-q", "--detach", commit)
        self.server.requests.clear()
        return job

    def _run(self, *words: object) -> None:
        subprocess.run([str(word) for word in words], check=True, capture_output=True)


class Job(Repo):
    """A clone on a runner, and mlpipe in it."""

    def __init__(self, root: Path, server: GitServer) -> None:
        super().__init__(root)
        self.server = server

    def env(self, event: str, body: dict[str, Any], **more: str) -> dict[str, Any]:
        """The variables of a runner."""
        path = self.root.parent / f"event-{self.root.name}.json"
        path.write_text(json.dumps(body))
        variables = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_WORKSPACE": str(self.root),
            "GITHUB_RUN_ID": "100",
        }
        return variables | more

    def plan(self, event: str, body: dict[str, Any], *options: str, **more: str) -> "Plan":
        """What `mlpipe plan --json` says for an event."""
        if "GITHUB_SHA" not in more:
            more["GITHUB_SHA"] = self.git("rev-parse", "HEAD")
        done = subprocess.run(
            [sys.executable, "-m", "mlpipe_ci", "plan", "--json", *options],
            cwd=self.root,
            env=os.environ | self.env(event, body, **more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Plan(json.loads(done.stdout), done.stderr)


class Plan:
    """A plan's JSON, and what was said beside it."""

    def __init__(self, told: dict[str, Any], said: str) -> None:
        self.told, self.said = told, said

    @property
    def base(self) -> str:
        """Id of the base."""
        assert self.told["base"] is not None, self.told["base_unknown"]
        return str(self.told["base"]["sha"])

    @property
    def how(self) -> str:
        """How the base was chosen, or why it is not known."""
        return str(self.told["base"]["how"] if self.told["base"] else self.told["base_unknown"])

    @property
    def changed(self) -> dict[str, str] | None:
        """Changed paths, each with how; None if that is not known."""
        found = self.told["changed"]
        return None if found is None else {c["path"]: c["change"] for c in found}

    @property
    def actions(self) -> dict[str, str]:
        """What would be done with each step."""
        return {step["name"]: step["action"] for step in self.told["steps"]}

    def reasons(self, step: str) -> list[str]:
        """Why that would be done with a step, without the words since when: that is the base."""
        reasons = next(s["reasons"] for s in self.told["steps"] if s["name"] == step)
        base = self.told["base"]
        return [r.removesuffix(f" since {base['sha'][:7]}") if base else r for r in reasons]
