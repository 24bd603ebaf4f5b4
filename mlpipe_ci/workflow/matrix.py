"""`strategy.matrix`: the combinations that it means, as GitHub expands them. Pure.

docs.github.com, "Running variations of jobs in a workflow".
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlpipe_ci.core.workflow import slug

MAX_COMBINATIONS = 256
"""GitHub's own limit for one matrix."""
SHOWN_LENGTH = 40
"""Characters of one value in a name."""
MOST_ID = 60
"""Characters of all values in an id, which names files."""
Combination = dict[str, Any]


class MatrixError(Exception):
    """The matrix means no combination, or cannot be read. `path`: keys below `matrix`."""

    def __init__(self, message: str, *path: str | int) -> None:
        self.path = path
        super().__init__(message)


def combinations(matrix: Mapping[str, Any]) -> list[Combination]:
    """All combinations, in the order in which GitHub lists them. Raises MatrixError.

    `include` and `exclude` are lists of maps, all else lists of values.
    """
    include = _maps(matrix, "include")
    exclude = _maps(matrix, "exclude")
    axes = {
        name: _axis(name, matrix[name]) for name in matrix if name not in {"include", "exclude"}
    }
    _check_size(axes, len(include))
    _check_exclude(exclude, axes)
    products = itertools.product(*axes.values()) if axes else ()
    found = [dict(zip(axes, values, strict=True)) for values in products]
    found = [one for one in found if not any(_holds(one, out) for out in exclude)]
    result = _included(found, include)
    if not result and not axes:
        raise MatrixError("names no values; write lists, as in {model: [forest, boosting]}")
    if not result:
        raise MatrixError("every combination is excluded, so the step would never run")
    return result


def _maps(matrix: Mapping[str, Any], name: str) -> list[Combination]:
    value = matrix.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MatrixError(f"{name} must be a list of maps, as in [{{model: forest}}]", name)
    return value


def _axis(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MatrixError(f"'{name}' must be a list of values, and is {json.dumps(value)}", name)
    if not value:
        raise MatrixError(f"'{name}' is an empty list, so the step would never run", name)
    return value


def _check_size(axes: Mapping[str, Sequence[Any]], included: int) -> None:
    count = 1
    for values in axes.values():
        count *= len(values)
    count = (count if axes else 0) + included
    if count > MAX_COMBINATIONS:
        raise MatrixError(f"{count:,} combinations; {MAX_COMBINATIONS} is the most")


def _check_exclude(exclude: Sequence[Combination], axes: Mapping[str, Any]) -> None:
    for index, out in enumerate(exclude):
        for name in out.keys() - axes.keys():
            known = ", ".join(axes) or "none"
            text = f"exclude names '{name}', which is not in the matrix; known are {known}"
            raise MatrixError(text, "exclude", index, name)


def _included(found: list[Combination], include: Sequence[Combination]) -> list[Combination]:
    """Each entry is added to all combinations of which it changes no original value, else new."""
    originals = [dict(one) for one in found]
    result = [dict(one) for one in found]
    for entry in include:
        fitting = [
            index
            for index, one in enumerate(originals)
            if all(_same(one[key], value) for key, value in entry.items() if key in one)
        ]
        for index in fitting:
            result[index].update(entry)
        if not fitting:
            result.append(dict(entry))
    return result


def _holds(one: Combination, part: Combination) -> bool:
    return all(key in one and _same(one[key], value) for key, value in part.items())


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def suffix(one: Combination) -> str:
    """How a combination shows in a step's name: `(model=forest, seed=1)`."""
    return "(" + ", ".join(f"{name}={_shown(value)}" for name, value in one.items()) + ")"


def ids(group: str, found: Sequence[Combination]) -> list[str]:
    """An id for each combination: the group's, and its values: `train-forest-1`. All different."""
    seen: dict[str, int] = {}
    result = []
    for number, one in enumerate(found, start=1):
        plain = "-".join(filter(None, (slug(_shown(value)) for value in one.values())))
        plain = plain if len(plain) <= MOST_ID else f"{plain[:MOST_ID]}-{number}"
        name = f"{group}-{plain or number}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return result


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and len(text) > SHOWN_LENGTH and isinstance(value.get("name"), str):
        return _shown(value["name"])
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"
