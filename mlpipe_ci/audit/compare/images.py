"""Pictures: whether pixels differ, or only what is written beside them."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from mlpipe_ci.audit.compare.values import LARGE, UnreadableError, content, first_of, joined, shown

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Values of a pixel by PNG's colour type."""
MOST_PIXELS = 4_000_000
SCAN = 0xDA


def png(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    before, after = _chunks(content(old)), _chunks(content(new))
    heads = dict(before).get("IHDR"), dict(after).get("IHDR")
    if heads[0] != heads[1]:
        return f"{_size(heads[0])}, now {_size(heads[1])}"
    metadata = _differing_chunks(before, after)
    pixels = _pixels(before), _pixels(after)
    if pixels[0] == pixels[1]:
        how = metadata or "how its pixels are compressed"
        return (
            f"all pixels are equal; only metadata differ: {how}"
            if metadata
            else (f"all pixels are equal; only {how} differs")
        )
    also = f"also its metadata: {metadata}" if metadata else ""
    return joined(f"pixels differ: {_first_pixel(heads[0] or b'', *pixels)}", also)


def jpeg(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    before, after = _segments(content(old)), _segments(content(new))
    scans = before.pop(SCAN, b""), after.pop(SCAN, b"")
    names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    parts = ", ".join(_segment_name(name) for name in sorted(names))
    if scans[0] == scans[1]:
        return f"its picture is equal; only metadata differ: {parts}"
    return joined("its picture differs", f"also {parts}" if parts else "")


def _chunks(data: bytes) -> list[tuple[str, bytes]]:
    if not data.startswith(PNG):
        raise UnreadableError("it is no PNG")
    found, position = list[tuple[str, bytes]](), len(PNG)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        found.append((kind.decode("latin-1"), body))
        position += 12 + length
    return found


def _differing_chunks(before: list[tuple[str, bytes]], after: list[tuple[str, bytes]]) -> str:
    """Chunks besides the pixels that are not the same, with what they say."""
    old = [one for one in before if one[0] != "IDAT"]
    new = [one for one in after if one[0] != "IDAT"]
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    found = []
    for kind, body in gone:
        name = body.partition(b"\0")[0] if kind in {"tEXt", "zTXt", "iTXt"} else b""
        other = next((o for k, o in come if k == kind and o.startswith(name)), None)
        now = _chunk_words(kind, other) if other is not None else "gone"
        title = f"{kind} {name.decode('latin-1')}".strip()
        found.append(f"{title}: {_chunk_words(kind, body)} → {now}")
    kinds = {kind for kind, _ in gone}
    found += [f"{kind} is new: {_chunk_words(kind, b)}" for kind, b in come if kind not in kinds]
    return ", ".join(found)


def _chunk_words(kind: str, body: bytes) -> str:
    if kind == "tIME" and len(body) == 7:  # noqa: PLR2004 - its fixed length
        year, *rest = struct.unpack(">HBBBBB", body)
        return "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(year, *rest)
    text = body.partition(b"\0")[2] if kind == "tEXt" else body
    return shown(text.strip(b"\0").decode("latin-1"))


def _pixels(chunks: list[tuple[str, bytes]]) -> bytes:
    data = b"".join(body for kind, body in chunks if kind == "IDAT")
    try:
        found = zlib.decompressobj().decompress(data, LARGE)
    except zlib.error as error:
        raise UnreadableError("its pixels cannot be decompressed") from error
    return found


def _size(head: bytes | None) -> str:
    if not head or len(head) < 10:  # noqa: PLR2004
        return "no size"
    width, height, depth, colour = struct.unpack_from(">IIBB", head)
    return f"{width} × {height} pixels of {depth} bits (colour type {colour})"


def _first_pixel(head: bytes, old: bytes, new: bytes) -> str:
    width, height, depth, colour = struct.unpack_from(">IIBB", head)
    samples = SAMPLES.get(colour, 0)
    interlaced = len(head) > 12 and head[12] != 0  # noqa: PLR2004
    if depth != 8 or not samples or interlaced or width * height > MOST_PIXELS:  # noqa: PLR2004
        row = first_of(old, new) // max(1, len(old) // max(height, 1))
        return f"first in row {row + 1}"
    a, b = list(_lines(old, width * samples, samples)), list(_lines(new, width * samples, samples))
    count, first, largest = 0, "", 0
    for y, (one, other) in enumerate(zip(a, b, strict=False)):
        if one == other:
            continue
        for x in range(width):
            was, now = one[x * samples : (x + 1) * samples], other[x * samples : (x + 1) * samples]
            if was != now:
                count += 1
                largest = max(largest, *(abs(i - j) for i, j in zip(was, now, strict=True)))
                first = first or f"first at ({x}, {y}): {tuple(was)} → {tuple(now)}"
    return f"{first}, {count:,} of {width * height:,}, at most by {largest}"


def _lines(data: bytes, width: int, step: int) -> Iterator[bytes]:
    """The rows of a picture with PNG's filters undone (PNG specification, chapter 9)."""
    above = bytearray(width)
    for start in range(0, len(data) - width, width + 1):
        kind, line = data[start], bytearray(data[start + 1 : start + 1 + width])
        for i in range(len(line) if kind else 0):
            left = line[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            line[i] = (line[i] + _predicted(kind, left, above[i], corner)) & 0xFF
        above = line
        yield bytes(line)


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 2:  # noqa: PLR2004 - PNG's numbers
        return up
    if kind == 3:  # noqa: PLR2004
        return (left + up) // 2
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))


def _segments(data: bytes) -> dict[int, bytes]:
    """Of a JPEG: what each kind of marker holds; all from the first scan on is one."""
    if not data.startswith(JPEG):
        raise UnreadableError("it is no JPEG")
    found, position = dict[int, bytes](), 2
    while position + 4 <= len(data) and data[position] == 0xFF:  # noqa: PLR2004 - a marker
        kind = data[position + 1]
        if kind == SCAN:
            found[SCAN] = data[position:]
            break
        length = struct.unpack_from(">H", data, position + 2)[0]
        found[kind] = found.get(kind, b"") + data[position + 4 : position + 2 + length]
        position += 2 + length
    return found


def _segment_name(kind: int) -> str:
    if kind == 0xFE:  # noqa: PLR2004
        return "comment"
    return f"APP{kind - 0xE0}" if 0xE0 <= kind <= 0xEF else f"segment {kind:#x}"  # noqa: PLR2004
