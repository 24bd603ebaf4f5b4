"""What comparisons share: limits, the first byte that differs, short words for values."""

import math
from collections.abc import Iterable
from pathlib import Path

LARGE = 256 << 20
"""Bytes up to which a file is looked into."""
CHUNK = 1 << 20
SHOWN = 60


class UnreadableError(Exception):
    """A file is not what its name says, or too large to be looked into; the message says so."""


def first_difference(old: Path, new: Path) -> int | None:
    """Offset in bytes of the first that differs, or where the shorter file ends; None: equal.

    Raises OSError.
    """
    with old.open("rb") as one, new.open("rb") as other:
        position = 0
        while True:
            a, b = one.read(CHUNK), other.read(CHUNK)
            if a != b:
                return position + first_of(a, b)
            if not a:
                return None
            position += len(a)


def first_of(a: bytes, b: bytes) -> int:
    """Index of the first byte that differs, by halving; the shorter length if there is none."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def in_bytes(old: Path, new: Path) -> str:
    """What can be said of any two files. Raises OSError."""
    sizes = old.stat().st_size, new.stat().st_size
    where = first_difference(old, new)
    size = f"{sizes[0]:,} bytes, now {sizes[1]:,}; " if sizes[0] != sizes[1] else ""
    return f"{size}first differing byte at offset {where or 0:,}"


def refuse_large(path: Path) -> None:
    """Raises UnreadableError for a file that is too large to be looked into, OSError."""
    if path.stat().st_size > LARGE:
        raise UnreadableError(f"larger than {LARGE >> 20} MiB, so it was not looked into")


def content(path: Path) -> bytes:
    """All bytes of a file. Raises UnreadableError if they are too many, OSError."""
    refuse_large(path)
    return path.read_bytes()


def shown(value: object) -> str:
    """A value on one line, not too long."""
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", "\\n").replace("\r", "\\r")
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


class Distance:
    """The largest difference of numbers, of as many pairs as there are."""

    def __init__(self) -> None:
        self._largest = (-1.0, 0.0)

    def add(self, one: float, other: float) -> None:
        """What is not finite has no distance."""
        if math.isfinite(one) and math.isfinite(other):
            self._largest = max(self._largest, (abs(one - other), max(abs(one), abs(other))))

    def words(self) -> str:
        """Absolute and relative; empty without numbers."""
        largest, scale = self._largest
        if largest < 0:
            return ""
        relative = f" (relative {largest / scale:.2g})" if scale else ""
        return f"largest distance {largest:.3g}{relative}"


def distance(pairs: Iterable[tuple[float, float]]) -> str:
    """The largest difference of pairs of numbers in words; empty without numbers."""
    found = Distance()
    for one, other in pairs:
        found.add(one, other)
    return found.words()


def number(text: str) -> float | None:
    """The number that a text is; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def joined(*parts: str) -> str:
    """Parts of a sentence, without the empty ones."""
    return "; ".join(part for part in parts if part)
