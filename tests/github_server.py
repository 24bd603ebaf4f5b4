"""A real HTTP server on loopback that answers as GitHub's API does for comments, with state.

Faults are scripted: `server.faults` holds, for a method, the answers to give before the real ones.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "ghs_token_of_the_tests"  # noqa: S105 - opens nothing
BOT = "github-actions[bot]"
COMMENTS = re.compile(r"/repos/o/r/issues/(\d+)/comments")
PULLS = re.compile(r"/repos/o/r/commits/([0-9a-f]+)/pulls")
COMMENT = re.compile(r"/repos/o/r/issues/comments/(\d+)")
PAGE = 30
MAX_BODY = 65_536


class Server(ThreadingHTTPServer):
    """The server's state: comments by id, and every request as (method, path)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: dict[int, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: dict[str, list[tuple[int, str]]] = {}
        self.login = BOT
        self.pulls: dict[str, list[dict[str, Any]]] = {}
        self.page = PAGE

    @property
    def url(self) -> str:
        """Base address, for GITHUB_API_URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, body: str, login: str = BOT, issue: int = 7) -> int:
        """Add a comment as somebody; returns its id."""
        number = 1000 + len(self.comments)
        self.comments[number] = {
            "id": number,
            "body": body,
            "user": {"login": login},
            "html_url": f"https://github.com/o/r/pull/{issue}#issuecomment-{number}",
            "issue": issue,
        }
        return number


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self._refused():
            return
        path, _, query = self.path.partition("?")
        if path == "/user":
            bot = self.server.login == BOT
            self._answer(
                *(
                    (403, {"message": "Resource not accessible by integration"})
                    if bot
                    else (200, {"login": self.server.login})
                )
            )
        elif found := COMMENTS.fullmatch(path):
            self._page(int(found[1]), query)
        elif found := PULLS.fullmatch(path):
            self._answer(200, self.server.pulls.get(found[1], []))
        else:
            self._answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        body = self._body()
        if self._refused():
            return
        if found := COMMENTS.fullmatch(self.path):
            number = self.server.add(body["body"], self.server.login, int(found[1]))
            self._answer(201, self.server.comments[number])
        else:
            self._answer(404, {"message": "Not Found"})

    def do_PATCH(self) -> None:
        body = self._body()
        if self._refused():
            return
        found = COMMENT.fullmatch(self.path)
        comment = self.server.comments.get(int(found[1])) if found else None
        if comment is None:
            self._answer(404, {"message": "Not Found"})
        else:
            comment["body"] = body["body"]
            self._answer(200, comment)

    def _page(self, issue: int, query: str) -> None:
        number = int((re.search(r"\bpage=(\d+)", query.replace("per_page", "")) or [0, 1])[1])
        ours = [c for c in self.server.comments.values() if c["issue"] == issue]
        size = self.server.page
        headers = {}
        if len(ours) > number * size:
            url = f"{self.server.url}/repos/o/r/issues/{issue}/comments?page={number + 1}"
            headers["Link"] = f'<{url}>; rel="next"'
        self._answer(200, ours[(number - 1) * size : number * size], headers)

    def _body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _refused(self) -> bool:
        self.server.requests.append((self.command, self.path))
        faults = self.server.faults.get(self.command)
        if faults:
            status, text = faults.pop(0)
            self._answer(status, text)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Bad credentials"})
        else:
            return False
        return True

    def _answer(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing on the terminal."""


@contextmanager
def serve() -> Iterator[Server]:
    """Run a server in a thread."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
