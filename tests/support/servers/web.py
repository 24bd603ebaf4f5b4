"""A web server on loopback for data: counts what it sends, and goes wrong in the ways asked for."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.servers.serving import serving

MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


@dataclass
class File:
    """What lies at a path. `etag`: `strong`, `weak` or nothing; `older`: nothing is
    newer than what a client has; `head`: status that HEAD gets.

    `spoil`: one byte of the content that is sent is another. `length`: added to what Content-Length
    says; `hold`: bytes after which nothing more comes; `cut`: bytes after which a connection
    breaks, once; `statuses`: answers in place of the next ones; `user`: `name:password` that is
    asked for.
    """

    content: bytes
    etag: str = "strong"
    modified: str = MODIFIED
    older: bool = False
    version: str = ""
    md5: bool = False
    spoil: bool = False
    head: int = 0
    length: int | None = 0
    cut: int = 0
    hold: int = 0
    statuses: list[int] = field(default_factory=list)
    moved: str = ""
    user: str = ""
    before: Callable[[str], None] = lambda _method: None


@dataclass(frozen=True)
class Request:
    """One request, and how many bytes of content were sent for it."""

    method: str
    path: str
    status: int
    sent: int
    headers: dict[str, str]


class Web(ThreadingHTTPServer):
    """The running server. `files` by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, File] = {}
        self.requests: list[Request] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def sent(self) -> int:
        """Bytes of content since this was asked last."""
        total = sum(request.sent for request in self.requests)
        self.requests.clear()
        return total

    def told(self) -> list[str]:
        """`HEAD 200` and so on, since this was asked last."""
        told = [f"{request.method} {request.status}" for request in self.requests]
        self.requests.clear()
        return told

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may go away."""


class Handler(BaseHTTPRequestHandler):
    """Answers as the file at a path says."""

    server: Web
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        with self.server.lock:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            file = self.server.files.get(urlsplit(self.path).path)
            status, sent = (404, 0) if file is None else self._answer(file)
            if file is None:
                self._empty(404)
        finally:
            with self.server.lock:
                self.server.at_once -= 1
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.command, self.path, status, sent, headers))

    def _answer(self, file: File) -> tuple[int, int]:
        file.before(self.command)
        if file.user and self.headers.get("Authorization") != _basic(file.user):
            return self._empty(401)
        if file.statuses:
            return self._empty(file.statuses.pop(0))
        if file.moved:
            return self._empty(302, Location=file.moved)
        if self.command == "HEAD" and file.head:
            return self._empty(file.head)
        validators = self._validators(file)
        if self._is_known(validators) or (file.older and "If-Modified-Since" in self.headers):
            return self._empty(304, **validators)
        return self._content(file, validators)

    def _content(self, file: File, validators: dict[str, str]) -> tuple[int, int]:
        start, status = 0, 200
        asked = self.headers.get("Range", "")
        if asked and self.headers.get("If-Range") == validators.get("ETag", "none"):
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
        body = file.content[start:]
        body = bytes([body[0] ^ 1]) + body[1:] if file.spoil else body
        self.send_response(status)
        for name, value in validators.items():
            self.send_header(name, value)
        if status == 206:
            end = len(file.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if file.length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) + file.length))
        self.end_headers()
        if self.command == "HEAD":
            return status, 0
        if file.cut:
            body, file.cut = body[: file.cut], 0
            self.close_connection = True
        if file.length is None or file.length > 0:
            self.close_connection = True
        with suppress(OSError):
            if file.hold:
                self.wfile.write(body[: file.hold])
                self.wfile.flush()
                body = body[file.hold :]
                while file.hold:
                    time.sleep(0.05)
            self.wfile.write(body)
        return status, len(body)

    def _validators(self, file: File) -> dict[str, str]:
        tag = f'"{hashlib.sha1(file.content, usedforsecurity=False).hexdigest()[:12]}"'
        found = {}
        if file.etag:
            found["ETag"] = tag if file.etag == "strong" else f"W/{tag}"
        if file.modified:
            found["Last-Modified"] = file.modified
        if file.version:
            found["x-amz-version-id"] = file.version
        if file.md5:
            digest = hashlib.md5(file.content, usedforsecurity=False).digest()
            found["Content-MD5"] = base64.b64encode(digest).decode()
        return found

    def _is_known(self, validators: dict[str, str]) -> bool:
        asked = self.headers.get("If-None-Match")
        if asked:
            return asked == validators.get("ETag")
        since = self.headers.get("If-Modified-Since")
        return bool(since) and since == validators.get("Last-Modified")

    def _empty(self, status: int, **headers: str) -> tuple[int, int]:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="data"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return status, 0

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def _basic(user: str) -> str:
    return f"Basic {base64.b64encode(user.encode()).decode()}"


@contextmanager
def web() -> Iterator[Web]:
    """A running server."""
    server = Web()
    with serving(server):
        yield server
