"""The first byte that differs is found wherever it is, also at the border of a chunk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.audit.compare.values import CHUNK, distance, first_difference, first_of


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_first_of_is_what_looking_at_each_byte_finds(a: bytes, b: bytes) -> None:
    plain = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    assert first_of(a, b) == (min(len(a), len(b)) if plain is None else plain)


@pytest.mark.parametrize("at", [0, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_first_difference_of_files(tmp_path: Path, at: int) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    data = bytearray(2 * CHUNK + 1)
    one.write_bytes(data)
    data[at] = 1
    other.write_bytes(data)
    assert first_difference(one, other) == at
    assert first_difference(one, one) is None
    other.write_bytes(bytes(at))
    assert first_difference(one, other) == at


def test_a_distance_leaves_out_what_is_not_finite() -> None:
    assert distance([(1.0, 3.0), (float("nan"), 1.0)]) == "largest distance 2 (relative 0.67)"
    assert distance([(float("inf"), 1.0)]) == ""
