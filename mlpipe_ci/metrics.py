"""Reads the numbers in a metrics file."""

import json
import math
from pathlib import Path

MAX_BYTES = 10 << 20


class MetricsError(Exception):
    """A metrics file is no JSON, too large, or not a map."""


def read_metrics(path: Path, shown: str) -> tuple[tuple[str, float], ...]:
    """Numbers of a JSON file by name; nested names are joined with dots. Raises MetricsError.

    Only finite numbers count; lists, texts, booleans and null are left out.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MetricsError(f"metrics file '{shown}' is larger than {MAX_BYTES >> 20} MiB")
        return parse_metrics(path.read_bytes(), shown)
    except OSError as error:
        raise MetricsError(f"metrics file '{shown}' is not JSON: {error}") from error


def parse_metrics(content: bytes, shown: str) -> tuple[tuple[str, float], ...]:
    """The same from the bytes of a file. Raises MetricsError."""
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MetricsError(f"metrics file '{shown}' is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MetricsError(f"metrics file '{shown}' is not a map of names to numbers")
    return tuple(_flat(value, ""))


def _is_finite(item: float) -> bool:
    try:
        return math.isfinite(item)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _flat(value: dict[str, object], prefix: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            found += _flat(item, f"{prefix}{name}.")
        elif isinstance(item, int | float) and not isinstance(item, bool) and _is_finite(item):
            found.append((prefix + name, float(item)))
    return found
