"""Reads the numbers in metrics files: JSON, YAML, TOML, CSV and TSV.

Nested names are joined with dots. The numbers of a list of at most `LONGEST` are metrics, called
by their place from 0 on; a longer one is a curve, and no metric. Texts, booleans and null are none.
A number that is not finite is one: that a loss is NaN is news.
A table is a list of names and values, if its second and last column holds all its numbers; else its
last row counts, each column by its name, as in a log that is written while a model is trained.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mlpipe_ci.core.yaml.data_file import ENDINGS, DataError, plain_data

Metrics = tuple[tuple[str, float], ...]
MAX_BYTES = 10 << 20
"""Of a table larger than that, its first lines and its last ones are read."""
PART = 1 << 16
LONGEST = 20
MOST = 10_000
"""Metrics of one step; there is no table that anybody reads with more."""
SEPARATORS = {".csv": ",", ".tsv": "\t"}
NAMED_ROWS = 2


class MetricsError(Exception):
    """A metrics file cannot be read, is too large, or has no numbers where they should be."""


def read_metrics(path: Path, shown: str) -> Metrics:
    """Numbers of a file by name. Raises MetricsError. `shown`: what the file is called."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
            if size > MAX_BYTES and PurePosixPath(shown).suffix.lower() in SEPARATORS:
                file.seek(max(len(content), size - PART))
                file.readline()  # the rest of a line
                content = content[: content.rfind(b"\n", 0, PART) + 1] + file.read()
            elif size > MAX_BYTES:
                raise MetricsError(f"metrics file '{shown}' is larger than {MAX_BYTES >> 20} MiB")
    except OSError as error:
        raise MetricsError(f"metrics file '{shown}' cannot be read: {error.strerror}") from error
    return parse_metrics(content, shown)


def parse_metrics(content: bytes, shown: str) -> Metrics:
    """The same from the bytes of a file. Raises MetricsError."""
    name = PurePosixPath(shown)
    try:
        text = content.decode("utf-8-sig")
        if name.suffix.lower() in SEPARATORS:
            found = _table(text, SEPARATORS[name.suffix.lower()])
        else:
            value = plain_data(shown if name.suffix.lower() in ENDINGS else f"{shown}.json", text)
            found = _flat(value, "") if isinstance(value, dict | list) else _flat(value, name.stem)
        metrics = tuple(found)
    except DataError as error:
        raise MetricsError(f"metrics file {error}") from error
    except (ValueError, RecursionError, csv.Error) as error:
        raise MetricsError(f"metrics file '{shown}' cannot be read: {error}") from error
    if len(metrics) > MOST:
        raise MetricsError(f"metrics file '{shown}' has {len(metrics):,} numbers; {MOST:,} at most")
    return metrics


def together(files: Mapping[str, Metrics]) -> Metrics:
    """The metrics of all files of a step. A name that two files have gets theirs before it."""
    count = Counter(name for found in files.values() for name in dict(found))
    stems = Counter(PurePosixPath(path).stem for path in files)
    return tuple(
        (f"{_file_name(path, stems)}.{name}" if count[name] > 1 else name, value)
        for path, found in files.items()
        for name, value in dict(found).items()
    )


def _file_name(path: str, stems: Mapping[str, int]) -> str:
    plain = PurePosixPath(path)
    return plain.stem if stems[plain.stem] == 1 else plain.with_suffix("").as_posix()


def _number(item: Any) -> float | None:
    if isinstance(item, bool) or not isinstance(item, int | float):
        return None
    try:
        return float(item)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf if item > 0 else -math.inf


def _flat(value: Any, name: str) -> Iterator[tuple[str, float]]:
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list) and len(value) <= LONGEST:
        pairs = enumerate(value)
    elif (number := _number(value)) is not None:
        yield name, number
    for key, item in pairs:
        yield from _flat(item, f"{name}.{key}" if name else str(key))


def _table(text: str, separator: str) -> Iterator[tuple[str, float]]:
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
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


def nested_metrics(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Metrics by their dotted names as maps in maps: `test.auc` is in the map `test`."""
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        level = found
        *above, last = name.split(".")
        for part in above:
            inner = level.setdefault(part, {})
            level = inner if isinstance(inner, dict) else level
        level[last] = value
    return found
