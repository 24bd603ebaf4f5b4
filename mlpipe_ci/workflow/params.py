"""The workflow's params: reads their files, merges them, applies `--set`. Plain values out."""

import copy
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

from mlpipe_ci.core import expressions
from mlpipe_ci.core.cache_key import params_changed
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.expressions import Name
from mlpipe_ci.core.paths import path_fault
from mlpipe_ci.core.workflow import OverriddenParam
from mlpipe_ci.core.yaml.data_file import DataError, plain_data
from mlpipe_ci.core.yaml.parse import MAX_BYTES, YamlError, parse

Params = dict[str, Any]
WHOLE = "*"
"""In a step's `params`: everything."""


class ParamsError(Exception):
    """A source of params cannot be read; the message says which, where in it, and why."""


def read_params(root: Path, source: str) -> Params:
    """The values of one file: YAML, JSON or TOML. Raises ParamsError."""
    fault = path_fault(source)
    if fault:
        raise ParamsError(fault)
    path = root / source
    # realpath, not resolve: that raises on a loop of links
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise ParamsError(f"'{source}' leads through a link out of the repository")
    try:
        value = plain_data(source, _text(path, source))
    except DataError as error:
        raise ParamsError(str(error)) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParamsError(f"'{source}' is a {type(value).__name__}; it must be a map of keys")
    return {str(key): item for key, item in value.items()}


def _text(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        near = get_close_matches(path.name, _neighbours(path), n=1)
        hint = f"; did you mean '{Path(source).with_name(near[0]).as_posix()}'?" if near else ""
        raise ParamsError(f"'{source}': there is no such file{hint}") from error
    except OSError as error:
        raise ParamsError(f"'{source}' cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        most = f"{MAX_BYTES >> 20} MiB"
        raise ParamsError(f"'{source}' is larger than {most}; name such data as an input instead")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParamsError(f"'{source}' is not UTF-8") from error


def _neighbours(path: Path) -> list[str]:
    try:
        return sorted(other.name for other in path.parent.iterdir())
    except OSError:
        return []


def merge_params(sources: Sequence[Mapping[str, Any]]) -> Params:
    """All sources in one. Maps are merged key by key; of all else the later one wins."""
    result: Params = {}
    for source in sources:
        _merge(result, source)
    return result


def _merge(into: Params, other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping):
            inner = into.get(key)
            into[key] = dict(inner) if isinstance(inner, dict) else {}
            _merge(into[key], value)
        else:
            into[key] = value


def overridden(
    sources: Sequence[tuple[str, Mapping[str, Any]]], settings: Sequence[str]
) -> tuple[OverriddenParam, ...]:
    """The values of files that a later source or `--set` changes. `sources`: with their files,
    empty for a map in the workflow file. Raises UsageError.
    """
    labels = [name or "the map in params" for name, _ in sources]
    states = [merge_params([one for _, one in sources[: n + 1]]) for n in range(len(sources))]
    for number, setting in enumerate(settings):
        states.append(with_set(states[-1], settings[number : number + 1]))
        labels.append(f"--set {setting}")
    found = []
    for name, values in sources:
        for path, value, instead in params_changed(values, states[-1]) if name else ():
            if value not in {None, "{}"} and instead is not None:
                by = _changed_by(path, states, labels)
                found.append(
                    OverriddenParam(file=name, path=path, value=value, instead=instead, by=by)
                )
    return tuple(found)


def _changed_by(path: str, states: Sequence[Params], labels: Sequence[str]) -> str:
    """The last of the sources that changed a value."""
    changed = [
        label
        for label, (before, after) in zip(labels[1:], pairwise(states), strict=True)
        if any(one == path for one, _, _ in params_changed(before, after))
    ]
    return changed[-1] if changed else labels[-1]


def with_set(params: Params, settings: Sequence[str]) -> Params:
    """The params with each `key.path=value` of `--set`. The value is YAML. Raises UsageError."""
    result = copy.deepcopy(params)
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path.strip():
            raise UsageError(f"--set {setting}: write it as key=value, as in --set train.rate=0.1")
        missing = missing_key(result, path.strip())
        if missing or path.strip() == WHOLE:
            raise UsageError(f"--set {setting}: {missing or 'name one value'}")
        *above, last = path.strip().split(".")
        parent = look_up(result, ".".join(above)) if above else result
        parent[_actual(parent, last)] = _set_value(text, setting)
    return result


def _set_value(text: str, setting: str) -> Any:
    if not text.strip():
        return text
    try:
        return parse(text).value
    except YamlError as error:
        message = f"--set {setting}: the value is not YAML; put a text in quotes"
        raise UsageError(message) from error


def look_up(params: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; `*` is all. The path must be there: see `missing_key`."""
    value: Any = params
    for key in [] if path == WHOLE else path.split("."):
        value = value[_actual(value, key)]
    return value


def _actual(value: Any, key: str) -> Any:
    """The key as it stands in the file: as in expressions, case does not count."""
    if isinstance(value, list):
        return int(key)
    return next(name for name in value if name.lower() == key.lower())


def missing_key(params: Any, path: str) -> str | None:
    """Say that there is nothing at a dotted path, with the nearest that is; None if there is."""
    keys = () if path == WHOLE else tuple(path.split("."))
    return expressions.missing_key(params, Name("params", keys, whole=True))
