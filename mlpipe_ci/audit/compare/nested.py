"""JSON and YAML: the path of the first key whose value differs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpipe_ci.audit.compare.values import UnreadableError, content, distance, joined, shown
from mlpipe_ci.core.yaml.parse import YamlError, parse

MISSING = object()
MOST_YAML = 4 << 20
MOST_DEPTH = 200


def json_file(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    return _compared(_json(old), _json(new))


def yaml_file(old: Path, new: Path) -> str:
    """Raises UnreadableError, OSError."""
    return _compared(_yaml(old), _yaml(new))


def _json(path: Path) -> Any:
    try:
        return json.loads(content(path))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"it cannot be read as JSON ({shown(str(error))})") from error


def _yaml(path: Path) -> Any:
    data = content(path)
    if len(data) > MOST_YAML:
        raise UnreadableError(f"larger than {MOST_YAML >> 20} MiB, so it was not read as YAML")
    try:
        return parse(data.decode("utf-8")).value
    except (YamlError, ValueError, RecursionError) as error:
        raise UnreadableError("it cannot be read as YAML") from error


def _compared(old: Any, new: Any) -> str:
    found = list(_differences(old, new, "", 0))
    if not found:
        if _orders(old) != _orders(new):
            return "all values are equal, but keys stand in another order"
        return "all values are equal: only blanks or the spelling of values differ"
    path, a, b = found[0]
    pairs = [
        (float(x), float(y))
        for _, x, y in found
        if isinstance(x, int | float) and isinstance(y, int | float)
    ]
    more = f"{len(found):,} values differ" if len(found) > 1 else ""
    return joined(f"key {path or 'at the top'}: {_word(a)} → {_word(b)}", more, distance(pairs))


def _word(value: Any) -> str:
    return "nothing" if value is MISSING else shown(json.dumps(value, default=str))


def _differences(old: Any, new: Any, path: str, depth: int) -> Iterator[tuple[str, Any, Any]]:
    if depth < MOST_DEPTH and isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _differences(old.get(key, MISSING), new.get(key, MISSING), inner, depth + 1)
    elif depth < MOST_DEPTH and isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            a = old[index] if index < len(old) else MISSING
            b = new[index] if index < len(new) else MISSING
            yield from _differences(a, b, f"{path}[{index}]", depth + 1)
    elif type(old) is not type(new) or (old != new and not (old != old and new != new)):  # noqa: PLR0124
        yield path, old, new


def _orders(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _orders(inner)) for key, inner in value.items()]
    return [_orders(one) for one in value] if isinstance(value, list) else None
