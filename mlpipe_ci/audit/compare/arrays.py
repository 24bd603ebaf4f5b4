"""NumPy's files, read without NumPy: which array, its shape and type, how far values are apart."""

import ast
import math
import struct
import zipfile
import zlib
from pathlib import Path

from mlpipe_ci.audit.compare.values import (
    LARGE,
    UnreadableError,
    content,
    distance,
    first_of,
    joined,
    shown,
)
from mlpipe_ci.core.frozen import frozen

MAGIC = b"\x93NUMPY"
MOST_VALUES = 4_000_000
FORMATS = {"f4": "f", "f8": "d", "f2": "e", "b1": "?"} | {
    f"{kind}{size}": letter.upper() if kind == "u" else letter
    for size, letter in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))
    for kind in ("i", "u")
}
"""NumPy's types as `struct` calls them."""


@frozen
class Array:
    """The values of an array as bytes; `kind` as NumPy writes it: `<f8`."""

    kind: str
    shape: tuple[int, ...]
    fortran: bool
    data: bytes


def npy(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    return _compared("", _array(content(old)), _array(content(new)))


def npz(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    before, after = members(old), members(new)
    if before.keys() != after.keys():
        return f"its arrays are {shown(', '.join(before))}, now {shown(', '.join(after))}"
    names = [name for name in before if before[name] != after[name]]
    if not names:
        return "all arrays are equal: only times or the order in the archive differ"
    more = f"{len(names)} of its {len(before)} arrays differ" if len(before) > 1 else ""
    name = names[0]
    return joined(
        _compared(name.removesuffix(".npy"), _array(before[name]), _array(after[name])), more
    )


def members(path: Path) -> dict[str, bytes]:
    """The contents of an archive by name. Raises UnreadableError, OSError."""
    content(path)  # not too large
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(one.file_size for one in entries) > LARGE:
                raise UnreadableError(f"it holds more than {LARGE >> 20} MiB, so it was not read")
            return {one.filename: archive.read(one) for one in entries}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnreadableError(f"it cannot be read as an archive ({shown(str(error))})") from error


def _array(data: bytes) -> Array:
    if not data.startswith(MAGIC) or len(data) < 12:  # noqa: PLR2004 - the shortest header
        raise UnreadableError("it is no file of NumPy")
    wide = data[6] > 1
    length = struct.unpack_from("<I" if wide else "<H", data, 8)[0]
    start = 12 if wide else 10
    try:
        header = ast.literal_eval(data[start : start + length].decode("utf-8"))
        kind, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise UnreadableError("its header cannot be read as NumPy's") from error
    text = kind if isinstance(kind, str) else repr(kind)
    body = data[start + length :]
    return Array(kind=text, shape=tuple(shape), fortran=bool(fortran), data=body)


def _compared(name: str, old: Array, new: Array) -> str:
    title = f"array {name}" if name else "the array"
    if old.kind != new.kind or old.shape != new.shape:
        return f"{title} is {old.kind} {old.shape}, now {new.kind} {new.shape}"
    if old.fortran != new.fortran:
        return f"{title} has its values in another order (Fortran's, C's)"
    if old.kind == "|O" or "O" in old.kind:
        return f"{title} holds pickled objects, which are not opened"
    letter, size = FORMATS.get(old.kind[1:]), _size(old.kind)
    at = first_of(old.data, new.data)
    if letter is None or not size:
        return f"{title} ({old.kind} {old.shape}) differs at byte {at:,} of its values"
    return joined(f"{title} {words_of_values(old, new, letter, size, at)}")


def words_of_values(old: Array, new: Array, letter: str, size: int, at: int) -> str:
    """Where values differ, which they are, and the largest distance."""
    order = ">" if old.kind.startswith(">") else "<"
    index = at // size
    count = min(len(old.data), len(new.data)) // size
    first = [struct.unpack_from(order + letter, one.data, index * size)[0] for one in (old, new)]
    some = min(count, MOST_VALUES)
    a = struct.unpack_from(f"{order}{some}{letter}", old.data)
    b = struct.unpack_from(f"{order}{some}{letter}", new.data)
    pairs = [(float(x), float(y)) for x, y in zip(a, b, strict=True) if x != y]
    part = f" of the first {some:,}" if some < count else ""
    order_words = (
        "the same values in another order"
        if sorted(map(repr, a)) == sorted(map(repr, b))
        else distance(pairs)
    )
    return joined(
        f"{_position(index, old)}: {first[0]!r} → {first[1]!r}",
        f"{len(pairs):,} of {count:,} values differ{part}",
        order_words,
    )


def _position(index: int, array: Array) -> str:
    shape = array.shape[::-1] if not array.fortran else array.shape
    found = []
    for length in shape:
        index, position = divmod(index, max(length, 1))
        found.append(position)
    return f"at {tuple(found if array.fortran else found[::-1])}" if found else "as a whole"


def _size(kind: str) -> int:
    digits = kind[2:]
    return int(digits) if digits.isdecimal() and math.isfinite(int(digits)) else 0
