"""Which steps must not run at the same time: from what is declared, and from what was seen. Pure.

What the last traces show may be wrong today. So what each step really touches is compared with what
ran beside it (`conflict`), and whoever read what another wrote is looked at again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlpipe_ci.core.declared_outputs import DeclaredOutput, DeclaredOutputs
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.graph import declared
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Step, Workflow

ROOT = "."
NOTHING: frozenset[str] = frozenset()


@frozen
class FileAccess:
    """What a step reads and writes without declaring it. A listed directory ends in `/`.

    `appends`: files that it only adds to, which several may do at once. `known`: it was watched, so
    there is nothing else.
    """

    reads: frozenset[str] = NOTHING
    writes: frozenset[str] = NOTHING
    appends: frozenset[str] = NOTHING
    known: bool = False


def with_writes(one: FileAccess, more: FileAccess) -> FileAccess:
    """What one touched, and what another attempt at it wrote."""
    writes, appends = one.writes | more.writes, one.appends | more.appends
    return replace(one, writes=writes, appends=appends)


def in_listed_order(workflow: Workflow) -> list[set[int]]:
    """For each step those that have to end before it begins: the one before it."""
    return [{index - 1} if index else set() for index in range(len(workflow.steps))]


def dependencies(workflow: Workflow, access: Sequence[FileAccess]) -> list[set[int]]:
    """For each step those before it that have to end first, as nothing proves it independent.

    `access`: of each step, by its last trace. A step whose reads are not known, or that has an
    `if`, waits for all before it; one whose writes are not known is waited for by all after it.
    """
    more = {n: (*one.writes, *one.appends) for n, one in enumerate(access)}
    writers = DeclaredOutputs(workflow.steps, more)
    before: list[set[int]] = [set() for _ in workflow.steps]
    barrier: int | None = None
    waits = 0  # the last step that waits for all before it: whoever waits for it waits for those
    for index, step in enumerate(workflow.steps):
        known = access[index].known
        if step.condition is not None or not (known or step.inputs):
            before[index] |= set(range(waits, index))
            waits = index
        elif barrier is not None:
            before[index].add(barrier)
        before[index] |= {
            workflow.index_by_id[e.before] for e in declared(workflow, writers, index)
        }
        for other in _touching(step, access[index], writers):
            first, second = sorted((index, other))
            if first != second:
                before[second].add(first)
        if not (known or step.inputs or step.outputs):
            barrier = index
    return before


def _touching(step: Step, access: FileAccess, declared: DeclaredOutputs) -> set[int]:
    """Steps that write what this one reads or writes."""
    patterns = (pattern for pattern in step.reads if not pattern.startswith("!"))
    found = {write.step for pattern in patterns for write in declared.matching(pattern)}
    for path in access.reads | access.writes:
        found |= {write.step for write in _writes(path, declared)}
    return found


def is_written(path: str, declared: DeclaredOutputs) -> bool:
    """True if a step writes what somebody has read, looked for, or (with a `/`) listed."""
    return bool(_writes(path, declared))


def _writes(path: str, declared: DeclaredOutputs) -> list[DeclaredOutput]:
    plain = path.rstrip("/")
    if plain in {"", ROOT}:
        return declared.matching("*")
    return declared.overlapping(plain) if path.endswith("/") else declared.containing(plain)


def conflict(reader: Step, seen: FileAccess, writer: Step, wrote: FileAccess) -> str:
    """A path that one step used and the other, which ran at the same time, wrote; empty if none.

    A name that both wrote counts as well: who knows whose content was in it when.
    """
    declared = DeclaredOutputs((writer,), {0: (*wrote.writes, *wrote.appends)})
    for path in sorted(seen.reads):
        if found := _writes(path, declared):
            return path.rstrip("/") if path.rstrip("/") != ROOT else found[0].path
    for path in sorted((seen.writes | seen.appends) & (wrote.writes | wrote.appends)):
        if path in seen.writes or path in wrote.writes:
            return path
    patterns = [pattern for pattern in reader.reads if not pattern.startswith("!")]
    written = sorted(wrote.writes | wrote.appends)
    return next((path for path in written if any(matches(p, path) for p in patterns)), "")


def longest_first(before: Sequence[set[int]], seconds: Mapping[int, float]) -> list[float]:
    """Of each step, the seconds until all that waits for it is done, if nothing is in the way.

    The critical path method: its own time and that of the longest chain behind it.
    """
    rank = [seconds.get(index, 1.0) for index in range(len(before))]
    longest = [0.0] * len(before)
    for position in reversed(range(len(before))):
        rank[position] += longest[position]
        for other in before[position]:
            longest[other] = max(longest[other], rank[position])
    return rank
