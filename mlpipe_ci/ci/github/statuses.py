"""Commit statuses: https://docs.github.com/en/rest/commits/statuses. What is opened is closed.

GitHub keeps all statuses of a commit, and shows the last of each name. So they are a record that
nobody can overwrite: each names its job and that job's own state in its address, behind a `#`, and
has the state of all jobs as its state. Who has set one reads the record, and sets it again if
another job was not known yet.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.parts import JobName, Part, count_words, merged, state_of_all

MOST = 140
"""Characters that GitHub takes as a description."""
STATES = {"success": "success", "failure": "failure", "gate-missed": "failure"}
"""Result of a run to state; all else is an error."""
REFUSED = (401, 403, 404)


TRIES = 5
MARK = r"#mlpipe-([0-9a-f]{16})-([0-9a-f]{16})-(\d{1,18})-(\d{1,9})-(pending|success|failure|error)"
"""Digests of the workflow and of the job, run, attempt, and the job's own state."""


@frozen
class Check:
    """A status: what it is set at, its name, the page that it links, and whose word it is.

    `workflow` and `job`: 16 hexadecimal digits, the same in each run.
    """

    commit: str
    context: str
    target: str
    workflow: str = "0" * 16
    job: str = "0" * 16
    run: int = 0
    attempt: int = 0


@frozen
class Word:
    """What one job says: the state of its check, and why."""

    check: Check
    state: str
    words: str


def state_of(result: str) -> str:
    """The state that a result is shown as."""
    return STATES.get(result, "error")


def post(client: Client, words: Sequence[Word]) -> None:
    """Set statuses of one commit, each to the state of all jobs that are known. Raises GitHubError.

    A state is `pending`, `success`, `failure` or `error`.
    """
    path = f"/commits/{words[0].check.commit}/statuses?per_page=100"
    record = client.pages(path)
    open_ = list(words)
    for _ in range(TRIES):
        for word in open_:
            _set(client, word, _parts(record, word))
        record = client.pages(path)
        open_ = [word for word in words if not _is_shown(record, word)]
        if not open_:
            break


def _set(client: Client, word: Word, parts: tuple[Part, ...]) -> None:
    check, state = word.check, state_of_all(parts)
    text = word.words
    if len(parts) > 1:
        text = count_words(parts)
        text = f"{text}: {word.words}" if state == word.state != "success" else text
    text = text if len(text) <= MOST else f"{text[: MOST - 1]}…"
    body = {"state": state, "context": check.context, "description": text}
    if check.target.startswith(("https://", "http://")):
        body["target_url"] = check.target + _mark(word)
    client.send("POST", f"/statuses/{check.commit}", body)


def _is_shown(record: Sequence[Any], word: Word) -> bool:
    """True if the last status of the name has the state of all; if ours is not there yet, too."""
    ours = _of(record, word.check.context)
    if not any(str(one.get("target_url")).endswith(_mark(word)) for one in ours):
        return True
    return bool(ours[-1].get("state") == state_of_all(_parts(record, word)))


def _parts(record: Sequence[Any], word: Word) -> tuple[Part, ...]:
    """What is known of the jobs, this one's word included."""
    known = (_part(one) for one in _of(record, word.check.context))
    check = word.check
    who = JobName(workflow=check.workflow, job=check.job)
    own = Part(who=who, run=check.run, attempt=check.attempt, commit="", state=word.state)
    return merged([*(part for part in known if part), own])


def _of(record: Iterable[Any], context: str) -> list[dict[str, Any]]:
    """The statuses of a name, oldest first."""
    found = [
        one
        for one in record
        if isinstance(one, dict)
        and isinstance(one.get("id"), int)
        and str(one.get("context")).lower() == context.lower()
    ]
    return sorted(found, key=lambda one: int(one["id"]))


def _part(status: dict[str, Any]) -> Part | None:
    found = re.fullmatch(rf"[^#]*{MARK}", str(status.get("target_url")), re.ASCII)
    if not found:
        return None
    workflow, job, run, attempt, state = found.groups()
    who = JobName(workflow=workflow, job=job)
    return Part(who=who, run=int(run), attempt=int(attempt), commit="", state=state)


def _mark(word: Word) -> str:
    one = word.check
    return f"#mlpipe-{one.workflow}-{one.job}-{one.run}-{one.attempt}-{word.state}"


def is_refused(error: GitHubError) -> bool:
    """True if the token may not set a status: then no other one is tried."""
    return error.status in REFUSED
