"""Sizes as they are written in settings."""

import pytest

from mlpipe_ci.cache.auto_gc import size
from mlpipe_ci.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "count"),
    [("500M", 500_000_000), ("1.5t", 1_500_000_000_000), ("7", 7), ("2 GB", None)],
)
def test_sizes(text: str, count: int | None) -> None:
    if count is None:
        with pytest.raises(UsageError, match="write 500M, 20G"):
            size(text)
    else:
        assert size(text) == count
