"""A real git server on loopback: `git http-backend` behind Python's HTTP server, with faults.

`token`: what a client must send. `cut`: after so many bytes of a pack the connection ends.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.servers.serving import serving

HEADERS = {"Content-Type": "CONTENT_TYPE", "Content-Encoding": "HTTP_CONTENT_ENCODING"}


class GitServer(ThreadingHTTPServer):
    """Serves all repositories in a directory. `requests`: paths that were asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.token = ""
        self.cut: int | None = None
        self.requests: list[str] = []
        self.sent = 0

    @property
    def url(self) -> str:
        """Base address, for GITHUB_SERVER_URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def fetches(self) -> int:
        """How many packs were asked for."""
        return sum(path.endswith("git-upload-pack") for path in self.requests)


class Handler(BaseHTTPRequestHandler):
    """One request: handed to git as a CGI program gets it (RFC 3875)."""

    server: GitServer

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        self.server.requests.append(path)
        if path.startswith("/lfs/"):
            self._answer(200, [], (self.server.root / path.lstrip("/")).read_bytes())
            return
        if not self._allowed():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            self.end_headers()
            return
        if path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(body))
            return
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
        }
        env |= {HEADERS[h]: self.headers[h] for h in HEADERS if h in self.headers}
        done = subprocess.run(
            ["git", "http-backend"], env=env, input=body, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value[:3]) for name, value in lines if name == "Status"), 200)
        self._answer(status, [pair for pair in lines if pair[0] != "Status"], content)

    def _batch(self, asked: dict[str, Any]) -> None:
        """Where large files are (git-lfs, docs/api/batch.md): in `lfs` below the root, or gone."""
        objects = []
        for wanted in asked["objects"]:
            if (self.server.root / "lfs" / wanted["oid"]).exists():
                there = {"download": {"href": f"{self.server.url}/lfs/{wanted['oid']}"}}
                objects.append({**wanted, "actions": there})
            else:
                gone = {"code": 404, "message": "Object does not exist"}
                objects.append({**wanted, "error": gone})
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self._answer(200, [["Content-Type", "application/vnd.git-lfs+json"]], answer)

    def _answer(self, status: int, headers: list[list[str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.server.cut if b"PACK" in content else None
        self.wfile.write(content if cut is None else content[:cut])
        self.server.sent += len(content)
        self.close_connection = True

    def _allowed(self) -> bool:
        given = self.headers.get_all("Authorization") or []
        wanted = base64.b64encode(f"x-access-token:{self.server.token}".encode()).decode()
        # GitHub refuses a request with two such headers.
        return not self.server.token or [word.split(" ")[-1] for word in given] == [wanted]

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_git(root: Path) -> Iterator[GitServer]:
    """Run a server as long as the block lasts."""
    server = GitServer(root)
    with serving(server):
        yield server
