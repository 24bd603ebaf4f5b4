"""Tables: text by lines, CSV by rows and columns, Parquet by columns."""

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, TextIO

from mlpipe_ci.audit.compare.values import (
    Distance,
    UnreadableError,
    distance,
    joined,
    number,
    refuse_large,
    shown,
)

MOST_FIELD = 10 << 20


def text(old: Path, new: Path) -> str:
    """The first line that differs. Raises UnreadableError, OSError."""
    found = _Lines()
    with _opened(old) as one, _opened(new) as other:
        for a, b in zip_longest(_readable(one), _readable(other)):
            found.add(a and a.rstrip("\n"), b and b.rstrip("\n"))
    if found.first is None:
        return "only ends of lines differ"
    number_, a, b = found.first
    if a is None or b is None:
        how = "is new" if a is None else "is not there any more"
        return joined(f"line {number_} {how}: {_line(a or b or '')}", found.count("line"))
    more = f"{found.differing:,} lines differ" if found.differing > 1 else ""
    order = "the same lines in another order" if found.is_reordered else ""
    return joined(f"line {number_}: {_line(a)} → {_line(b)}", more, found.count("line"), order)


class _Lines:
    """Lines or rows of two files, as they come. What differs is counted, not kept."""

    def __init__(self) -> None:
        self.first: tuple[int, Any, Any] | None = None
        self.differing = self._place = self._before = self._after = self._sum = 0

    def add(self, a: Any, b: Any) -> bool:
        """The next of both, None where a file has ended. True if they differ."""
        self._place += 1
        self._before += a is not None
        self._after += b is not None
        if a == b:
            return False
        self._sum += (hash(a) if a is not None else 0) - (hash(b) if b is not None else 0)
        self.first = self.first or (self._place, a, b)
        self.differing += a is not None and b is not None
        return True

    @property
    def is_reordered(self) -> bool:
        """True if both have the same ones, by their hashes."""
        return self.differing > 1 and self._sum == 0 and self._before == self._after

    def count(self, what: str) -> str:
        """How many there are, where that differs."""
        return _count(what, self._before, self._after)


def delimited(old: Path, new: Path, delimiter: str) -> str:
    """The first row and column that differ, and how far numbers are apart.

    Raises UnreadableError, OSError.
    """
    limit = csv.field_size_limit(MOST_FIELD)
    try:
        return _delimited(old, new, delimiter)
    finally:
        csv.field_size_limit(limit)  # it holds for the whole process


def _delimited(old: Path, new: Path, delimiter: str) -> str:
    found, far = _Lines(), Distance()
    header: tuple[str, ...] = ()
    with _opened(old) as one, _opened(new) as other:
        for a, b in zip_longest(_rows(one, delimiter), _rows(other, delimiter)):
            header = header or (a if a == b and a else ())
            if found.add(a, b):
                for x, y in zip(a or (), b or (), strict=False):
                    far.add(*_numbers(x, y))
    if found.first is None:
        return text(old, new)
    more = f"{found.differing:,} rows differ" if found.differing > 1 else ""
    last = "the same rows in another order" if found.is_reordered else far.words()
    return joined(_first_cell(*found.first, header), more, found.count("row"), last)


def _first_cell(
    row: int, a: tuple[str, ...] | None, b: tuple[str, ...] | None, header: tuple[str, ...]
) -> str:
    if a is None or b is None:
        how = "is new" if a is None else "is not there any more"
        return f"row {row} {how}: {shown(','.join(a or b or ()))}"
    pairs = enumerate(zip(a, b, strict=False))
    column, x, y = next(((i, x, y) for i, (x, y) in pairs if x != y), (-1, "", ""))
    if column < 0 or len(a) != len(b):
        return f"row {row} has {len(a)} columns, now {len(b)}"
    name = f" ({header[column]})" if column < len(header) and row > 1 else ""
    return f"row {row}, column {column + 1}{name}: {shown(x)} → {shown(y)}"


def _numbers(x: str, y: str) -> tuple[float, float]:
    one, other = number(x), number(y)
    if x == y or one is None or other is None:
        return math.nan, math.nan
    return one, other


def parquet(old: Path, new: Path) -> str:
    """What differs between two Parquet files. Raises UnreadableError, OSError."""
    try:
        import pyarrow.parquet as library  # noqa: PLC0415 - an extra
    except ImportError as error:
        why = "pyarrow is not installed (pip install 'mlpipe-ci[plots]'), so only bytes were seen"
        raise UnreadableError(why) from error
    for path in (old, new):
        refuse_large(path)
    try:
        before, after = library.read_table(old), library.read_table(new)
    except Exception as error:
        raise UnreadableError(f"it cannot be read as Parquet ({shown(str(error))})") from error
    if not before.schema.equals(after.schema):
        return f"its columns are {_names(before)}, now {_names(after)}"
    count = _count("row", before.num_rows, after.num_rows)
    for name in before.column_names:
        if before.column(name).equals(after.column(name)):
            continue  # but for what is not a number: that is compared below
        a, b = before.column(name).to_pylist(), after.column(name).to_pylist()
        rows = [row for row, (x, y) in enumerate(zip(a, b, strict=False)) if repr(x) != repr(y)]
        if rows:
            pairs = [(float(a[r]), float(b[r])) for r in rows if _are_numbers(a[r], b[r])]
            words = f"column {name}, row {rows[0] + 1}: {shown(a[rows[0]])} → {shown(b[rows[0]])}"
            order = (
                "the same values in another order"
                if sorted(map(repr, a)) == sorted(map(repr, b))
                else distance(pairs)
            )
            more = f"{len(rows):,} rows differ in it" if len(rows) > 1 else ""
            return joined(words, more, count, order)
    if count:
        return count
    if before.schema.metadata != after.schema.metadata:
        keys = {**(before.schema.metadata or {}), **(after.schema.metadata or {})}
        names = ", ".join(key.decode("utf-8", "replace") for key in keys)
        return f"only its metadata differ: {shown(names)}"
    return "all values are equal: only how it was written differs (version of the library, groups)"


def _are_numbers(*values: object) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _names(table: object) -> str:
    schema = table.schema  # type: ignore[attr-defined]
    return shown(", ".join(f"{one.name}: {one.type}" for one in schema))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Text in UTF-8. Raises UnreadableError, also later, where it is not."""
    refuse_large(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise UnreadableError("it is not text in UTF-8") from error


def _readable(file: TextIO) -> Iterator[str]:
    for line in file:
        if "\0" in line:
            raise UnreadableError("it is not text")
        yield line


def _rows(file: TextIO, delimiter: str) -> Iterator[tuple[str, ...]]:
    try:
        yield from (tuple(row) for row in csv.reader(_readable(file), delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableError(f"it cannot be read as a table ({error})") from error


def _line(text_: str) -> str:
    return shown(text_.rstrip("\r\n"))


def _count(what: str, before: int, after: int) -> str:
    return f"{before:,} {what}s, now {after:,}" if before != after else ""
