"""Commit statuses: https://docs.github.com/en/rest/commits/statuses. What is opened is closed."""

from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.frozen import frozen

MOST = 140
"""Characters that GitHub takes as a description."""
STATES = {"success": "success", "failure": "failure", "gate-missed": "failure"}
"""Result of a run to state; all else is an error."""
REFUSED = (401, 403, 404)


@frozen
class Check:
    """What a status says of a commit. `context` is its name, the same in each run."""

    commit: str
    context: str
    target: str


def state_of(result: str) -> str:
    """The state that a result is shown as."""
    return STATES.get(result, "error")


def post(client: Client, check: Check, state: str, description: str) -> None:
    """Set the state: `pending`, `success`, `failure` or `error`. Raises GitHubError."""
    text = description if len(description) <= MOST else f"{description[: MOST - 1]}…"
    body = {"state": state, "context": check.context, "description": text}
    if check.target.startswith("https://") or check.target.startswith("http://"):
        body["target_url"] = check.target
    client.send("POST", f"/statuses/{check.commit}", body)


def is_refused(error: GitHubError) -> bool:
    """True if the token may not set a status: then no other one is tried."""
    return error.status in REFUSED
