"""Fixtures of the cache."""

from pathlib import Path

import pytest

from mlpipe_ci.cache.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")
