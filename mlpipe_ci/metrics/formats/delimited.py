"""Metrics in CSV and TSV.

A table is a list of names and values, if its second and last column holds all its numbers; else its
last row counts, each column by its name, as in a log that is written while a model is trained.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import PurePosixPath

SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""What separates columns, by the ending of a file."""
NAMED_ROWS = 2


def read_delimited(text: str, name: str) -> Iterator[tuple[str, float]]:
    """The numbers of a table; the file's ending says what separates columns. Raises ValueError."""
    return _table(text, SEPARATORS[PurePosixPath(name).suffix.lower()])


def _table(text: str, separator: str) -> Iterator[tuple[str, float]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    body = rows[1:]
    pairs = all(len(row) == NAMED_ROWS for row in rows)
    if pairs and body and all(_cell(row[0]) is None and _cell(row[1]) is not None for row in body):
        cells = [(name.strip(), _cell(value)) for name, value in body]
    elif body:
        names = (name.strip() for name in rows[0])
        cells = list(zip(names, map(_cell, body[-1]), strict=False))
    else:
        cells = []
    yield from ((name, value) for name, value in cells if name and value is not None)


def _cell(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None
