"""What GitHub's refusals mean, in words, with what to do about them."""

import json
from typing import Any

from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex

REPOSITORY = regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
PERMISSIONS = """the token may not; give the job
permissions:
  contents: read
  pull-requests: write  # the comment
  statuses: write       # the commit status"""
HINTS = {
    401: "the token is not valid, or has expired",
    404: "it is not there, or the token may not see it",
    410: "issues and comments are disabled there",
}
FORBIDDEN, UNPROCESSABLE = 403, 422


@frozen
class ApiResponse:
    """Status, headers in lower case, the bytes, and the address of the next page."""

    status: int
    headers: dict[str, str]
    data: bytes
    following: str = ""

    def json(self, path: str) -> Any:
        """Its value. Raises GitHubError: a proxy may answer with a page."""
        try:
            return json.loads(self.data) if self.data else None
        except ValueError as error:
            raise GitHubError(f"{path}: the answer is not JSON") from error


class NoAnswerError(Exception):
    """There was no answer. `unsent`: it is sure that the request did not arrive."""

    def __init__(self, reason: str, *, unsent: bool = False) -> None:
        super().__init__(reason)
        self.unsent = unsent


class UnknownError(GitHubError):
    """Nobody knows whether it was written: there was no answer, or one that does not say."""


def message(data: bytes) -> str:
    """What an answer says went wrong; empty for a page that is not GitHub's."""
    try:
        value = json.loads(data)
    except ValueError:
        return ""
    if not isinstance(value, dict):
        return ""
    parts = [str(value.get("message", "")), *map(_detail, _list(value.get("errors")))]
    return "; ".join(part for part in parts if part)[:300]


def explained(method: str, path: str, status: int, said: str, asked: float | None) -> GitHubError:
    """The error of an answer. `asked`: seconds that it asks to wait, None if it is no limit."""
    text = f"{method} {path}: {status} {said}".rstrip()
    if asked is not None:
        hint = f"a rate limit, to be waited for {asked:.0f} s"
    elif status == FORBIDDEN and "not accessible" in said:
        hint = PERMISSIONS
    else:
        hint = HINTS.get(status, "")
    return GitHubError(f"{text}; {hint}" if hint else text, status)


def is_too_long(error: GitHubError) -> bool:
    """True if a comment was refused for its length."""
    return error.status == UNPROCESSABLE and "too long" in str(error)


def _detail(value: Any) -> str:
    return str(value.get("message", "")) if isinstance(value, dict) else str(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
