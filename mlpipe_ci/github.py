"""Only place that talks to GitHub's API. A fault is a GitHubError, which no run fails for."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from mlpipe_ci import __version__
from mlpipe_ci.errors import GitHubError

TIMEOUT = (10, 30)
"""Seconds to connect, and between two bytes of an answer."""
MAX_PAGES = 30
SIDES = ("head", "base")
BOT = "github-actions[bot]"
"""Who a comment made with a workflow's own token is by."""
REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")


class GitHub:
    """One repository's API. `api` is GITHUB_API_URL, of github.com or of an Enterprise Server."""

    def __init__(self, api: str, repository: str, token: str) -> None:
        if not REPOSITORY.fullmatch(repository):
            raise GitHubError(f"'{repository}' is not a repository's name (owner/name)")
        self._api, self._repository = api.rstrip("/"), repository
        self._session = requests.Session()
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "User-Agent": f"mlpipe/{__version__}",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        )

    def upsert_comment(
        self,
        pull_request: int,
        marker: str,
        body: str,
        stays: Callable[[str], bool] = lambda _body: False,
    ) -> tuple[str, bool]:
        """Update our comment that starts with `marker`, or create it.

        `stays` is asked whether the body that is there is to be kept. Returns the comment's web
        address, and True if it has our body now.
        """
        ours = self._our_comment(pull_request, marker)
        if ours is not None and stays(str(ours.get("body", "")).replace("\r\n", "\n")):
            return str(ours.get("html_url", "")), False
        if ours is None:
            path = f"/repos/{self._repository}/issues/{pull_request}/comments"
            answer = self._call("POST", self._api + path, {"body": body})
        elif str(ours.get("body", "")).replace("\r\n", "\n") == body:
            answer = ours
        else:
            path = f"/repos/{self._repository}/issues/comments/{int(ours['id'])}"
            answer = self._call("PATCH", self._api + path, {"body": body})
        return (str(answer.get("html_url", "")) if isinstance(answer, dict) else ""), True

    def merged_pull_request(self, commit: str) -> int | None:
        """Number of the pull request of the same repository that a commit merged, if it did.

        Asks "List pull requests associated with a commit". Raises GitHubError.
        """
        url = f"{self._api}/repos/{self._repository}/commits/{commit}/pulls"
        found = self._call("GET", url)
        for one in found if isinstance(found, list) else []:
            own = [((one.get(side) or {}).get("repo") or {}).get("full_name") for side in SIDES]
            if one.get("merge_commit_sha") == commit and one.get("merged_at") and own[0] == own[1]:
                return int(one["number"])
        return None

    def _our_comment(self, pull_request: int, marker: str) -> dict[str, Any] | None:
        """The oldest comment that has the marker and that we wrote; anybody can write a marker."""
        url: str | None = (
            f"{self._api}/repos/{self._repository}/issues/{pull_request}/comments?per_page=100"
        )
        for _ in range(MAX_PAGES):
            answer = self._request("GET", url) if url else None
            comments = _json(answer) if answer is not None else []
            for comment in comments if isinstance(comments, list) else []:
                if str(comment.get("body", "")).startswith(marker) and self._is_ours(comment):
                    return dict(comment)
            url = self._next(answer)
            if url is None:
                break
        return None

    def _is_ours(self, comment: dict[str, Any]) -> bool:
        author = (comment.get("user") or {}).get("login")
        if author == BOT:
            return True
        try:
            # Works for a person's token; a workflow's own token is refused here.
            me = self._call("GET", f"{self._api}/user")
        except GitHubError:
            return False
        return isinstance(me, dict) and author is not None and me.get("login") == author

    def _next(self, answer: requests.Response | None) -> str | None:
        url = answer.links.get("next", {}).get("url") if answer is not None else None
        if url is None or urlsplit(url)[:2] != urlsplit(self._api)[:2]:
            return None  # the token goes to no other host
        return str(url)

    def _call(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        return _json(self._request(method, url, body))

    def _request(
        self, method: str, url: str, body: dict[str, Any] | None = None
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method, url, json=body, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            reason = type(error).__name__
            raise GitHubError(f"{method} {urlsplit(url).path}: {reason}") from error
        if answer.status_code >= 300:  # noqa: PLR2004 - redirects are not followed
            raise GitHubError(_refusal(method, url, answer))
        return answer


def _refusal(method: str, url: str, answer: requests.Response) -> str:
    try:
        said = str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        said = ""
    text = f"{method} {urlsplit(url).path}: {answer.status_code} {said}".rstrip()
    if answer.status_code == 403 and "not accessible" in said:  # noqa: PLR2004
        text += "; the job needs permissions: {contents: read, pull-requests: write}"
    return text


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise GitHubError(f"{urlsplit(answer.url).path}: the answer is not JSON") from error
