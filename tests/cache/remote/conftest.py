"""The S3 server that the tests of the remote cache share."""

from collections.abc import Iterator

import pytest

from mlpipe_ci.cache.remote.client import RemoteClient
from tests.support.remote_cache import wire_to
from tests.support.servers.s3 import Server, s3


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
