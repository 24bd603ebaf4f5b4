"""One comment for each workflow file, which converges: whoever posts when, one is left, the newest.

A comment is ours if it begins with our marker and we wrote it; anybody can write a marker. The
oldest of ours stays and is edited (an edit notifies nobody), the others are removed.
"""

from collections.abc import Callable
from typing import Any

from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.errors import UnknownError, is_too_long
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.frozen import frozen

BOT = "github-actions[bot]"
"""Who a comment made with a workflow's own token is by."""
GONE = (404, 410)
Order = Callable[[str], tuple[int, int]]
"""Tells from the body of a comment which run wrote it; a later one has a larger value."""


@frozen
class Posted:
    """Where the comment is; `ours`: it has what we said, not what a newer run said."""

    url: str = ""
    ours: bool = True


def upsert_comment(
    client: Client,
    issue: int,
    marker: str,
    bodies: tuple[str, ...],
    order: Order,
    *,
    create: bool = True,
) -> Posted:
    """Leave one comment of ours, with the report of the newest run. Raises GitHubError.

    `bodies`: the report, and shorter ones for a server that finds it too long. Unless `create`,
    only a comment that is there is edited.
    """
    thread = _Thread(client, issue, marker)
    ours = thread.ours()
    if not ours and not create:
        return Posted(ours=False)
    for body in bodies:
        try:
            return _upsert(thread, ours, body, order)
        except GitHubError as error:
            if body == bodies[-1] or not is_too_long(error):
                raise
    raise AssertionError  # pragma: no cover - there is a body


def _upsert(thread: "_Thread", ours: list[dict[str, Any]], body: str, order: Order) -> Posted:
    ours = ours or thread.create(body)
    newest = max(ours, key=lambda one: order(_body(one)))
    is_ours = order(_body(newest)) <= order(body)
    wanted = body if is_ours else _body(newest)
    kept = thread.edit(ours[0], wanted)
    for one in ours[1:]:
        thread.remove(one)
    return Posted(url=str(kept.get("html_url", "")), ours=is_ours)


class _Thread:
    """The comments of a pull request."""

    def __init__(self, client: Client, issue: int, marker: str) -> None:
        self._client, self._marker = client, marker
        self._path = f"/issues/{issue}/comments"
        self._authors: dict[str, bool] = {BOT: True}
        self._asked = False

    def ours(self) -> list[dict[str, Any]]:
        """Oldest first."""
        found = [
            one
            for one in self._client.pages(f"{self._path}?per_page=100")
            if isinstance(one, dict)
            and _body(one).startswith(self._marker)
            and isinstance(one.get("id"), int)
            and self._is_ours(one)
        ]
        return sorted(found, key=lambda one: int(one["id"]))

    def create(self, body: str) -> list[dict[str, Any]]:
        """Write a comment, and look who else did meanwhile. Returns ours, at least one."""
        mine: list[dict[str, Any]] = []
        try:
            made = self._client.create(self._path, {"body": body})
        except UnknownError:
            if not (found := self.ours()):
                raise
            return found
        if isinstance(made, dict) and isinstance(made.get("id"), int):
            mine = [made]
            self._authors[_author(made)] = True  # now we know who we are
        try:
            found = self.ours()
        except GitHubError:
            found = []
        return found or mine or [{}]

    def edit(self, comment: dict[str, Any], body: str) -> dict[str, Any]:
        """Give a comment another body, if it has another one; a new comment if it has gone."""
        if _body(comment) == body or "id" not in comment:
            return comment
        try:
            edited = self._client.send("PATCH", _path(comment), {"body": body})
        except GitHubError as error:
            if error.status not in GONE:
                raise
            edited = self._client.create(self._path, {"body": body})
        return edited if isinstance(edited, dict) else comment

    def remove(self, comment: dict[str, Any]) -> None:
        """Remove one that there is twice; who else removed it is welcome."""
        try:
            self._client.send("DELETE", _path(comment))
        except GitHubError as error:
            if error.status not in GONE:
                raise

    def _is_ours(self, comment: dict[str, Any]) -> bool:
        author = _author(comment)
        if author not in self._authors and not self._asked:
            self._asked = True
            try:
                # Works for a person's token; a workflow's own token is refused here.
                me = self._client.get("/user")
            except GitHubError:
                me = None
            if isinstance(me, dict) and isinstance(me.get("login"), str):
                self._authors[me["login"]] = True
        return self._authors.get(author, False)


def _body(comment: dict[str, Any]) -> str:
    return str(comment.get("body") or "").replace("\r\n", "\n")


def _author(comment: dict[str, Any]) -> str:
    user = comment.get("user")
    return str(user.get("login") or "") if isinstance(user, dict) else ""


def _path(comment: dict[str, Any]) -> str:
    return f"/issues/comments/{int(comment['id'])}"
