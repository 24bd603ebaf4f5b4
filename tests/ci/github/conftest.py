"""The server that stands for GitHub's API."""

from collections.abc import Iterator

import pytest

from tests.support.servers.github import Server, serve


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running
