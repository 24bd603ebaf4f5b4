"""A real S3 server (moto) on loopback, behind a proxy that counts, enforces a policy, and fails.

The proxy is what clients are told of. `server.faults` decides for each request what goes wrong,
`server.policy` which access key may read and write which prefixes.
"""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"}
"""What moto wants to see; it checks no signature."""
CREDENTIAL = re.compile(r"Credential=([^/]+)/")
HOP = {"connection", "transfer-encoding", "keep-alive", "server", "date"}
WRITES = {"PUT", "POST", "DELETE"}


@dataclass(frozen=True)
class Request:
    """One request: bytes of the bodies each way, and the status that the client got."""

    method: str
    path: str
    query: str
    sent: int
    received: int
    status: int


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request.

    `drop`: `before` the answer or in the `middle` of its body; `delay` in seconds; `cut`: bytes of
    the body that are missing at its end; `flip`: one byte is another; `status`: is answered, with
    `code`; `etag`: is told; `drip`: seconds between two pieces of the body.
    """

    drop: str = ""
    delay: float = 0.0
    cut: int = 0
    flip: bool = False
    status: int = 0
    code: str = ""
    etag: str = ""
    drip: float = 0.0


@dataclass(frozen=True)
class Rule:
    """Prefixes of keys that an access key may read and write."""

    reads: tuple[str, ...] = ("",)
    writes: tuple[str, ...] = ("",)


@dataclass
class Server:
    """The running pair. `direct` is moto's own address, `url` the proxy's."""

    direct: str
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    faults: Callable[[str, str], Fault | None] = lambda _method, _path: None
    policy: Mapping[str, Rule] = field(default_factory=dict)

    def env(self, access_key: str = "main") -> dict[str, str]:
        """Variables with which S3's clients find the server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "of-the-tests",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self, name: str) -> str:
        """Create a bucket; returns its name."""
        requests.put(f"{self.direct}/{name}", headers=SIGNED, timeout=10).raise_for_status()
        return name

    def objects(self, bucket: str) -> dict[str, int]:
        """Size of each object by its key."""
        found: dict[str, int] = {}
        after = ""
        while True:
            query = {"list-type": "2", "start-after": after}
            text = requests.get(
                f"{self.direct}/{bucket}", params=query, headers=SIGNED, timeout=10
            ).text
            page = re.findall(r"<Key>([^<]*)</Key>.*?<Size>(\d+)</Size>", text, re.DOTALL)
            found |= {key: int(size) for key, size in page}
            if "<IsTruncated>true</IsTruncated>" not in text:
                return found
            after = page[-1][0]

    def get(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
        answer = requests.get(f"{self.direct}/{bucket}/{key}", headers=SIGNED, timeout=10)
        answer.raise_for_status()
        return answer.content

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object."""
        requests.put(
            f"{self.direct}/{bucket}/{key}", data=data, headers=SIGNED, timeout=10
        ).raise_for_status()

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        url = f"{self.direct}/{bucket}/{key}"
        requests.delete(url, headers=SIGNED, timeout=10).raise_for_status()


@contextmanager
def s3() -> Iterator[Server]:
    """A running server."""
    port = _free_port()
    start = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    command = [sys.executable, "-W", "ignore", "-c", start]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    moto = subprocess.Popen(command, env=os.environ | {"AWS_ACCESS_KEY_ID": "x"}, **quiet)  # type: ignore[call-overload]
    server = Server(direct=f"http://127.0.0.1:{port}")
    front = _Front(server, port)
    server.url = f"http://127.0.0.1:{front.server_address[1]}"
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    try:
        _wait(port)
        yield server
    finally:
        front.shutdown()
        front.server_close()
        moto.terminate()
        moto.wait(10)


class _Front(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, server: Server, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.world, self.port = server, port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Front
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        world = self.server.world
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = world.faults(self.command, self.path) or Fault()
        if fault.delay:
            time.sleep(fault.delay)
        if fault.drop == "before":
            self._cut()
        elif fault.status:
            self._refuse(fault.status, fault.code or "Fault", len(body))
        elif self._is_denied(body):
            self._refuse(403, "AccessDenied", len(body))
        else:
            self._forward(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - named by the protocol

    def _forward(self, body: bytes, fault: Fault) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            self._answer(answer, data, fault, len(body))
        finally:
            connection.close()

    def _answer(
        self, answer: http.client.HTTPResponse, data: bytes, fault: Fault, sent: int
    ) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            told = fault.etag if fault.etag and name.lower() == "etag" else value
            if name.lower() not in HOP:
                self.send_header(name, told)
        self.end_headers()
        whole = len(data)
        if fault.flip and data:
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]
        if fault.cut:
            data = data[: -fault.cut]
        if fault.drop == "middle":
            data = data[: len(data) // 2]
        self._note(sent, len(data), answer.status)
        self._write(data, fault.drip)
        if len(data) < whole:
            self._cut()

    def _write(self, data: bytes, drip: float) -> None:
        size = max(1, len(data) // 10) if drip else max(1, len(data))
        for start in range(0, len(data), size):
            self.wfile.write(data[start : start + size])
            self.wfile.flush()
            time.sleep(drip)

    def _refuse(self, status: int, code: str, sent: int) -> None:
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        data = b"" if self.command == "HEAD" else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self._note(sent, len(data), status)

    def _is_denied(self, body: bytes) -> bool:
        """By the access key, and the keys that the request is about."""
        policy = self.server.world.policy
        if not policy:
            return False
        found = CREDENTIAL.search(self.headers.get("Authorization", ""))
        rule = policy.get(found[1] if found else "", Rule(reads=(), writes=()))
        allowed = rule.writes if self.command in WRITES else rule.reads
        return not all(key.startswith(tuple(allowed)) for key in self._keys(body))

    def _keys(self, body: bytes) -> list[str]:
        address = urlsplit(self.path)
        query = parse_qs(address.query, keep_blank_values=True)
        if "delete" in query:
            return re.findall(r"<Key>([^<]*)</Key>", body.decode())
        if "prefix" in query:
            return query["prefix"]
        return [unquote(address.path).lstrip("/").partition("/")[2]]

    def _note(self, sent: int, received: int, status: int) -> None:
        path, _, query = self.path.partition("?")
        told = Request(self.command, path, query, sent, received, status)
        self.server.world.requests.append(told)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base
        """Not on the terminal."""


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("the S3 server did not start")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
