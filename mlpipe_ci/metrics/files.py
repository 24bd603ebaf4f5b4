"""Reads the numbers in metrics files, by the ending of the file: see `formats`."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mlpipe_ci.core.import_path import load_object
from mlpipe_ci.core.yaml.data_file import DataError
from mlpipe_ci.metrics.formats import BY_ROWS, FORMATS, OTHER

Metrics = tuple[tuple[str, float], ...]
MAX_BYTES = 10 << 20
"""Of a table larger than that, its first lines and its last ones are read."""
PART = 1 << 16
MOST = 10_000
"""Metrics of one step; there is no table that anybody reads with more."""


class MetricsError(Exception):
    """A metrics file cannot be read, is too large, or has no numbers where they should be."""


def read_metrics(path: Path, shown: str) -> Metrics:
    """Numbers of a file by name. Raises MetricsError. `shown`: what the file is called."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
            if size > MAX_BYTES and PurePosixPath(shown).suffix.lower() in BY_ROWS:
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
    ending = PurePosixPath(shown).suffix.lower()
    read = load_object(FORMATS.get(ending, FORMATS[OTHER]))
    hint = (
        "" if ending in FORMATS else f" (read as JSON; the endings {', '.join(FORMATS)} are known)"
    )
    try:
        metrics: Metrics = tuple(read(content.decode("utf-8-sig"), shown))
    except DataError as error:
        raise MetricsError(f"metrics file {error}{hint}") from error
    except (ValueError, RecursionError) as error:
        raise MetricsError(f"metrics file '{shown}' cannot be read: {error}{hint}") from error
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
