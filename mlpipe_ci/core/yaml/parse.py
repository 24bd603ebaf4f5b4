"""Only place that knows YAML: text in, plain values and positions out."""

import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.yaml.syntax_errors import explain_syntax_error

MAX_BYTES = 4 << 20
MAX_VALUES = 400_000
MAX_DEPTH = 50
MAX_BRACKETS = 300
TEXT, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
UNUSABLE = regex("[\0\ud800-\udfff]")
ONLY_SLOWLY = regex(
    "[\x85\u2028\u2029\ufeff\t]|^%|^.{1000}|(?:^|[\\s,\\[{])[!?]"
    "|[&*][^\\s,\\[\\]{}]*:|[|>][^\n]*\n +\n|[|>][-+0-9]*#",
    re.MULTILINE,
)
"""What the two parsers read differently (found by fuzzing), and lines that may nest deeply."""
PATH = Sequence[str | int]


@frozen(kw_only=False)
class Problem:
    """Something wrong at a place of the text. Line and column count from 1.

    `rule` is the kind of fault; `level` is `error` or `warning`.
    """

    line: int
    column: int
    message: str
    rule: str = "yaml"
    level: str = "error"


class YamlError(Exception):
    """The text cannot be read; `problems` says where and why."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))


@frozen(kw_only=False)
class Document:
    """A parsed text: its plain value, and the place of each part of it."""

    value: Any
    _node: Node
    _text: str

    def position(self, path: PATH, *, key: bool = False, piece: str = "") -> tuple[int, int]:
        """Line and column of the value at `path` (or of its key); of the nearest parent if none.

        `piece`: of that part of the value's text, where it can be found as it is.
        """
        node, mark = self._node, self._node.start_mark
        for index, part in enumerate(path):
            found = _child(node, part)
            if found is None:
                break
            key_node, node = found
            at_key = (key and index == len(path) - 1) or _is_nothing(node)
            mark = key_node.start_mark if at_key else node.start_mark
        found_at = self._text.find(piece, mark.index, node.end_mark.index) if piece else -1
        if found_at >= 0:
            line = self._text.count("\n", mark.index, found_at) + mark.line
            start = self._text.rfind("\n", 0, found_at) + 1
            return line + 1, found_at - start + 1
        return mark.line + 1, mark.column + 1


def parse(text: str) -> Document:
    """Parse one YAML document. Dates stay text. Raises YamlError with all that is known."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        size = len(text) / 1e6
        raise YamlError(Problem(1, 1, f"the file has {size:.1f} MB; a workflow has at most 4 MiB"))
    _refuse_deep(text)
    try:
        node = _compose(text)
        if node is None:
            raise YamlError(Problem(1, 1, "the file is empty; it needs at least: " + LEAST))
        problems = _Check().problems(node)
        if problems:
            raise YamlError(*problems)
        return Document(_value(node), node, text)
    except MarkedYAMLError as error:
        raise YamlError(_syntax_problem(error, text)) from error
    except RecursionError as error:
        raise YamlError(
            Problem(1, 1, f"the file is nested deeper than {MAX_DEPTH} levels")
        ) from error
    except ReaderError as error:
        character = f"the character U+{error.character:04X}, which YAML does not allow"
        raise YamlError(_problem_at(text, error.position, character)) from error
    except (YAMLError, ValueError) as error:
        raise YamlError(Problem(1, 1, f"not a YAML text: {str(error).splitlines()[0]}")) from error


def _compose(text: str) -> Node | None:
    """The tree of nodes. libyaml makes it five times as fast, but knows YAML 1.1 only.

    So whatever it refuses, or might take for something else, is left to the parser in Python. That
    one also says what is wrong. A line bounds how deep a text can nest: libyaml has no bound.
    """
    if not ONLY_SLOWLY.search(text):
        with suppress(YAMLError, ValueError):
            return compose_by(text, pure=False)
    return compose_by(text, pure=True)


def compose_by(text: str, *, pure: bool) -> Node | None:
    """The tree of nodes, by the parser in Python (`pure`) or by libyaml. Raises YAMLError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReusedAnchorWarning)  # YAML allows it: the last counts
        node: Node | None = YAML(typ="safe", pure=pure).compose(text)
    return node


def _value(node: Node) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # found by _Check, all at once and with both places
    return yaml.constructor.construct_document(node)


def _refuse_deep(text: str) -> None:
    """The parser takes time that grows with the square of open brackets, so they are counted."""
    depth = 0
    for found in re.finditer(r"[\[{]|[]}]", text):
        depth = max(0, depth + (1 if found[0] in "[{" else -1))
        if depth > MAX_BRACKETS:
            raise YamlError(
                _problem_at(text, found.start(), f"nested deeper than {MAX_DEPTH} levels")
            )


def _problem_at(text: str, position: int, message: str) -> Problem:
    line = text.count("\n", 0, position) + 1
    return Problem(line, position - text.rfind("\n", 0, position), message)


LEAST = "steps: [{name: train, run: python train.py}]"


class _Check:
    """Walk of a node tree before it is built: size with aliases expanded, loops, double keys."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()
        self._problems: list[Problem] = []

    def problems(self, node: Node) -> list[Problem]:
        self._size(node, 0)
        return self._problems

    def _size(self, node: Node, depth: int) -> int:
        if id(node) in self._open:
            self._say(node, "an alias that contains itself")
            return 1
        if depth > MAX_DEPTH:
            self._say(node, f"nested deeper than {MAX_DEPTH} levels")
            return 1
        if id(node) not in self._sizes:
            self._open.add(id(node))
            size = 1 + sum(self._size(child, depth + 1) for child in self._children(node))
            self._open.discard(id(node))
            self._sizes[id(node)] = size
            if size > MAX_VALUES and not self._problems:
                self._say(node, f"more than {MAX_VALUES:,} values (with aliases filled in)")
        return self._sizes[id(node)]

    def _children(self, node: Node) -> list[Node]:
        if isinstance(node, MappingNode):
            self._keys(node)
            return [part for pair in node.value for part in pair]
        if isinstance(node, SequenceNode):
            return list(node.value)
        if node.tag == "tag:yaml.org,2002:timestamp":
            node.tag = TEXT  # JSON has no dates: 2026-01-05 is text
        for character in UNUSABLE.findall(node.value):
            self._say(node, f"the character U+{ord(character):04X}, which no program can be given")
        return []

    def _keys(self, node: MappingNode) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag != MERGE:
                key.tag = TEXT if isinstance(key, ScalarNode) else key.tag  # `1:` is '1'
            if not isinstance(key, ScalarNode):
                self._say(key, "a list or a map as a key; a key is one word")
            elif key.value in first:
                self._say(key, f"'{key.value}' stands already on line {first[key.value]}")
            else:
                first[key.value] = key.start_mark.line + 1

    def _say(self, node: Node, message: str) -> None:
        self._problems.append(
            Problem(node.start_mark.line + 1, node.start_mark.column + 1, message)
        )


def _child(node: Node, part: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key, value
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _is_nothing(node: Node) -> bool:
    """True for a value that is not written at all (`key:`), whose mark is that of what follows."""
    return isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index


def _syntax_problem(error: MarkedYAMLError, text: str) -> Problem:
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    position = (mark.line, mark.column) if mark else (0, 0)
    begun = (start.line, start.column) if start else position
    problem = error.problem or (error.context if isinstance(error.context, str) else "") or ""
    line, column, message = explain_syntax_error(
        problem, str(error.context or ""), position, begun, text
    )
    return Problem(line + 1, column + 1, message)
