"""The directory of a work tree, where what a step leaves names it. Pure.

Most outputs are the same wherever the repository lies; some name the place (`.coverage`, the
warnings in a notebook). Each of those is marked by an input of the result. It is no part of the
key, and counts only where a step that runs reads the output.
"""

import re
from collections.abc import Iterable

from blake3 import blake3

from mlpipe_ci.core.cache_key import Input

PLACE = "place:"
"""How the path of that input begins; the path of the output follows."""
LEAST = 2
"""Bytes of a path that is looked for: `/` stands everywhere."""


def pattern_of(root: bytes) -> re.Pattern[bytes]:
    """Finds the path of a directory in a text, and none that only begins like it."""
    return re.compile(re.escape(root) + rb"(?![\w.-])")


def place_of(root: bytes) -> str:
    """What stands for a place in a result that others see: 16 hexadecimal digits."""
    return blake3(root).hexdigest()[:16]


def place_inputs(paths: Iterable[str], root: bytes) -> tuple[Input, ...]:
    """The inputs that mark the outputs at these paths."""
    return tuple(Input(path=PLACE + path, digest=place_of(root)) for path in paths)


def places_of(discovered: Iterable[Input], root: bytes) -> frozenset[str]:
    """The outputs of a result that name another directory than this one."""
    marks = [item for item in discovered if item.path.startswith(PLACE)]
    here = place_of(root) if marks else ""
    return frozenset(item.path.removeprefix(PLACE) for item in marks if item.digest != here)
