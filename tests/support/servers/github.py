"""A real HTTP server on loopback that answers as GitHub's API does, with state, faults and limits.

Every exchange is held against GitHub's published description when the server ends. Faults are
scripted: `server.faults` holds, for a method or `METHOD /path`, what happens before real answers.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support import github_openapi as openapi
from tests.support.servers.serving import serving

TOKEN = "ghs_token_of_the_tests"  # noqa: S105 - opens nothing
BOT = "github-actions[bot]"
COMMENTS = re.compile(r"/repos/o/r/issues/(\d+)/comments")
PULLS = re.compile(r"/repos/o/r/commits/([0-9a-f]+)/pulls")
COMMENT = re.compile(r"/repos/o/r/issues/comments/(\d+)")
OF_COMMIT = re.compile(r"/repos/o/r/commits/([0-9a-f]{40})/statuses")
STATUSES = re.compile(r"/repos/o/r/statuses/([0-9a-f]{40})")
PAGE = 30
MAX_BODY = 65_536
TOO_LONG = {
    "message": "Validation Failed",
    "errors": [
        {
            "resource": "IssueComment",
            "code": "custom",
            "field": "body",
            "message": "body is too long (maximum is 65536 characters)",
        }
    ],
    "documentation_url": "https://docs.github.com/rest",
}
TIME = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    `done`: it is carried out, and then answered so; `cut`: the connection ends without an answer;
    `drip`: the answer comes in drops for so many seconds; `delay` in seconds.
    """

    status: int = 0
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    done: bool = False
    cut: bool = False
    drip: float = 0.0
    delay: float = 0.0


class Server(ThreadingHTTPServer):
    """The server's state: comments by id, statuses, and every request as (method, path)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: dict[int, dict[str, Any]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.dripped = 0  # answers in drops that came to their end
        self.closing = threading.Event()
        self.faults: dict[str, list[Fault | tuple[int, str]]] = {}
        self.login = BOT
        self.pulls: dict[str, list[dict[str, Any]]] = {}
        self.open_pulls: list[dict[str, Any]] = []
        self.page = PAGE
        self.may_write = {"comments", "statuses"}
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self.exchanges: list[tuple[str, str, object, int, object]] = []
        self.lock = threading.RLock()
        self._next = 1000

    def server_close(self) -> None:
        """End what is still being answered, too."""
        self.closing.set()
        super().server_close()

    @property
    def url(self) -> str:
        """Base address, for GITHUB_API_URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, body: str, login: str = BOT, issue: int = 7) -> int:
        """Add a comment as somebody; returns its id."""
        with self.lock:
            number = self._next
            self._next += 1
            self.comments[number] = {"issue": issue, **comment(number, body, login, issue)}
        return number

    def told(self, number: int) -> dict[str, Any]:
        """A comment as it is answered."""
        return {k: v for k, v in self.comments[number].items() if k != "issue"}

    def states(self) -> list[tuple[str, str]]:
        """Context and state of each status that was set, in order."""
        return [(one["context"], one["state"]) for one in self.statuses]


def whole(pull: dict[str, Any]) -> dict[str, Any]:
    """A pull request as GitHub tells of it, with the values that a test says."""
    (first, *_) = openapi.example("GET", "/repos/o/r/pulls")
    first["requested_teams"] = []  # those of the example are not as the description wants them
    return merged(first, pull)


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old map with the values of the new one, also in maps in it."""
    for name, value in new.items():
        both = isinstance(value, dict) and isinstance(old.get(name), dict)
        old[name] = merged(old[name], value) if both else value
    return old


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self._refused(None):
            return
        path, _, query = self.path.partition("?")
        if path == "/user":
            if self.server.login == BOT:
                self._answer(403, refusal("Resource not accessible by integration"))
            else:
                self._answer(200, openapi.example("GET", "/user") | {"login": self.server.login})
        elif found := COMMENTS.fullmatch(path):
            with self.server.lock:
                issue = int(found[1])
                there = self.server.comments.items()
                ours = [self.server.told(n) for n, c in there if c["issue"] == issue]
            self._page(path, ours, query)
        elif found := PULLS.fullmatch(path):
            self._answer(200, [whole(one) for one in self.server.pulls.get(found[1], [])])
        elif found := OF_COMMIT.fullmatch(path):
            with self.server.lock:
                told = [
                    status_of(number, one)
                    for number, one in enumerate(self.server.statuses, start=1)
                    if one["commit"] == found[1]
                ]
            self._page(path, told[::-1], query)
        elif path == "/repos/o/r/pulls":
            self._answer(200, [whole(one) for one in self.server.open_pulls])
        else:
            self._answer(404, refusal("Not Found"))

    def do_POST(self) -> None:
        body = self._body()
        if self._refused(body):
            return
        self._carry_out(body)

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        if self._refused(None):
            return
        self._carry_out(None)

    def _carry_out(self, body: Any) -> None:
        status, value = self._write(body)
        self._answer(status, value, request=body)

    def _write(self, body: Any) -> tuple[int, object]:
        server, path = self.server, self.path
        with server.lock:
            if found := STATUSES.fullmatch(path):
                if "statuses" not in server.may_write:
                    return 403, refusal("Resource not accessible by integration")
                server.statuses.append({"commit": found[1], **body})
                return 201, status_of(len(server.statuses), body)
            if "comments" not in server.may_write:
                return 403, refusal("Resource not accessible by integration")
            if len((body or {}).get("body", "")) > MAX_BODY:
                return 422, TOO_LONG
            if found := COMMENTS.fullmatch(path):
                number = server.add(body["body"], server.login, int(found[1]))
                return 201, server.told(number)
            found = COMMENT.fullmatch(path)
            if not found or int(found[1]) not in server.comments:
                return 404, refusal("Not Found")
            number = int(found[1])
            if self.command == "DELETE":
                del server.comments[number]
                return 204, None
            server.comments[number]["body"] = body["body"]
            return 200, server.told(number)

    def _page(self, path: str, values: list[dict[str, Any]], query: str) -> None:
        server = self.server
        number = int((re.search(r"(?:^|&)page=(\d+)", query) or [0, 1])[1])
        headers = {}
        if len(values) > number * server.page:
            headers["Link"] = f'<{server.url}{path}?page={number + 1}>; rel="next"'
        self._answer(200, values[(number - 1) * server.page : number * server.page], headers)

    def _body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _refused(self, body: Any) -> bool:
        server = self.server
        server.before(self.command, self.path)
        server.requests.append((self.command, self.path))
        path = self.path.partition("?")[0]
        faults = server.faults.get(f"{self.command} {path}") or server.faults.get(self.command)
        if faults:
            one = faults.pop(0)
            return self._fail(one if isinstance(one, Fault) else Fault(*one), body)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, refusal("Bad credentials"))
            return True
        return False

    def _fail(self, fault: Fault, body: Any) -> bool:
        time.sleep(fault.delay)
        if fault.done and self.command != "GET":
            self._write(body)
        if fault.cut:
            self.close_connection = True
            return True
        if fault.drip:
            self._drip(fault.drip)
            return True
        if not fault.status:
            return False
        self._answer(fault.status, fault.text, dict(fault.headers), check=False)
        return True

    def _drip(self, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with suppress(OSError):
            for _ in range(int(seconds * 10)):
                self.wfile.write(b" ")
                if self.server.closing.wait(0.1):
                    break
            else:
                self.server.dripped += 1
        self.close_connection = True

    def _answer(
        self,
        status: int,
        value: object,
        headers: dict[str, str] | None = None,
        *,
        request: object = None,
        check: bool = True,
    ) -> None:
        if check:
            self.server.exchanges.append((self.command, self.path, request, status, value))
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        data = b"" if value is None else data
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing on the terminal."""


def refusal(message: str) -> dict[str, str]:
    """As GitHub refuses."""
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}


def user(login: str) -> dict[str, Any]:
    """A user as GitHub tells of one."""
    there = f"https://api.github.com/users/{login}"
    links = (
        *("followers", "following", "gists", "starred", "subscriptions", "organizations"),
        *("repos", "events", "received_events"),
    )
    return {
        **{f"{name}_url": f"{there}/{name}" for name in links},
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "avatar_url": "https://avatars.githubusercontent.com/u/1",
        "gravatar_id": "",
        "url": there,
        "html_url": f"https://github.com/{login}",
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def comment(number: int, body: str, login: str, issue: int) -> dict[str, Any]:
    """A comment as GitHub tells of one."""
    return {
        "id": number,
        "node_id": f"IC_{number}",
        "url": f"https://api.github.com/repos/o/r/issues/comments/{number}",
        "html_url": f"https://github.com/o/r/pull/{issue}#issuecomment-{number}",
        "issue_url": f"https://api.github.com/repos/o/r/issues/{issue}",
        "body": body,
        "user": user(login),
        "created_at": TIME,
        "updated_at": TIME,
        "author_association": "NONE",
        "performed_via_github_app": None,
    }


def status_of(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A commit status as GitHub tells of one."""
    return {
        "url": f"https://api.github.com/repos/o/r/statuses/{number}",
        "avatar_url": None,
        "id": number,
        "node_id": f"SC_{number}",
        "state": body["state"],
        "description": body.get("description"),
        "target_url": body.get("target_url"),
        "context": body.get("context", "default"),
        "created_at": TIME,
        "updated_at": TIME,
        "creator": user(BOT),
    }


@contextmanager
def serve() -> Iterator[Server]:
    """Run a server in a thread. What was said to it is held against the description at the end."""
    server = Server()
    with serving(server):
        yield server
    for exchange in server.exchanges:
        openapi.check(*exchange)
