"""A client of GitHub's API with a clock of the test's own, and comments as mlpipe posts them."""

import time
from typing import Any

from mlpipe_ci.ci.github import comments
from mlpipe_ci.ci.github.client import Client
from mlpipe_ci.ci.github.retry import RetryBudget
from mlpipe_ci.report import markdown
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


def body(text: str, run: int = 5, attempt: int = 1) -> str:
    return f"{MARKER}\n{markdown.run_marker(run, attempt)}\n{text}"


def post(server: Server, text: str, **fields: Any) -> comments.Posted:
    return comments.upsert_comment(client(server), 7, MARKER, (text,), markdown.run_of, **fields)


def bodies(server: Server) -> list[str]:
    return [one["body"] for one in server.comments.values()]


PAGE = "<html>bad gateway</html>"
PERMISSION = Fault(403, '{"message": "Resource not accessible by integration"}')
SECONDARY = '{"message": "You have exceeded a secondary rate limit."}'
