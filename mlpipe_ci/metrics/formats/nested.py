"""Metrics in JSON, YAML and TOML: nested names are joined with dots.

The numbers of a list of at most `LONGEST` are metrics, called by their place from 0 on; a longer
one is a curve, and no metric. Texts, booleans and null are none. A number that is not finite is
one: that a loss is NaN is news.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from mlpipe_ci.core.yaml.data_file import plain_data

LONGEST = 20


def read_json(text: str, name: str) -> Iterator[tuple[str, float]]:
    """The numbers of a JSON file, whatever its ending. Raises DataError."""
    return _numbers(plain_data(name, text, ".json"), name)


def read_nested(text: str, name: str) -> Iterator[tuple[str, float]]:
    """The numbers of a YAML or TOML file, by its ending. Raises DataError."""
    return _numbers(plain_data(name, text), name)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """A value that is a number alone is called as the file."""
    return _flat(value, "" if isinstance(value, dict | list) else PurePosixPath(name).stem)


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
