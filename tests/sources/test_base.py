"""What a source answers, as a digest."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.sources.base import SourceItem, SourceKind


@given(st.text(max_size=300))
def test_a_digest_is_one_line_however_odd_the_tag(value: str) -> None:
    item = SourceItem(path="a", owner="0" * 16, key="k", kind=SourceKind.ETAG, value=value)
    assert item.digest.isprintable()
    assert item.digest.isascii()
    assert len(item.digest) < 200
