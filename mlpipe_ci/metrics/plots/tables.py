"""Reads the tables that plots show, row by row: CSV, TSV, JSON, Parquet."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from mlpipe_ci.metrics.formats.delimited import SEPARATORS

TABLES = (*SEPARATORS, ".parquet", ".json")
"""Endings of tables; all others are read as JSON."""
UNNAMED = "column "
"""With its number, what a column without a name is called: pandas gives its index none."""
Row = dict[str, Any]
MAX_BYTES = 256 << 20
"""Of a CSV file so much is read, and it is said; a JSON file over a tenth of that is refused."""


class PlotError(Exception):
    """A plot's file cannot be read, or does not have what is to be drawn."""


def rows(file: BinaryIO, name: str, size: int) -> Iterator[Row]:
    """The rows of a table, each a map of columns to values. Raises PlotError.

    JSON is a list of maps, or a map of lists. `size` in bytes.
    """
    ending = PurePosixPath(name).suffix.lower()
    try:
        if ending in SEPARATORS:
            yield from _delimited(file, SEPARATORS[ending])
        elif ending == ".parquet":
            yield from _parquet(file)
        else:
            yield from _json(file, size)
    except (ValueError, csv.Error, RecursionError, OSError) as error:
        raise PlotError(f"it cannot be read: {error}") from error


def _delimited(file: BinaryIO, separator: str) -> Iterator[Row]:
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    try:
        reader = csv.reader(_bounded(text), delimiter=separator)
        names = [
            name.strip() or f"{UNNAMED}{number}" for number, name in enumerate(next(reader, []), 1)
        ]
        yield from (dict(zip(names, row, strict=False)) for row in reader if row)
    finally:
        with suppress(ValueError):  # closed already
            text.detach()  # who opened the file closes it


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    read = 0
    for line in text:
        read += len(line)
        if read > MAX_BYTES:
            return
        yield line


def _json(file: BinaryIO, size: int) -> Iterator[Row]:
    if size > MAX_BYTES // 10:
        raise PlotError(
            f"it is larger than {MAX_BYTES // 10 >> 20} MiB; write it as CSV or Parquet"
        )
    value = json.load(file)
    if isinstance(value, dict):
        lists = {name: items for name, items in value.items() if isinstance(items, list)}
        yield from (
            dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=False)
        )
    elif isinstance(value, list):
        yield from (one if isinstance(one, dict) else {"value": one} for one in value)
    else:
        raise PlotError("it is neither a list of rows nor a map of columns")


def _parquet(file: BinaryIO) -> Iterator[Row]:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - 100 MB, which few need
    except ImportError as error:
        text = "Parquet needs pyarrow: pip install 'mlpipe-ci[plots]', or write it as CSV"
        raise PlotError(text) from error
    for batch in parquet.ParquetFile(file).iter_batches(10_000):
        yield from batch.to_pylist()
