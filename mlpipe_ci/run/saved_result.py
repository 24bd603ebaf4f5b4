"""What is remembered of a success: of one that was just saved, or of a stored one."""

from collections.abc import Iterable, Mapping
from dataclasses import field

from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Output, Result, undeclared
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.conflicts import FileAccess
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    ELSEWHERE,
    LOG,
    NOT_SEEN,
    STATE,
    VARIABLE,
)
from mlpipe_ci.tracing.discovery.step_variables import could_be_declared

CONTENTS = ("git:", "blake3:", "link:")
"""Digests of what is in a file."""


@frozen
class SavedResult:
    """What became of a success: outputs, notes for the reader, and what was seen of the step.

    `state`: files of a tool's memory that it wrote; `changed`: what was there before it and is
    another now; `outside`: what it wrote outside of the repository; `result`: what names the stored
    result; `code`: sources and packages that it used, each with its digest.
    """

    outputs: tuple[Output, ...]
    notes: tuple[str, ...]
    last: LastTrace
    access: FileAccess
    state: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    result: str = ""
    code: Mapping[str, str] = field(default_factory=dict)


def missed(inputs: Iterable[Input], wrote: Iterable[str]) -> tuple[str, ...]:
    """Paths of the repository that a step looked for in vain, and has not written: who does would
    read what is there.
    """
    absent = {item.path for item in inputs if item.digest == ABSENT}.difference(wrote)
    return tuple(path for path in sorted(absent) if not path.startswith(ELSEWHERE))


def is_content(item: Input) -> bool:
    """True for an input that is what is in a file."""
    return item.digest.startswith(CONTENTS)


def changed_in_place(
    wrote: Iterable[str], seen: Iterable[Input], rewrites: Iterable[str] = ()
) -> tuple[str, ...]:
    """Of the paths that a step wrote, those that were there before; in order."""
    before = {item.path for item in seen if item.digest.startswith(CONTENTS)}
    return tuple(sorted(before.union(rewrites).intersection(wrote)))


def last_trace_of(step: Step, result: Result) -> LastTrace:
    """What a stored result says about the step that made it."""
    if not is_watched(step, result):
        return LastTrace()
    files = [one for one in result.discovered if one.digest.startswith(CONTENTS)]
    wrote = [(o.path, o.digest) for o in undeclared(step, result.outputs)]
    return LastTrace(
        made=result.finished,
        wrote=tuple(wrote),
        reads=tuple(one.path for one in files if not one.path.startswith("/")),
        writes=tuple(path for path, _ in wrote),
        logs=tuple(one.path for one in result.discovered if one.digest == LOG),
        missed=missed(result.discovered, (output.path for output in result.outputs)),
        state=tuple(one.path for one in result.discovered if one.digest.startswith(STATE)),
        variables=tuple(
            one.path.removeprefix(VARIABLE) for one in result.discovered if could_be_declared(one)
        ),
    )


def is_watched(step: Step, result: Result) -> bool:
    """True if the step of a result was watched."""
    seen = any(not item.path.startswith(NOT_SEEN) for item in result.discovered)
    return seen or bool(undeclared(step, result.outputs)) or not step.inputs
