"""The parts of the remote store: frames, breaker, layout, words of faults, and the wire itself."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3_server import Fault, Server, s3

from mlpipe_ci.cache.objects import DamagedError, Objects
from mlpipe_ci.cache.remote import compression as frames
from mlpipe_ci.cache.remote import layout
from mlpipe_ci.cache.remote.circuit_breaker import FAILURES, PAUSE, CircuitBreaker
from mlpipe_ci.cache.remote.client import PART, RemoteClient
from mlpipe_ci.cache.remote.connect import check, open_store, timeout, without_credentials
from mlpipe_ci.cache.remote.downloads import bring
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError
from mlpipe_ci.cache.remote.index import decode_recent
from mlpipe_ci.core.errors import UsageError

DIGEST = "blake3:" + "ab" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3() as running:
        running.bucket("bucket")
        yield running


@pytest.fixture
def client(server: Server) -> RemoteClient:
    server.faults = lambda _method, _path: None
    for key in server.objects("bucket"):
        server.delete("bucket", key)
    server.requests.clear()
    return wire_to(server)


def wire_to(server: Server, url: str = "s3://bucket/top", **env: str) -> RemoteClient:
    told = {**server.env(), **env}
    return RemoteClient(lambda: open_store(url, told), url, lambda _text: None)


# -- frames ------------------------------------------------------------------------------------


@given(st.binary(max_size=5000), st.integers(20, 3000))
def test_what_is_packed_comes_out_as_it_was(data: bytes, size: int) -> None:
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    frame = b"".join(frames.pack(chunks, len(data)))
    pieces = [frame[start : start + size] for start in range(0, len(frame), size)]
    assert b"".join(frames.unpack(pieces)) == data
    assert frames.unpacked(frames.packed(data), 5000) == data


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_damaged_frame_never_gives_other_bytes(data: bytes, draw: st.DataObject) -> None:
    frame = bytearray(frames.packed(data))
    index = draw.draw(st.integers(0, len(frame) - 1))
    frame[index] ^= draw.draw(st.integers(1, 255))
    with suppress(frames.FrameError):
        assert frames.unpacked(bytes(frame), 10_000) == data


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_frame_that_was_cut_or_goes_on_is_refused(cut: int) -> None:
    frame = frames.packed(os.urandom(1000))
    for wrong in (frame[:-cut], frame + b"x" * cut, b"", b"no frame"):
        with pytest.raises(frames.FrameError):
            frames.unpacked(wrong, 10_000)


def test_a_frame_that_says_more_than_is_allowed_is_not_opened() -> None:
    with pytest.raises(frames.FrameError, match="claims to hold 100000"):
        frames.unpacked(frames.packed(b"0" * 100_000), 99_999)


# -- breaker -----------------------------------------------------------------------------------


def test_after_three_failures_nothing_is_asked_until_a_probe_succeeds() -> None:
    now = [0.0]
    breaker = CircuitBreaker(lambda: now[0])
    assert [breaker.failed() for _ in range(FAILURES)] == [False, False, True]
    assert not breaker.allows()
    now[0] = PAUSE
    assert breaker.allows(), "the probe"
    assert not breaker.allows(), "one alone"
    assert not breaker.failed(), "said once"
    now[0] += PAUSE * 1.9
    assert not breaker.allows(), "twice as long"
    now[0] += PAUSE * 0.1
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


# -- layout and addresses ----------------------------------------------------------------------


@given(st.sampled_from(["main", "pr/7", "branch/a%2Fb", "branch/results"]))
def test_a_path_tells_its_scope(scope: str) -> None:
    paths = (
        layout.object_path(scope, DIGEST),
        layout.result_path(scope, "cd" * 32, "name"),
        layout.recent_path(scope, "mlpipe.yml"),
        layout.run_path(scope, 1.5, "8"),
    )
    assert [layout.scope_of(path) for path in paths] == [scope] * 4
    assert layout.key_of(paths[1]) == ("cd" * 32, "name")
    assert layout.digest_of(paths[0]) == DIGEST


@pytest.mark.parametrize("path", ["v2/main/objects/a", "v1/main/else/a", "x", "v1/objects/a"])
def test_what_is_not_ours_has_no_scope(path: str) -> None:
    assert not layout.scope_of(path)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://x/y", "mlpipe knows s3://"),
        ("s3:///x", "names no bucket"),
        ("file://x/y", "file:///absolute/path"),
        ("s3://key:secret@bucket/x", "credentials do not belong"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, word: str) -> None:
    with pytest.raises(UsageError, match=word) as error:
        check(url)
    assert "secret" not in str(error.value).replace("secrets", "")


def test_what_is_secret_in_an_address_is_not_shown() -> None:
    assert without_credentials("s3://key:word@bucket/top?sig=1") == "s3://bucket/top"


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "1e9"])
def test_a_time_limit_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="MLPIPE_REMOTE_TIMEOUT"):
        timeout({"MLPIPE_REMOTE_TIMEOUT": text})


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b'{"version":1}', b'{"version":1,"results":[[1,2,3],[4]]}'],
)
def test_a_record_of_a_run_that_is_none(data: bytes) -> None:
    assert list(decode_recent("main", data)) == []


# -- the wire ----------------------------------------------------------------------------------


def test_the_first_writer_wins(client: RemoteClient, server: Server) -> None:
    assert client.put("a/b", b"first")
    assert not client.put("a/b", b"second")
    assert client.get("a/b") == b"first"
    assert client.put("a/b", b"third", instead=True)
    assert client.get("a/b") == b"third"
    assert server.objects("bucket") == {"top/a/b": 5}


def test_a_large_object_goes_in_parts_and_leaves_nothing_if_it_fails(
    client: RemoteClient, server: Server
) -> None:
    piece = os.urandom(1 << 20)
    client.put_parts("large", (piece for _ in range(20)))
    assert client.size("large") == 20 << 20
    answer = client.stream("large", (19 << 20) + 100)
    assert (answer.size, b"".join(answer.chunks)) == (20 << 20, piece[100:])

    def broken() -> Iterator[bytes]:
        yield from (piece for _ in range(20))
        raise ValueError("the file is another one")

    with pytest.raises(ValueError, match="another one"):
        client.put_parts("broken", broken())
    assert client.size("broken") is None


def test_a_listing_of_many_pages(client: RemoteClient, server: Server) -> None:
    for number in range(1005):
        server.put("bucket", f"top/many/{number:04}", b"x")
    assert len(list(client.entries("many"))) == 1005
    server.requests.clear()
    assert len(list(wire_to(server).entries("many", 1000))) == 1000
    assert len(server.requests) == 1
    client.delete([f"many/{number:04}" for number in range(1005)])
    assert list(client.entries("many")) == []


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


def test_without_credentials_it_is_not_used_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = RemoteClient(lambda: open_store("s3://b/x", {}), "s3://b/x", lambda _text: None)
    for _ in range(2):
        with pytest.raises(RemoteError):
            client.get("a")
    assert len(client.warnings) == 1
    assert "credentials" in client.warnings[0]


# -- bringing contents -------------------------------------------------------------------------


def stored(client: RemoteClient, data: bytes) -> str:
    from blake3 import blake3  # noqa: PLC0415 - for this alone

    digest = f"blake3:{blake3(data).hexdigest()}"
    client.put_parts(layout.object_path("main", digest), frames.pack([data], len(data)))
    return digest


def test_a_stream_that_breaks_off_is_gone_on_with(
    client: RemoteClient, server: Server, tmp_path: Path
) -> None:
    data = os.urandom(3 * PART)
    digest = stored(client, data)
    path = layout.object_path("main", digest)
    server.requests.clear()
    server.faults = lambda _method, _path: Fault(drop="middle") if not server.requests else None
    bring(client, path, digest, Objects(tmp_path))
    assert Objects(tmp_path).read(digest) == data
    assert sum(one.received for one in server.requests) < 4 * PART
    assert list((tmp_path / "v1/tmp").iterdir()) == []


def test_a_large_content_that_broke_off_is_gone_on_with_by_the_next_run(
    client: RemoteClient, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlpipe_ci.cache.remote.downloads.KEPT", PART)
    data = os.urandom(5 * PART)
    digest = stored(client, data)
    path = layout.object_path("main", digest)
    passed: list[str] = []

    def break_off(method: str, _path: str) -> Fault | None:
        passed.append(method)
        return Fault(drop="middle" if len(passed) == 1 else "before")

    server.faults = break_off
    with pytest.raises(RemoteError):
        bring(client, path, digest, Objects(tmp_path))
    server.faults = lambda _method, _path: None
    server.requests.clear()
    bring(wire_to(server), path, digest, Objects(tmp_path))
    assert Objects(tmp_path).read(digest) == data
    assert sum(one.received for one in server.requests) <= 3 * PART + 1000
    assert list((tmp_path / "v1/tmp").iterdir()) == []


def test_a_content_that_comes_damaged_is_asked_for_once_more(
    client: RemoteClient, server: Server, tmp_path: Path
) -> None:
    digest = stored(client, os.urandom(3000))
    path = layout.object_path("main", digest)
    server.requests.clear()
    server.faults = lambda _method, _path: None if server.requests else Fault(flip=True)
    bring(client, path, digest, Objects(tmp_path))
    assert Objects(tmp_path).has(digest, 3000)
    server.faults = lambda _method, _path: Fault(flip=True)
    other = stored(wire_to(server), b"1" * 3000)
    with pytest.raises(DamagedError, match="came damaged"):
        bring(client, layout.object_path("main", other), other, Objects(tmp_path))
    assert not Objects(tmp_path).has(other, 3000)


def test_what_is_not_what_its_name_says_is_not_kept(
    client: RemoteClient, server: Server, tmp_path: Path
) -> None:
    digest = stored(client, b"right")
    path = layout.object_path("main", digest)
    client.put(path, frames.packed(b"wrong"), instead=True)
    with pytest.raises(DamagedError):
        bring(client, path, digest, Objects(tmp_path))
    assert not Objects(tmp_path).has(digest, 5)
