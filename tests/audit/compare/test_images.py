"""Pictures: pixels or metadata; every filter of PNG is undone as its specification says."""

import struct
import zlib
from pathlib import Path

import pytest

from mlpipe_ci.audit.compare.images import jpeg, png

Rows = list[list[int]]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(rows: Rows, kind: int, step: int) -> bytes:
    """Rows as PNG's filter `kind` writes them (chapter 9 of the specification)."""
    found, above = b"", [0] * len(rows[0])
    for row in rows:
        line = []
        for i, value in enumerate(row):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            p = left + above[i] - corner
            near = min((left, above[i], corner), key=lambda one: abs(p - one))
            guess = (0, left, above[i], (left + above[i]) // 2, near)[kind]
            line.append((value - guess) % 256)
        found += bytes([kind, *line])
        above = row
    return found


def picture(
    rows: Rows, *, kind: int = 0, colour: int = 0, extra: bytes = b"", level: int = 6
) -> bytes:
    step = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    head = struct.pack(">IIBBBBB", len(rows[0]) // step, len(rows), 8, colour, 0, 0, 0)
    data = zlib.compress(filtered(rows, kind, step), level)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def compared(tmp_path: Path, old: bytes, new: bytes) -> str:
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    return png(tmp_path / "old", tmp_path / "new")


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_the_first_pixel_that_differs(tmp_path: Path, kind: int, colour: int) -> None:
    step = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    old = [[(7 * x * y + x) % 251 for x in range(4 * step)] for y in range(3)]
    new = [list(row) for row in old]
    new[1][2 * step] += 4
    found = compared(
        tmp_path, picture(old, kind=kind, colour=colour), picture(new, kind=kind, colour=colour)
    )
    assert "pixels differ: first at (2, 1): " in found
    assert found.endswith("1 of 12, at most by 4")


def test_metadata_alone(tmp_path: Path) -> None:
    rows = [[1, 2], [3, 4]]
    one = picture(rows, extra=chunk(b"tEXt", b"Software\0x 1.0"))
    other = picture(rows, extra=chunk(b"tEXt", b"Software\0x 1.1"))
    found = compared(tmp_path, one, other)
    assert found == "all pixels are equal; only metadata differ: tEXt Software: x 1.0 → x 1.1"
    times = [chunk(b"tIME", struct.pack(">HBBBBB", 2026, 1, day, 0, 0, 0)) for day in (1, 2)]
    found = compared(tmp_path, picture(rows, extra=times[0]), picture(rows, extra=times[1]))
    assert "tIME: 2026-01-01 00:00:00 → 2026-01-02 00:00:00" in found
    assert "tIME is new" in compared(tmp_path, picture(rows), picture(rows, extra=times[1]))
    packed = [picture([[1] * 200] * 200, level=level) for level in (1, 9)]
    assert "only how its pixels are compressed differs" in compared(tmp_path, *packed)


def test_sizes_depths_and_large_ones(tmp_path: Path) -> None:
    assert "2 × 1 pixels of 8 bits (colour type 0), now 1 × 2" in compared(
        tmp_path, picture([[1, 2]]), picture([[1], [2]])
    )
    large = [[0] * 2500 for _ in range(2000)]
    changed = [list(row) for row in large]
    changed[1500][3] = 9
    assert "first in row 1501" in compared(tmp_path, picture(large), picture(changed))


def segment(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def test_jpeg(tmp_path: Path) -> None:
    def made(comment: bytes, scan: bytes) -> Path:
        path = tmp_path / f"{comment!r}{scan!r}.jpg"
        parts = segment(0xE0, b"JFIF\0"), segment(0xFE, comment), segment(0xDA, b"") + scan
        path.write_bytes(b"\xff\xd8" + b"".join(parts) + b"\xff\xd9")
        return path

    assert jpeg(made(b"a", b"1"), made(b"b", b"1")) == (
        "its picture is equal; only metadata differ: comment"
    )
    assert jpeg(made(b"a", b"1"), made(b"a", b"2")) == "its picture differs"
    assert jpeg(made(b"a", b"1"), made(b"b", b"2")) == "its picture differs; also comment"
