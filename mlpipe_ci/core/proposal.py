"""Lines that would declare what a step was seen to read and write. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable

from mlpipe_ci.core.frozen import frozen

WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Texts that YAML, or an older version of it, takes for something else."""
MANY = 3
"""So many files of one kind in one directory are a pattern."""


@frozen
class Proposal:
    """What to add to a step of the file. `variables`: environment variables that it reads."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.inputs or self.outputs or self.variables)


def input_patterns(paths: Iterable[str]) -> tuple[str, ...]:
    """Files as a person would write them: single ones, `data/*.csv`, `src/**/*.py`.

    Each path is meant by one of the patterns. What is special in a pattern is never made one.
    """
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    found: list[str] = []
    for path in sorted(set(paths)):
        directory, _, name = path.rpartition("/")
        suffix = name[name.rfind(".") :] if "." in name[1:] else ""
        if not suffix or not directory or is_special(path):
            found.append(literal(path))
        else:
            kinds[directory, suffix].append(path)
    globs: dict[str, list[str]] = defaultdict(list)
    for (directory, suffix), members in kinds.items():
        if len(members) >= MANY:
            globs[suffix].append(directory)
        else:
            found += members
    for suffix, directories in globs.items():
        top = _common(directories)
        if len(directories) > 1 and top:
            found = [one for one in found if not (_inside(one, top) and one.endswith(suffix))]
            found.append(f"{top}/**/*{suffix}")
        else:
            found += [f"{one}/*{suffix}" for one in directories]
    return tuple(sorted(found))


def output_paths(paths: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Files, or a directory with its `/` where the step wrote several and all that is in it.

    `others`: all other files that are known, which must not be taken for outputs.
    """
    written = sorted(set(paths))
    rest = sorted(set(others) - set(written))
    indexes: dict[str, int] = defaultdict(int)
    for path in written:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            indexes["/".join(parts[:depth])] += 1
    whole: list[str] = []
    for directory in sorted(indexes):
        known = any(_inside(directory, one) or directory == one for one in whole)
        mixed = any(_inside(path, directory) for path in rest)
        if indexes[directory] > 1 and not known and not mixed:
            whole.append(directory)
    single = [path for path in written if not any(_inside(path, one) for one in whole)]
    return tuple(sorted([*single, *(f"{directory}/" for directory in whole)]))


def is_special(path: str) -> bool:
    """True if a path would be taken for a pattern."""
    return any(mark in path for mark in "*?[]!{}\\")


def literal(path: str) -> str:
    """A pattern that means this path and nothing else, where one can be written."""
    if path.startswith("!"):
        return "?" + literal(path[1:])  # a ! would leave it out
    if not is_special(path):
        return path
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def quoted(entry: str) -> str:
    """A YAML scalar that means this text, in a list of any style."""
    marks = entry.replace("/", "").replace("_", "").replace("-", "").replace(".", "")
    plain = marks.isalnum() and marks.isascii() and entry[0].isalpha()
    if plain and entry.lower() not in WORDS:
        return entry
    return json.dumps(entry, ensure_ascii=False)


def _inside(path: str, directory: str) -> bool:
    return path.startswith(f"{directory}/")


def _common(paths: list[str]) -> str:
    """The directory that all lie in, or are; empty for the root."""
    first = paths[0].split("/")
    count = len(first)
    for path in paths[1:]:
        parts = path.split("/")
        count = next(
            (n for n in range(min(count, len(parts))) if parts[n] != first[n]),
            min(count, len(parts)),
        )
    return "/".join(first[:count])
