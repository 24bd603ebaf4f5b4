"""One comment for each workflow file, which converges: whoever posts when, one is left, with all.

A comment is ours if it begins with our marker and we wrote it; anybody can write a marker. The
oldest of ours stays and is edited (an edit notifies nobody), the others are removed. GitHub has no
way to edit only what one has read: so a comment is read again after it was written, and written
again if it does not have what it should.
"""

import random
from collections.abc import Callable
from typing import Any

from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.errors import UnknownError, is_too_long
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.frozen import frozen

BOT = "github-actions[bot]"
"""Who a comment made with a workflow's own token is by."""
GONE = (404, 410)
TRIES = 6
SETTLE = 1.0
"""Seconds after an edit. By then others have written who had read what was there before it."""


@frozen
class Merged:
    """What is to stand in the comment. `bodies`: all of it, then shorter ones for a server that
    finds it too long. `ours`: it has what this job says, no newer run's word. `shared`: other jobs
    write to it, perhaps right now.
    """

    bodies: tuple[str, ...]
    ours: bool = True
    shared: bool = False


Merge = Callable[[tuple[str, ...]], Merged]
"""From the bodies of the comments of ours that are there, oldest first."""


@frozen
class Posted:
    """Where the comment is; `ours`: it has what we said, not what a newer run said."""

    url: str = ""
    ours: bool = True


def upsert_comment(
    client: Client, issue: int, marker: str, merge: Merge, *, create: bool = True
) -> Posted:
    """Leave one comment of ours, with what all jobs say. Raises GitHubError.

    Unless `create`, only a comment that is there is edited.
    """
    thread = _Thread(client, issue, marker)
    ours = thread.ours()
    if not ours and not create:
        return Posted(ours=False)
    merged = merge(_bodies(ours))
    for tried in range(TRIES):
        if len(ours) == 1 and _body(ours[0]) in merged.bodies[thread.too_long :]:
            break
        edited = bool(ours)  # a new comment is seen by all who edit it
        ours = thread.write(ours, merged.bodies)
        # Others wait longer or less, so that no two go on overwriting each other.
        more = random.uniform(0, 2) * (tried + 1) if merged.shared else 0.0  # noqa: S311
        if edited and not client.wait(SETTLE + more):
            break
        ours = thread.again(ours)
        merged = merge(_bodies(ours))
    return Posted(url=str(ours[0].get("html_url", "")), ours=merged.ours)


class _Thread:
    """The comments of a pull request."""

    def __init__(self, client: Client, issue: int, marker: str) -> None:
        self._client, self._marker = client, marker
        self._path = f"/issues/{issue}/comments"
        self._authors: dict[str, bool] = {BOT: True}
        self._asked = False
        self.too_long = 0  # so many of the bodies the server did not take

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

    def again(self, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Read ours again; `known` if that fails, or if the list does not have them yet."""
        try:
            return self.ours() or known
        except GitHubError:
            return known

    def write(self, ours: list[dict[str, Any]], bodies: tuple[str, ...]) -> list[dict[str, Any]]:
        """Write the first body that the server takes, into the oldest of ours or a new one, and
        remove the others. Returns ours, at least one.
        """
        for body in bodies[self.too_long :]:
            try:
                if not ours:
                    return self.create(body)
                kept = self.edit(ours[0], body)
                for one in ours[1:]:
                    self.remove(one)
                return [kept]
            except GitHubError as error:
                if body == bodies[-1] or not is_too_long(error):
                    raise
                self.too_long += 1
        raise AssertionError  # pragma: no cover - there is a body

    def create(self, body: str) -> list[dict[str, Any]]:
        """Write a comment. Returns ours, at least one: others may have done so, too."""
        try:
            made = self._client.create(self._path, {"body": body})
        except UnknownError:
            if not (found := self.ours()):
                raise
            return found
        if not isinstance(made, dict) or not isinstance(made.get("id"), int):
            return [{}]
        self._authors[_author(made)] = True  # now we know who we are
        return [made]

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


def _bodies(comments: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(_body(one) for one in comments)


def _body(comment: dict[str, Any]) -> str:
    return str(comment.get("body") or "").replace("\r\n", "\n")


def _author(comment: dict[str, Any]) -> str:
    user = comment.get("user")
    return str(user.get("login") or "") if isinstance(user, dict) else ""


def _path(comment: dict[str, Any]) -> str:
    return f"/issues/comments/{int(comment['id'])}"
