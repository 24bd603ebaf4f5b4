"""The event that started this run: what GitHub's variables and the payload say, nothing asked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blake3 import blake3

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.workflow import GITHUB
from mlpipe_ci.repo.git import Git, is_null

MAX_SCOPE = 100
"""Characters of a branch's name in a path; file systems take 255 bytes."""
UNTRUSTED = ("pull_request_target", "issue_comment", "workflow_run")
"""Events that run with the base repository's rights on behalf of anybody."""


def in_actions(env: Mapping[str, str]) -> bool:
    """True if GitHub Actions runs us."""
    return env.get("GITHUB_ACTIONS") == "true" and "GITHUB_EVENT_NAME" in env


def read_event(env: Mapping[str, str], git: Git | None) -> Event:
    """Read the event from GitHub's environment variables, or make that of a desk."""
    return _github(env, git) if in_actions(env) else _desk(git)


def refuse_untrusted(event: Event, *, allowed: bool) -> None:
    """Raise UsageError if steps must not run on this event."""
    if event.name in UNTRUSTED and not allowed:
        raise UsageError(
            f"steps are not run on '{event.name}': that event gives a stranger's change the rights "
            "of this repository, its secrets among them. Use on: pull_request and on: push; if "
            "nothing of the change itself is run: --allow-untrusted (input allow-untrusted)"
        )


def _desk(git: Git | None) -> Event:
    if git is None:
        return Event()
    now = git.snapshot()
    head, ref = now.head, now.branch
    attributes: tuple[tuple[str, Any], ...] = (
        ("ref", ref),
        ("ref_name", _short(ref)),
        ("sha", head or ""),
    )
    attributes += (("event_name", ""), ("actor", ""), ("repository", ""))
    return Event(ref=ref, head=head, repository=git.remote_url(), attributes=attributes)


def _github(env: Mapping[str, str], git: Git | None) -> Event:
    name, payload = env["GITHUB_EVENT_NAME"], _payload(env)
    repository, server = env.get("GITHUB_REPOSITORY", ""), env.get("GITHUB_SERVER_URL", "")
    run, attempt = env.get("GITHUB_RUN_ID", ""), env.get("GITHUB_RUN_ATTEMPT", "")
    event = Event(
        name=name,
        ref=env.get("GITHUB_REF", ""),
        sha=env.get("GITHUB_SHA", ""),
        head=git.head() if git else None,
        worktree=False,
        pull_request=_number(payload),
        trusted=_is_trusted(name, payload),
        scopes=_scopes(name, env.get("GITHUB_REF", ""), payload),
        repository=repository,
        run_url=f"{server}/{repository}/actions/runs/{run}",
        run_id=int(run) if run.isdecimal() else 0,
        run_attempt=int(attempt) if attempt.isdecimal() else 0,
        attributes=(*_attributes(env), ("event", payload)),
        payload=payload,
    )
    return (
        event if not (idle := _idle(event)) else Event(**(vars(event) | {"nothing_to_run": idle}))
    )


def _is_trusted(name: str, payload: Mapping[str, Any]) -> bool:
    """False for what anybody can start: a fork's pull request, and events on behalf of others."""
    if name in UNTRUSTED:
        return False
    request = payload.get("pull_request")
    if not isinstance(request, Mapping):
        return not name.startswith("pull_request")
    names = [_repository(request, side) for side in ("head", "base")]
    return bool(names[0]) and names[0] == names[1]


def _repository(request: Mapping[str, Any], side: str) -> str:
    """The repository of a pull request's head or base, empty if it is gone."""
    found = request.get(side)
    repository = found.get("repo") if isinstance(found, Mapping) else None
    name = repository.get("full_name") if isinstance(repository, Mapping) else None
    return name.lower() if isinstance(name, str) else ""


def _idle(event: Event) -> str:
    if event.name == "push" and (event.get("deleted") is True or is_null(event.get("after"))):
        return f"{event.text('ref') or event.ref} was deleted: there is nothing to run"
    if event.name == "pull_request" and event.get("action") == "closed":
        how = "merged" if event.get("pull_request", "merged") is True else "closed"
        return f"pull request #{event.pull_request} is {how}: there is nothing to run"
    return ""


def _payload(env: Mapping[str, str]) -> dict[str, Any]:
    try:
        payload = json.loads(Path(env.get("GITHUB_EVENT_PATH", "")).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _number(payload: Mapping[str, Any]) -> int | None:
    request = payload.get("pull_request")
    number = request.get("number") if isinstance(request, Mapping) else None
    return number if isinstance(number, int) else None


def _scopes(name: str, ref: str, payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Where results are read and written: from the event, never from the workflow file.

    Whoever writes a key first is believed (CVE-2025-36852), so a pull request has its own scope.
    """
    if name.startswith("pull_request"):
        number = _number(payload)
        return (f"pr/{'unknown' if number is None else number}", "main")
    repository = payload.get("repository")
    told = repository.get("default_branch") if isinstance(repository, Mapping) else None
    if ref == f"refs/heads/{told or 'main'}":
        return ("main",)
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    raw = (_short(ref) or "unknown").encode("utf-8", "surrogateescape")
    from urllib.parse import quote  # noqa: PLC0415 - 2 ms, which few runs need

    name = quote(raw, safe="").replace(".", "%2E")
    if len(name) > MAX_SCOPE:
        name = f"{name[:MAX_SCOPE]}-{blake3(ref.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return (f"{kind}/{name}", "main")


def _attributes(env: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    names = (name for name in GITHUB if name != "event")
    return tuple((name, env.get(f"GITHUB_{name.upper()}", "")) for name in names)


def _short(ref: str) -> str:
    return ref.split("/", 2)[2] if ref.startswith("refs/") and ref.count("/") > 1 else ref
