"""Downloads that break off or arrive damaged."""

import os
from pathlib import Path

import pytest

from mlpipe_ci.cache.objects import DamagedError, Objects
from mlpipe_ci.cache.remote import compression as frames
from mlpipe_ci.cache.remote import layout
from mlpipe_ci.cache.remote.client import PART, RemoteClient
from mlpipe_ci.cache.remote.downloads import bring
from mlpipe_ci.cache.remote.errors import RemoteError
from tests.support.remote_cache import wire_to
from tests.support.servers.s3 import Fault, Server


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
