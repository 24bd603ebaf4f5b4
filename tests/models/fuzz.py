"""Throws changed workflow files and expressions at the program: no crash, no hang, no traceback.

python tests/models/fuzz.py [SECONDS [SEED]]: prints how many inputs were tried, how many were
valid, the slowest, and the peak memory. The suite runs it for a moment (test_fuzz.py).
"""

import contextlib
import math
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode

from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.expressions import ExpressionError, ExpressionScope, bare, condition, evaluate
from mlpipe_ci.core.yaml.parse import ONLY_SLOWLY, compose_by
from mlpipe_ci.repo.each_files import on_disk
from mlpipe_ci.report.diagnostics import CheckedFile, diagnostic_lines, diagnostics_json, sarif
from mlpipe_ci.workflow.contexts import KnownNames, problem_with_expression
from mlpipe_ci.workflow.load import load
from mlpipe_ci.workflow.workflow_file import LoadRequest, WorkflowFile

CASES = Path(__file__).resolve().parents[1] / "cases"
HANG_SECONDS = 10
WORDS = (
    *("${{", "}}", "${{ params.", "${{ matrix.", "${{ github.ref }}", "${{ secrets.X }}", "'", '"'),
    *("steps:", "  - name: ", "run: ", "inputs: [", "outputs: ", "strategy: {matrix: {a: [1, 2]}}"),
    *(
        "&a ",
        "*a",
        "<<: *a",
        "!!python/object",
        "---\n",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "\u2028",
        "\ufeff",
    ),
    *("{", "}", "[", "]", ": ", ", ", "- ", "? ", "| ", "> ", "# ", "%YAML 1.1\n", ".nan", "-.inf"),
    *(
        "1e400",
        "0x",
        "2026-01-05",
        "null",
        "~",
        "true",
        "../",
        "/etc",
        ".git/",
        "**",
        "!x",
        "é",
        "😀",
    ),
    *(
        "success()",
        "format('{0}', 1)",
        "fromJSON('[1]')",
        "join(",
        "&&",
        "||",
        "==",
        "!",
        ".*",
        "[0]",
    ),
)
CONTEXTS: dict[str, Any] = {
    "params": {"a": {"b": [1, {"c": 0.5}]}, "s": "text"},
    "matrix": {"m": "x"},
    "env": {"E": "e"},
    "github": {"ref": "refs/heads/main", "event": {"labels": [{"name": "a"}]}},
    "steps": {},
}


class HangError(Exception):
    """An input took too long."""


@dataclass
class Count:
    """What was tried."""

    tried: int = 0
    valid: int = 0
    slowest: float = 0.0
    slowest_input: bytes = b""
    kinds: dict[str, int] = field(default_factory=dict)


def loader(data: bytes, directory: Path) -> bool:
    """Load a file with these bytes; True if it is a workflow. Any other error is a crash."""
    path = directory / "mlpipe.yml"
    path.write_bytes(data)
    try:
        load(
            LoadRequest(
                file=WorkflowFile(path=path, shown="mlpipe.yml", root=directory),
                name="demo",
                items=partial(on_disk, directory),
            )
        )
    except MlpipeError as error:
        found = tuple(getattr(error, "diagnostics", ()))
        for one in found:
            assert one.line >= 1 and one.column >= 1 and diagnostic_lines(one), one  # noqa: PT018
        checked = (CheckedFile(file="mlpipe.yml", steps=None, diagnostics=found),)
        assert diagnostics_json(checked) and sarif(checked)  # noqa: PT018
        return False
    return True


def expression(data: bytes, _directory: Path) -> bool:
    """Check and evaluate an expression; True if it has a value."""
    source = data.decode("utf-8", "replace")
    known = KnownNames(params=CONTEXTS["params"], matrix=CONTEXTS["matrix"], env=CONTEXTS["env"])
    said = problem_with_expression(bare(source), "if", known)
    try:
        condition(source, ExpressionScope(contexts=CONTEXTS, functions=FUNCTIONS), succeeded=True)
        evaluate(bare(source), ExpressionScope(contexts=CONTEXTS, strict=frozenset({"params"})))
    except ExpressionError:
        return False
    return said is None


def parsers(data: bytes, _directory: Path) -> bool:
    """What libyaml takes, it takes for the same as the parser in Python."""
    source = data.decode("utf-8", "replace")[:5_000]
    many_aliases, many_brackets = source.count("*") > 8, source.count("[") + source.count("{") > 200
    if many_aliases or many_brackets or ONLY_SLOWLY.search(source):
        return False
    try:
        fast = compose_by(source, pure=False)
    except (YAMLError, ValueError):
        return False
    slow = compose_by(source, pure=True)
    with contextlib.suppress(RecursionError):  # an alias of itself
        assert shape(fast) == shape(slow)
    return fast is not None


def shape(node: Node | None) -> object:
    """A tree of nodes as plain values: tags, values, and where they stand if they are written."""
    if node is None:
        return None
    if isinstance(node, ScalarNode):
        mark = node.start_mark
        return str(node.tag), node.value, (mark.line, mark.column) if node.value else ()
    if isinstance(node, SequenceNode):
        return str(node.tag), [shape(child) for child in node.value]
    return str(node.tag), [(shape(key), shape(value)) for key, value in node.value]


FUNCTIONS = {"hashfiles": lambda *patterns: "".join(map(str, patterns))}
TARGETS: dict[str, Callable[[bytes, Path], bool]] = {
    "loader": loader,
    "expression": expression,
    "parsers": parsers,
}


def seeds() -> dict[str, list[bytes]]:
    """Whole files and expressions to begin with."""
    files = [path.read_bytes() for path in sorted(CASES.glob("*valid/*.yml"))]
    found = [text for file in files for text in file.split(b"${{")[1:]]
    expressions = [text.split(b"}}")[0].strip() for text in found]
    small = [file for file in files if len(file) < 20_000]
    return {"loader": small, "expression": expressions, "parsers": list(small)}


def mutated(data: bytes, others: list[bytes], random_: random.Random) -> bytes:
    """The bytes with a few random changes."""
    for _ in range(random_.choice((1, 1, 1, 2, 3, 8))):
        at = random_.randrange(len(data) + 1)
        end = min(len(data), at + random_.choice((1, 1, 2, 5, 20, 200)))
        kind = random_.randrange(6)
        if kind == 0:
            data = data[:at] + data[end:]
        elif kind == 1:
            data = data[:at] + bytes([random_.randrange(256)]) + data[end:]
        elif kind == 2:
            data = data[:at] + data[at:end] * random_.choice((2, 2, 3, 50)) + data[end:]
        elif kind == 3:
            other = random_.choice(others)
            start = random_.randrange(len(other) + 1)
            data = data[:at] + other[start : start + 80] + data[at:]
        else:
            data = data[:at] + random_.choice(WORDS).encode("utf-8", "replace") + data[at:]
    return data[:200_000]


def fuzz(seed: int, *, tries: float = math.inf, seconds: float = math.inf) -> dict[str, Count]:
    """Try so many inputs, or for so long. Raises whatever an input makes the program raise."""
    random_, counts = random.Random(seed), {name: Count() for name in TARGETS}  # noqa: S311
    corpus, end = seeds(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, hangs_are_told():
        directory = Path(folder)
        for file in (CASES / "files").iterdir():
            (directory / file.name).write_bytes(file.read_bytes())
        while tries > sum(one.tried for one in counts.values()) and time.monotonic() < end:
            name = random_.choice(list(TARGETS))
            pool = corpus[name]
            data = mutated(random_.choice(pool), pool, random_)
            if try_one(name, data, directory, counts[name]) and len(data) < 5_000 > len(pool):
                pool.append(data)
    return counts


def try_one(name: str, data: bytes, directory: Path, count: Count) -> bool:
    """One input. What it raises carries the input with it."""
    started = time.monotonic()
    signal.alarm(HANG_SECONDS)
    try:
        valid = TARGETS[name](data, directory)
    except BaseException as error:
        error.add_note(f"{name}: {data!r}")
        raise
    finally:
        signal.alarm(0)
    count.tried += 1
    count.valid += valid
    if time.monotonic() - started > count.slowest:
        count.slowest, count.slowest_input = time.monotonic() - started, data
    return valid


@contextlib.contextmanager
def hangs_are_told() -> Iterator[None]:
    """An alarm becomes an error."""

    def hang(_number: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, hang)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Run from the command line."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)  # noqa: S311
    print(f"seed {seed}", flush=True)
    for name, count in fuzz(seed, seconds=seconds).items():
        print(f"{name}: {count.tried} tried, {count.valid} valid, slowest {count.slowest:.2f} s")
        print(f"  {count.slowest_input[:200]!r}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
