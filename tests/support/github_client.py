"""A client of GitHub's API with a clock of the test's own, and comments as mlpipe posts them."""

import time
from typing import Any

from mlpipe_ci.ci.github import comments
from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.publisher import merge
from mlpipe_ci.ci.github.retry import RetryBudget
from mlpipe_ci.core.parts import JobName, JobReport, Part
from mlpipe_ci.report import comment
from tests.support.servers.github import TOKEN, Fault, Server

MARKER = "<!-- mlpipe:report key=mlpipe.yml v=1 -->"
SHA = "4be1c02" + "0" * 33


class Clock:
    """Time goes by when somebody waits, and as it does."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def client(server: Server, token: str = TOKEN, clock: Clock | None = None) -> Client:
    clock = clock or Clock()
    return Client(server.url, "o/r", token, RetryBudget(now=clock.now, sleep=clock.sleep))


def body(text: str, run: int = 5, attempt: int = 1, label: str = "") -> str:
    """The comment of a job with a report."""
    part = Part(
        who=JobName(label=label), run=run, attempt=attempt, commit=SHA[:40], state="success"
    )
    report = JobReport(part=part, name="demo", words="1 ran", url="", text=text)
    return comment.write("mlpipe.yml", [report])[0]


def post(server: Server, text: str, **fields: Any) -> comments.Posted:
    """Post what a comment has, as the job does that it is of."""
    return comments.upsert_comment(
        client(server),
        7,
        MARKER,
        lambda bodies: merge("mlpipe.yml", bodies, comment.read(text)),
        **fields,
    )


def always(*texts: str) -> comments.Merge:
    """A comment that has these texts, whatever is there."""
    return lambda _bodies: comments.Merged(bodies=texts)


def bodies(server: Server) -> list[str]:
    return [one["body"] for one in server.comments.values()]


PAGE = "<html>bad gateway</html>"
PERMISSION = Fault(403, '{"message": "Resource not accessible by integration"}')
SECONDARY = '{"message": "You have exceeded a secondary rate limit."}'
