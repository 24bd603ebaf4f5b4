"""Pickles and joblib's files: the first instruction that differs. Nothing is unpickled."""

import bz2
import lzma
import pickletools
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Protocol

from mlpipe_ci.audit.compare.values import (
    LARGE,
    Distance,
    UnreadableError,
    content,
    first_of,
    joined,
    shown,
)
from mlpipe_ci.core.frozen import frozen

MOST = 5_000_000
"""Instructions that are looked at."""
FRAMES = {"FRAME", "PROTO"}
NAMES = {"SHORT_BINUNICODE", "BINUNICODE", "UNICODE", "BINUNICODE8"}
DATETIME, DATETIME_BYTES = "datetime", 10
LAST_OF_WRAPPER = ("allow_mmap", "numpy_array_alignment_bytes")
"""What joblib says last of an array; its bytes follow the end of that object."""


class _Decompressor(Protocol):
    """What `bz2` and `lzma` have, and `zlib` nearly."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end of the compressed data."""

    @property
    def eof(self) -> bool:
        """True if their end was seen."""

    def decompress(self, data: bytes, length: int, /) -> bytes:
        """So many bytes at most."""


FORMATS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
    (b"]\0\0\x80", lzma.LZMADecompressor),
    *((b"\x78" + level, zlib.decompressobj) for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")),
)
"""How compressed data begin, and what decompresses them."""


@frozen
class Instruction:
    """One of a pickle. `position`: its offset in bytes."""

    name: str
    value: Any
    position: int


def pickle_file(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    before, after = opened(content(old)), opened(content(new))
    if before == after:
        return "equal once decompressed: only how it was compressed differs"
    both = _Both()
    for a, b in zip_longest(_instructions(before), _instructions(after)):
        if not both.add(a, b):
            break
    if both.count == 0 or (both.count == 1 and both.end_of_one):
        raise UnreadableError("it is no pickle")
    at = first_of(before, after)
    if both.first is None or both.first[0].position > at >= both.end:
        return _in_arrays(before, after, at, both.end)
    a, b, names = both.first
    around = f" after {shown(names)}" if names else ""
    if a.name != b.name and _word(a) == _word(b):
        return f"instruction {a.name} → {b.name} at byte {a.position:,}{around}"
    sizes = f"{len(before):,} bytes, now {len(after):,}" if len(before) != len(after) else ""
    words = f"{_word(a)} → {_word(b)} at byte {a.position:,}{around}"
    return joined(words, sizes, both.distance.words())


class _Both:
    """The instructions of two pickles, as they come. `first`: those that differ, and the last name
    before them; `end`: where the bytes of the first array begin, or the instructions end;
    `end_of_one`: one of the pickles has fewer.
    """

    def __init__(self) -> None:
        self.first: tuple[Instruction, Instruction, str] | None = None
        self.distance = Distance()
        self.count = self.end = 0
        self.end_of_one = False
        self._names, self._wrapped, self._ended = "", False, False

    def add(self, a: Instruction | None, b: Instruction | None) -> bool:
        """The next of both, None where one has ended. False if no more need be read."""
        one = a or b
        if one is None:
            return False
        self.count += 1
        self._note(one)
        if a is None or b is None:
            self.end_of_one = True
            stop = Instruction(name="STOP", value=None, position=one.position)
            self.first = self.first or (a or stop, b or stop, self._names)
            return False
        if a.name != b.name or repr(a.value) != repr(b.value):
            self.first = self.first or (a, b, self._names)
            if isinstance(a.value, float) and isinstance(b.value, float):
                self.distance.add(a.value, b.value)
        elif a.name in NAMES:
            self._names = str(a.value)
        return True

    def _note(self, one: Instruction) -> None:
        if self._ended:
            return
        self.end = one.position + 1
        self._wrapped = self._wrapped or (one.name in NAMES and one.value in LAST_OF_WRAPPER)
        self._ended = self._wrapped and one.name == "BUILD"


def opened(data: bytes) -> bytes:
    """The bytes, decompressed where joblib or gzip compressed them. Raises UnreadableError."""
    make = next((make for magic, make in FORMATS if data.startswith(magic)), None)
    if make is None:
        return data
    try:
        found, whole = _decompressed(make, data)
    except (zlib.error, OSError, EOFError, lzma.LZMAError) as error:
        raise UnreadableError("it cannot be decompressed") from error
    if len(found) > LARGE:
        raise UnreadableError(f"it holds more than {LARGE >> 20} MiB, so it was not looked into")
    if not whole:
        raise UnreadableError("it ends before what is compressed in it does")
    return found


def _decompressed(make: Callable[[], _Decompressor], data: bytes) -> tuple[bytes, bool]:
    """What is in all its parts, up to a limit, and whether each part has an end."""
    found, left, whole = b"", data, True
    while left and len(found) <= LARGE:
        one = make()
        found += one.decompress(left, LARGE + 1)
        left, whole = one.unused_data, one.eof
    return found, whole


def _instructions(data: bytes) -> Iterator[Instruction]:
    """As far as they can be read: joblib puts the bytes of arrays between them."""
    faults = (ValueError, IndexError, UnicodeError, struct.error, OverflowError, MemoryError)
    with suppress(*faults):
        for code, value, position in islice(pickletools.genops(data), MOST):
            if code.name not in FRAMES:
                yield Instruction(name=code.name, value=value, position=position or 0)


def _word(one: Instruction) -> str:
    moment = datetime_words(one.value)
    return moment or (shown(one.value) if one.value is not None else one.name)


def datetime_words(value: Any) -> str:
    """The moment that the ten bytes of a pickled `datetime` say; empty for all else."""
    data = value.encode("latin-1", "ignore") if isinstance(value, str) else value
    if not isinstance(data, bytes | bytearray) or len(data) != DATETIME_BYTES:
        return ""
    year, (month, day, hour, minute, second) = data[0] * 256 + data[1], data[2:7]
    sensible = 1900 < year < 2200 and 0 < month <= 12 and 0 < day <= 31  # noqa: PLR2004 - a calendar
    if not sensible or hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004
        return ""
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def _in_arrays(old: bytes, new: bytes, at: int, start: int) -> str:
    sizes = f"{len(old):,} bytes, now {len(new):,}" if len(old) != len(new) else ""
    padding = old[start] + 1 if start < len(old) and old[start] < 16 else 0  # noqa: PLR2004 - joblib aligns
    offset = (at - start - padding) // 8 * 8 + start + padding
    words = f"the bytes of an array differ, first at byte {at:,} of the file"
    try:
        a, b = struct.unpack_from("<d", old, offset)[0], struct.unpack_from("<d", new, offset)[0]
    except struct.error:
        return joined(words, sizes)
    plain = all(one == 0 or 1e-30 < abs(one) < 1e30 for one in (a, b))  # noqa: PLR2004
    values = f"read as 64-bit numbers: {a!r} → {b!r}" if plain else ""
    return joined(words, values, sizes)
