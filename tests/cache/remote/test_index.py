"""Records of runs."""

import pytest

from mlpipe_ci.cache.remote.index import decode_recent


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b'{"version":1}', b'{"version":1,"results":[[1,2,3],[4]]}'],
)
def test_a_record_of_a_run_that_is_none(data: bytes) -> None:
    assert list(decode_recent("main", data)) == []
