"""Adds entries to lists of a workflow file, and leaves every other byte as it is.

ruamel.yaml says where each value begins and ends; the text is changed there. What comes out is read
again and compared with what should be in it, before anything is written.
"""

import copy
import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.proposal import quoted

Additions = Mapping[int, Mapping[str, tuple[str, ...]]]
"""By number of the entry in `steps`: key of the step, and what is added to its list."""


def edited(text: str, additions: Additions) -> str:
    """The text with the entries added. Raises PathError if that cannot be done safely."""
    try:
        root = _yaml().compose(StringIO(text))
        steps = _value(root, "steps")
        changes: list[tuple[int, str]] = []
        for number, lists in additions.items():
            for key, entries in lists.items():
                if entries:
                    changes.append(_change(text, steps.value[number], key, entries))
        result = text
        changes.sort(key=lambda one: one[0])
        end = "\r\n" if "\r\n" in text else "\n"
        for index, piece in reversed(changes):
            result = result[:index] + piece.replace("\n", end) + result[index:]
        good = _plain(result) == _expected(text, additions)
    except (YAMLError, AttributeError, IndexError, TypeError, KeyError, ValueError):
        good = False
    if not good:
        raise PathError("the file is written in a way that cannot be edited here; add the lines")
    return result


def add_lines(path: Path, text: str) -> None:
    """Replace a file in one go; its mode stays. Raises PathError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        real = path.resolve()
        temporary = real.with_name(f".{real.name}.{os.getpid()}.tmp")
        temporary.write_bytes(text.encode("utf-8"))
        temporary.chmod(real.stat().st_mode & 0o777)
        temporary.replace(real)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PathError(f"'{path}' cannot be written: {error.strerror}") from error


def _yaml() -> Any:
    yaml = YAML(typ="rt", pure=True)
    yaml.version = (1, 2)
    return yaml


def _plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _expected(text: str, additions: Additions) -> Any:
    value = copy.deepcopy(_plain(text))
    for number, lists in additions.items():
        for key, entries in lists.items():
            if entries:
                step = value["steps"][number]
                step[key] = [*(step.get(key) or ()), *entries]
    return value


def _value(node: Node, key: str) -> Node:
    for name, value in node.value:
        if name.value == key:
            found: Node = value
            return found
    raise KeyError(key)


def _change(text: str, step: Node, key: str, entries: tuple[str, ...]) -> tuple[int, str]:
    """Where something is inserted, and what."""
    if not isinstance(step, MappingNode):
        raise TypeError(step)
    known = next((value for name, value in step.value if name.value == key), None)
    scalars = [quoted(entry) for entry in entries]
    if isinstance(known, SequenceNode) and known.value:
        if known.flow_style:
            return _index(known.value[-1]), "".join(f", {one}" for one in scalars)
        last = known.value[-1]
        dash = " " * known.start_mark.column + "- "
        return _line_end(text, last), "".join(f"\n{dash}{one}" for one in scalars)
    if known is not None:
        raise ValueError(key)  # an empty list, or one with an alias or a tag
    if step.flow_style:
        last = step.value[-1][1]
        return _index(last), f", {key}: [{', '.join(scalars)}]"
    column = step.value[0][0].start_mark.column
    lines = [f"\n{' ' * column}{key}:"]
    lines += [f"\n{' ' * (column + 2)}- {one}" for one in scalars]
    return _line_end(text, _anchor(step)), "".join(lines)


def _anchor(step: MappingNode) -> Node:
    """The value after which a new key comes: the command if it is on one line, else the name."""
    single = {
        name.value: value
        for name, value in step.value
        if isinstance(value, ScalarNode) and value.start_mark.line == value.end_mark.line
    }
    return single.get("run") or single["name"]


def _index(node: Node) -> int:
    """Where a value ends."""
    return int(node.end_mark.index)


def _line_end(text: str, node: Node) -> int:
    """The end of the line on which a value ends, after a comment that may follow it."""
    end = text.find("\n", int(node.end_mark.index))
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" else end
