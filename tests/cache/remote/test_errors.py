"""Faults of a store, in words."""

from typing import Any

import pytest

from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError
from tests.support.remote_cache import wire_to
from tests.support.servers.s3 import Fault, Server

FAULTS: list[tuple[Any, ErrorKind, str]] = [
    (Fault(status=403, code="ExpiredToken"), ErrorKind.REFUSED, "log in again"),
    (Fault(status=403, code="RequestTimeTooSkewed"), ErrorKind.REFUSED, "clock is wrong"),
    (Fault(status=403, code="InvalidAccessKeyId"), ErrorKind.REFUSED, "access key is not known"),
    (Fault(status=403, code="AccessDenied"), ErrorKind.REFUSED, "do not allow it"),
    (Fault(status=404, code="NoSuchBucket"), ErrorKind.REFUSED, "no such bucket"),
    (Fault(status=500, code="InternalError"), ErrorKind.FAILED, "500 InternalError"),
    (Fault(status=503, code="SlowDown"), ErrorKind.FAILED, "too many requests"),
    (Fault(status=429), ErrorKind.FAILED, "429"),
    (Fault(drop="before"), ErrorKind.FAILED, "connection broke"),
    (Fault(drop="middle"), ErrorKind.FAILED, "connection broke"),
    (Fault(cut=3), ErrorKind.FAILED, "connection broke"),
    (Fault(delay=1.5), ErrorKind.FAILED, "no answer in time"),
    (Fault(drip=0.4), ErrorKind.FAILED, ""),
]


@pytest.mark.parametrize(("fault", "kind", "word"), FAULTS)
def test_a_fault_is_told_in_words(
    client: RemoteClient, server: Server, fault: Fault, kind: ErrorKind, word: str
) -> None:
    server.put("bucket", "top/a", b"content of it")
    client = wire_to(server, MLPIPE_REMOTE_TIMEOUT="1")
    server.faults = lambda _method, _path: fault
    with pytest.raises(RemoteError) as error:
        client.get("a")
    assert error.value.kind is kind
    assert word in str(error.value)
    if kind is ErrorKind.REFUSED:
        assert len(client.warnings) == 1
        with pytest.raises(RemoteError):
            client.get("a")
        assert len(client.warnings) == 1, "said once"


@pytest.mark.parametrize(
    ("address", "word"),
    [("http://127.0.0.1:9", "cannot be reached"), ("http://no.invalid", "name is not found")],
)
def test_a_store_that_is_not_there_is_left_alone_after_three_tries(
    server: Server, address: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HTTP_PROXY")  # which would look the name up
    client = wire_to(server, AWS_ENDPOINT_URL=address)
    for _ in range(3):
        with pytest.raises(RemoteError, match=word):
            list(client.entries("v1"))
    with pytest.raises(RemoteError, match="did not answer"):
        client.get("a")
    assert client.counts.requests == 3
    assert len(client.warnings) == 1
