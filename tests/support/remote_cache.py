"""A client of the remote cache on the S3 server of the tests."""

from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.connect import open_store
from tests.support.servers.s3 import Server


def wire_to(server: Server, url: str = "s3://bucket/top", **env: str) -> RemoteClient:
    told = {**server.env(), **env}
    return RemoteClient(lambda: open_store(url, told), url, lambda _text: None)
