"""Which pull request a commit belongs to: "List pull requests associated with a commit"."""

from collections.abc import Iterator
from typing import Any

from mlpipe_ci.ci.github.client import Client

SIDES = ("head", "base")


def merged_pull_request(client: Client, commit: str) -> int | None:
    """Number of the pull request of the same repository that a commit merged.

    Raises GitHubError.
    """
    for one in _of(client, commit):
        own = [_repository(one, side) for side in SIDES]
        if one.get("merge_commit_sha") == commit and one.get("merged_at") and own[0] == own[1]:
            return int(one["number"])
    return None


def open_at(client: Client, commit: str) -> int | None:
    """Number of the open pull request into this repository whose head is a commit.

    The oldest, if there are several. Raises GitHubError.
    """
    found = [
        int(one["number"])
        for one in _of(client, commit)
        if one.get("state") == "open"
        and _repository(one, "base").lower() == client.repository.lower()
        and _part(one, "head").get("sha") == commit
    ]
    return min(found, default=None)


def open_from(client: Client, owner: str, branch: str, commit: str) -> int | None:
    """As `open_at`, for a head in another repository, which the list above does not have."""
    from urllib.parse import quote  # noqa: PLC0415 - for reports of forks alone

    head = quote(f"{owner}:{branch}", safe="")
    found = [
        int(one["number"])
        for one in client.pages(f"/pulls?state=open&per_page=100&head={head}")
        if isinstance(one, dict)
        and isinstance(one.get("number"), int)
        and _part(one, "head").get("sha") == commit
    ]
    return min(found, default=None)


def _of(client: Client, commit: str) -> Iterator[dict[str, Any]]:
    found = client.get(f"/commits/{commit}/pulls")
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict) and isinstance(one.get("number"), int):
            yield one


def _part(request: dict[str, Any], side: str) -> dict[str, Any]:
    part = request.get(side)
    return part if isinstance(part, dict) else {}


def _repository(request: dict[str, Any], side: str) -> str:
    repository = _part(request, side).get("repo")
    return str(repository.get("full_name") or "") if isinstance(repository, dict) else ""
