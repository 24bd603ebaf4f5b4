"""Requests to a store: conditional writes, parts, listings."""

import os
from collections.abc import Iterator

import pytest

from mlpipe_ci.cache.remote.client import RemoteClient
from tests.support.remote_cache import wire_to
from tests.support.servers.s3 import Server


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
