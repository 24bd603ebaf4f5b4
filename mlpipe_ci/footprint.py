"""What a step touches beyond what it declares: now, and by its last trace.

A path that was looked for in vain counts as the file and as the directory that it might become; a
listed directory ends in `/`. What Python's import lists says nothing about data.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from mlpipe_ci.bench import Bench
from mlpipe_ci.discovery.checking import ABSENT, KEPT, MODULES, VARIABLE
from mlpipe_ci.discovery.environment import PREFIX
from mlpipe_ci.discovery.finding import Finding
from mlpipe_ci.keys import Input
from mlpipe_ci.overlap import Touched, is_written
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.sightings import ABSENT as MISSED
from mlpipe_ci.tracing.sightings import CHANGED, GONE, OURS, OWN, READ, STATED
from mlpipe_ci.workflow import Step


def read_paths(discovered: Iterable[Input]) -> frozenset[str]:
    """Paths of the repository that discovered inputs rest on."""
    reads: set[str] = set()
    for item in discovered:
        elsewhere = item.path.startswith(("/", VARIABLE, PREFIX))
        if not elsewhere and item.digest != KEPT and not item.digest.startswith(MODULES):
            reads |= {item.path, f"{item.path}/"} if item.digest == ABSENT else {item.path}
    return frozenset(reads)


def touched_now(finding: Finding) -> Touched:
    """What a step that succeeded was seen to read and write."""
    wrote = (*finding.writes, *finding.rewrites, *finding.removes, *finding.appends)
    return Touched(reads=read_paths(finding.inputs), writes=frozenset(wrote), known=True)


def touched_by(trace: Trace, root: Path) -> Touched:
    """What a step that failed was seen to read and write, with what it declares."""
    prefix = f"{os.path.realpath(root)}/"
    reads: set[str] = set()
    writes: set[str] = set()
    for whole, flag in trace.paths.items() if trace.complete else ():
        path = whole.removeprefix(prefix)
        if path == whole:
            continue
        if flag & (OURS | CHANGED | GONE):
            writes.add(path)
        elif not flag & OWN and flag & MISSED:
            reads |= {path, f"{path}/"}
        elif not flag & OWN and flag & (READ | STATED):
            reads.add(path)
    return Touched(reads=frozenset(reads), writes=frozenset(writes), known=trace.complete)


def looked_for(bench: Bench, touched: Touched, reads: tuple[str, ...]) -> tuple[str, ...]:
    """Paths that were not read but looked for or listed, and that some step writes."""
    rest = touched.reads.difference(reads)
    return tuple(sorted(path for path in rest if is_written(path, bench.writers)))


def touched_before(bench: Bench, step: Step) -> Touched:
    """By the step's last success here; what it only looked for as far as it matters."""
    traced = bench.state.traced(bench.workflow.file, step.id)
    return Touched(
        reads=frozenset((*traced.reads, *traced.looked)),
        writes=frozenset((*traced.writes, *(path for path, _ in traced.wrote), *traced.kept)),
        known=bool(traced.made),
    )
