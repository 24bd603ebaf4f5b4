"""Which steps must not run at the same time: from what is declared, and from what was seen. Pure.

What the last traces show may be wrong today. So what each step really touches is held against what
ran beside it (`collision`), and whoever read what another wrote is looked at again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlpipe_ci.core.declared_outputs import Write, Writers
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.graph import declared
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Step, Workflow

ROOT = "."
NOTHING: frozenset[str] = frozenset()


@frozen
class Touched:
    """What a step reads and writes beyond what it declares. A listed directory ends in `/`.

    `appends`: files that it only adds to, which several may do at once. `known`: it was watched, so
    there is nothing else.
    """

    reads: frozenset[str] = NOTHING
    writes: frozenset[str] = NOTHING
    appends: frozenset[str] = NOTHING
    known: bool = False


def with_writes(one: Touched, more: Touched) -> Touched:
    """What one touched, and what another attempt at it wrote."""
    writes, appends = one.writes | more.writes, one.appends | more.appends
    return replace(one, writes=writes, appends=appends)


def in_listed_order(workflow: Workflow) -> list[set[int]]:
    """For each step those that have to end before it begins: the one before it."""
    return [{place - 1} if place else set() for place in range(len(workflow.steps))]


def predecessors(workflow: Workflow, touched: Sequence[Touched]) -> list[set[int]]:
    """For each step those before it that have to end first, as nothing proves it independent.

    `touched`: of each step by its last trace. A step whose reads are not known, or that has an
    `if`, waits for all before it; one whose writes are not known is waited for by all after it.
    """
    more = {n: (*one.writes, *one.appends) for n, one in enumerate(touched)}
    writers = Writers(workflow.steps, more)
    before: list[set[int]] = [set() for _ in workflow.steps]
    barrier: int | None = None
    waits = 0  # the last step that waits for all before it: whoever waits for it waits for those
    for place, step in enumerate(workflow.steps):
        known = touched[place].known
        if step.condition is not None or not (known or step.inputs):
            before[place] |= set(range(waits, place))
            waits = place
        elif barrier is not None:
            before[place].add(barrier)
        before[place] |= {workflow.places[e.before] for e in declared(workflow, writers, place)}
        for other in _touching(step, touched[place], writers):
            first, second = sorted((place, other))
            if first != second:
                before[second].add(first)
        if not (known or step.inputs or step.outputs):
            barrier = place
    return before


def _touching(step: Step, touched: Touched, writers: Writers) -> set[int]:
    """Steps that write what this one reads or writes."""
    patterns = (pattern for pattern in step.reads if not pattern.startswith("!"))
    found = {write.step for pattern in patterns for write in writers.meant_by(pattern)}
    for path in touched.reads | touched.writes:
        found |= {write.step for write in _writes(path, writers)}
    return found


def is_written(path: str, writers: Writers) -> bool:
    """True if a step writes what somebody has read, looked for, or (with a `/`) listed."""
    return bool(_writes(path, writers))


def _writes(path: str, writers: Writers) -> list[Write]:
    plain = path.rstrip("/")
    if plain in {"", ROOT}:
        return writers.meant_by("*")
    return writers.touching(plain) if path.endswith("/") else writers.holding(plain)


def collision(reader: Step, seen: Touched, writer: Step, wrote: Touched) -> str:
    """A path that one step used and the other, which ran at the same time, wrote; empty if none.

    A name that both wrote counts as well: who knows whose content was in it when.
    """
    writers = Writers((writer,), {0: (*wrote.writes, *wrote.appends)})
    for path in sorted(seen.reads):
        if found := _writes(path, writers):
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
    rank = [seconds.get(place, 1.0) for place in range(len(before))]
    longest = [0.0] * len(before)
    for place in reversed(range(len(before))):
        rank[place] += longest[place]
        for other in before[place]:
            longest[other] = max(longest[other], rank[place])
    return rank
