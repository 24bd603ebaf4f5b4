"""Frames: packed contents come out as they were, or not at all."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.cache.remote import compression as frames


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
