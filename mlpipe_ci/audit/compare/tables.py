"""Tables: text by lines, CSV by rows and columns, Parquet by columns."""

import csv
import io
from pathlib import Path

from mlpipe_ci.audit.compare.values import (
    UnreadableError,
    content,
    distance,
    joined,
    number,
    shown,
)

MOST_FIELD = 10 << 20


def text(old: Path, new: Path) -> str:
    """The first line that differs. Raises UnreadableError, OSError."""
    before, after = _decoded(old).split("\n"), _decoded(new).split("\n")
    differing = [index for index, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    count = _count("line", len(before), len(after))
    if not differing:
        line = min(len(before), len(after))
        longer = before if len(before) > len(after) else after
        gone = "is not there any more" if longer is before else "is new"
        return joined(count, f"line {line + 1} {gone}: {shown(longer[line])}")
    first = differing[0]
    more = f"{len(differing):,} lines differ" if len(differing) > 1 else ""
    words = f"line {first + 1}: {shown(before[first])} → {shown(after[first])}"
    return joined(words, more, count, _same_lines(before, after))


def _same_lines(before: list[str], after: list[str]) -> str:
    return "the same lines in another order" if sorted(before) == sorted(after) else ""


def delimited(old: Path, new: Path, delimiter: str) -> str:
    """The first row and column that differ, and how far numbers are apart.

    Raises UnreadableError, OSError.
    """
    before, after = _rows(old, delimiter), _rows(new, delimiter)
    header = before[0] if before and before[:1] == after[:1] else []
    first, pairs, rows = "", list[tuple[float, float]](), 0
    for index, (a, b) in enumerate(zip(before, after, strict=False)):
        if a == b:
            continue
        rows += 1
        if len(a) != len(b) and not first:
            first = f"row {index + 1} has {len(a)} columns, now {len(b)}"
        for column, (x, y) in enumerate(zip(a, b, strict=False)):
            if x == y:
                continue
            if not first:
                name = f" ({header[column]})" if column < len(header) and index else ""
                first = f"row {index + 1}, column {column + 1}{name}: {shown(x)} → {shown(y)}"
            one, other = number(x), number(y)
            if one is not None and other is not None:
                pairs.append((one, other))
    order = rows > 1 and sorted(before) == sorted(after)
    return joined(
        first,
        f"{rows:,} rows differ" if rows > 1 else "",
        _count("row", len(before), len(after)),
        "the same rows in another order" if order else distance(pairs),
    ) or text(old, new)


def parquet(old: Path, new: Path) -> str:
    """What differs between two Parquet files. Raises UnreadableError, OSError."""
    try:
        import pyarrow.parquet as library  # noqa: PLC0415 - an extra
    except ImportError as error:
        why = "pyarrow is not installed (pip install 'mlpipe-ci[plots]'), so only bytes were seen"
        raise UnreadableError(why) from error
    content(old), content(new)  # not too large
    try:
        before, after = library.read_table(old), library.read_table(new)
    except Exception as error:
        raise UnreadableError(f"it cannot be read as Parquet ({shown(str(error))})") from error
    if not before.schema.equals(after.schema):
        return f"its columns are {_names(before)}, now {_names(after)}"
    count = _count("row", before.num_rows, after.num_rows)
    for name in before.column_names:
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


def _decoded(path: Path) -> str:
    data = content(path)
    if b"\0" in data:
        raise UnreadableError("it is not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not text in UTF-8") from error


def _rows(path: Path, delimiter: str) -> list[list[str]]:
    csv.field_size_limit(MOST_FIELD)
    try:
        return list(csv.reader(io.StringIO(_decoded(path), newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableError(f"it cannot be read as a table ({error})") from error


def _count(what: str, before: int, after: int) -> str:
    return f"{before:,} {what}s, now {after:,}" if before != after else ""
