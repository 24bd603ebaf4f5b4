"""The event that started a run of GitHub Actions: its variables and payload, nothing asked."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from blake3 import blake3

from mlpipe_ci.core.event import CiRun, Event, EventKind, FinishedRun, IncomingChange
from mlpipe_ci.core.parts import JobName
from mlpipe_ci.core.workflow import GITHUB
from mlpipe_ci.repo.git import is_null

MAX_SCOPE = 100
"""Characters of a branch's name in a path; file systems take 255 bytes."""
MAX_PAYLOAD = 300
"""Characters of a dispatch's payload that are shown."""
UNTRUSTED = ("pull_request_target", "issue_comment", "workflow_run")
"""Events that run with the base repository's rights on behalf of anybody."""
KINDS = {"release": EventKind.TAG, "push": EventKind.PUSH, "merge_group": EventKind.QUEUE}
BEFORE = {
    EventKind.PROPOSAL: ("pull_request", "base", "sha"),
    EventKind.QUEUE: ("merge_group", "base_sha"),
    EventKind.PUSH: ("before",),
}
Payload = Mapping[str, Any]


def in_actions(env: Mapping[str, str]) -> bool:
    """True if GitHub Actions runs us."""
    return env.get("GITHUB_ACTIONS") == "true" and "GITHUB_EVENT_NAME" in env


def read(env: Mapping[str, str]) -> Event:
    """Read the event, where GitHub Actions runs us."""
    name, ref, payload = env["GITHUB_EVENT_NAME"], env.get("GITHUB_REF", ""), _payload(env)
    sha = env.get("GITHUB_SHA", "")
    return Event(
        kind=_kind(name, ref),
        name=name,
        repository=env.get("GITHUB_REPOSITORY", ""),
        ref=ref,
        sha=sha,
        change=_change(name, ref, sha, payload),
        run=_run(env, payload),
        nothing_to_run=_nothing_to_run(name, ref, payload),
        refusal=_refusal(name),
        trusted=_is_trusted(name, payload),
        scopes=_scopes(name, ref, payload),
        attributes=(*_attributes(env), ("event", payload)),
    )


def _payload(env: Mapping[str, str]) -> dict[str, Any]:
    try:
        payload = json.loads(Path(env.get("GITHUB_EVENT_PATH", "")).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _get(payload: Payload, *keys: str) -> Any:
    """A value by its keys, None if it is not there."""
    value: Any = payload
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(payload: Payload, *keys: str) -> str:
    """A text by its keys, empty if it is not there or none."""
    value = _get(payload, *keys)
    return value if isinstance(value, str) else ""


def _int(payload: Payload, *keys: str) -> int | None:
    value = _get(payload, *keys)
    return value if isinstance(value, int) else None


def _default_branch(payload: Payload) -> str:
    return _text(payload, "repository", "default_branch") or "main"


def _kind(name: str, ref: str) -> EventKind:
    if name.startswith("pull_request"):
        return EventKind.PROPOSAL
    if ref.startswith("refs/tags/"):
        return EventKind.TAG
    return KINDS.get(name, EventKind.OTHER)


def _change(name: str, ref: str, sha: str, payload: Payload) -> IncomingChange:
    kind = _kind(name, ref)
    head, run_head = ("pull_request", "head", "sha"), ("workflow_run", "head_sha")
    # With `pull_request_target` the commit is one of the target branch.
    merged_for_us = kind is EventKind.PROPOSAL and name != "pull_request_target"
    return IncomingChange(
        target_branch=_target_branch(kind, ref, payload),
        before=_text(payload, *BEFORE[kind]) if kind in BEFORE else "",
        commit=_text(payload, *head) or _text(payload, *run_head),
        merge_commit=sha if merged_for_us else "",
        pull_request=_int(payload, "pull_request", "number"),
        state=_state(kind, payload),
        is_retargeted=bool(_text(payload, "changes", "base", "ref", "from")),
        is_one_commit=_is_one_commit(payload),
    )


def _target_branch(kind: EventKind, ref: str, payload: Payload) -> str:
    if kind is EventKind.PROPOSAL:
        return _text(payload, "pull_request", "base", "ref")
    default = _default_branch(payload)
    return default if kind is EventKind.PUSH and ref != f"refs/heads/{default}" else ""


def _state(kind: EventKind, payload: Payload) -> Literal["open", "merged", "closed"]:
    if kind is not EventKind.PROPOSAL or payload.get("action") != "closed":
        return "open"
    return "merged" if _get(payload, "pull_request", "merged") is True else "closed"


def _is_one_commit(payload: Payload) -> bool:
    if _get(payload, "pull_request", "commits") == 1:
        return bool(_text(payload, "pull_request", "head", "sha"))
    commits = payload.get("commits")
    return isinstance(commits, list) and len(commits) == 1 and not payload.get("forced")


def _run(env: Mapping[str, str], payload: Payload) -> CiRun:
    repository, server = env.get("GITHUB_REPOSITORY", ""), env.get("GITHUB_SERVER_URL", "")
    number, attempt = env.get("GITHUB_RUN_ID", ""), env.get("GITHUB_RUN_ATTEMPT", "")
    run = CiRun(
        id=int(number) if number.isdecimal() else 0,
        attempt=int(attempt) if attempt.isdecimal() else 0,
        url=f"{server}/{repository}/actions/runs/{number}",
        trigger=_trigger(env["GITHUB_EVENT_NAME"], payload),
        job=JobName(workflow=_workflow(env), job=env.get("GITHUB_JOB", "")),
    )
    return replace(run, finished=_finished(run, repository, payload))


def _finished(run: CiRun, repository: str, payload: Payload) -> FinishedRun | None:
    """The run that `on: workflow_run` is about; what is not said of it is taken from this run."""
    finished = payload.get("workflow_run")
    if not isinstance(finished, Mapping):
        return None
    number, attempt = _int(finished, "id"), _int(finished, "run_attempt")
    source = _text(finished, "head_repository", "full_name")
    return FinishedRun(
        id=run.id if number is None else number,
        attempt=run.attempt if attempt is None else attempt,
        url=_text(finished, "html_url") or run.url,
        owner=_text(finished, "head_repository", "owner", "login"),
        branch=_text(finished, "head_branch"),
        is_fork=bool(source) and source.lower() != repository.lower(),
        workflow=_file_name(_text(finished, "path")) or _text(finished, "name"),
    )


def _workflow(env: Mapping[str, str]) -> str:
    """The workflow by its file, as two may have one name; by its name where that is all we know."""
    ref = env.get("GITHUB_WORKFLOW_REF", "")
    path = ref.removeprefix(f"{env.get('GITHUB_REPOSITORY', '')}/")
    return _file_name(path) or env.get("GITHUB_WORKFLOW", "")


def _file_name(path: str) -> str:
    """`ml.yml` of `.github/workflows/ml.yml@refs/heads/main`."""
    return path.partition("@")[0].removeprefix(".github/workflows/")


def _trigger(name: str, payload: Payload) -> str:
    """A schedule, or a dispatch with its payload; ASCII, however odd the payload is."""
    if name == "schedule":
        return f"schedule {_text(payload, 'schedule')}".strip()
    if name != "repository_dispatch":
        return ""
    text = json.dumps(payload.get("client_payload") or {}, sort_keys=True)
    text = text if len(text) <= MAX_PAYLOAD else f"{text[:MAX_PAYLOAD]}…"
    return f"repository_dispatch {json.dumps(_text(payload, 'action'))[1:-1]} {text}"


def _nothing_to_run(name: str, ref: str, payload: Payload) -> str:
    if name == "push" and (payload.get("deleted") is True or is_null(payload.get("after"))):
        return f"{_text(payload, 'ref') or ref} was deleted: there is nothing to run"
    state = _state(_kind(name, ref), payload)
    if name == "pull_request" and state != "open":
        number = _int(payload, "pull_request", "number")
        return f"pull request #{number} is {state}: there is nothing to run"
    return ""


def _refusal(name: str) -> str:
    if name not in UNTRUSTED:
        return ""
    return (
        f"steps are not run on '{name}': that event gives a stranger's change the rights "
        "of this repository, its secrets among them. Use on: pull_request and on: push; if "
        "nothing of the change itself is run: --allow-untrusted (input allow-untrusted)"
    )


def _is_trusted(name: str, payload: Payload) -> bool:
    """False for what anybody can start: a fork's pull request, and events on behalf of others."""
    if name in UNTRUSTED:
        return False
    if not isinstance(payload.get("pull_request"), Mapping):
        return not name.startswith("pull_request")
    # Empty if the repository of a pull request's head is gone.
    head, base = (
        _text(payload, "pull_request", side, "repo", "full_name").lower()
        for side in ("head", "base")
    )
    return bool(head) and head == base


def _scopes(name: str, ref: str, payload: Payload) -> tuple[str, ...]:
    """Where results are read and written: from the event, never from the workflow file.

    Whoever writes a key first is believed (CVE-2025-36852), so a pull request has its own scope.
    """
    if name.startswith("pull_request"):
        number = _int(payload, "pull_request", "number")
        return (f"pr/{'unknown' if number is None else number}", "main")
    if ref == f"refs/heads/{_default_branch(payload)}":
        return ("main",)
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    raw = (_short_name(ref) or "unknown").encode("utf-8", "surrogateescape")
    from urllib.parse import quote  # noqa: PLC0415 - 2 ms, which few runs need

    name = quote(raw, safe="").replace(".", "%2E")
    if len(name) > MAX_SCOPE:
        name = f"{name[:MAX_SCOPE]}-{blake3(ref.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return (f"{kind}/{name}", "main")


def _attributes(env: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    names = (name for name in GITHUB if name != "event")
    return tuple((name, env.get(f"GITHUB_{name.upper()}", "")) for name in names)


def _short_name(ref: str) -> str:
    return ref.split("/", 2)[2] if ref.startswith("refs/") and ref.count("/") > 1 else ref
