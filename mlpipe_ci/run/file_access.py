"""What a step touches without declaring it: now, and by its last trace.

A path that was looked for in vain counts as the file and as the directory that it might become; a
listed directory ends in `/`. What Python's import lists says nothing about data.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.conflicts import FileAccess, is_written
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.tracing.access_log import (
    APPENDED,
    CHANGED,
    DROPPED,
    GONE,
    IMPORTED,
    LISTED,
    NOT_FOUND,
    OURS,
    OWN,
    READ,
    STATED,
    TREE,
)
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.discovered import Discovered
from mlpipe_ci.tracing.discovery.exceptions import is_exempt
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    ELSEWHERE,
    IGNORED,
    KEEPS,
    LOG,
    MODULES,
    STATE,
)
from mlpipe_ci.tracing.discovery.make_names import MAKE
from mlpipe_ci.tracing.file_identity import SLACK, content_digest

MISSED = (ABSENT, STATE + ABSENT)


def read_paths(discovered: Iterable[Input]) -> frozenset[str]:
    """Paths of the repository that discovered inputs rest on."""
    reads: set[str] = set()
    for item in discovered:
        elsewhere = item.path.startswith(ELSEWHERE)
        searched = item.digest.startswith(MODULES) and f"|{MAKE}" not in item.digest
        nothing = item.digest in {LOG, KEEPS} or item.digest.startswith(IGNORED)
        if elsewhere or searched or nothing:
            continue
        reads |= {item.path, f"{item.path}/"} if item.digest in MISSED else {item.path}
    return frozenset(reads)


def access_of_success(discovered: Discovered, trace: Trace, root: Path) -> FileAccess:
    """What a step that succeeded was seen to read and write."""
    return replace(_written(trace, root), reads=read_paths(discovered.inputs))


def access_of_failure(trace: Trace, root: Path) -> FileAccess:
    """What a step that failed was seen to read and write, with what it declares."""
    reads: set[str] = set()
    for path, flag in _inside(trace, root):
        if not flag & OWN and flag & NOT_FOUND:
            reads |= {path, f"{path}/"}
        elif not flag & OWN and flag & (READ | STATED):
            reads.add(path)
        if flag & LISTED and not flag & (IMPORTED | OWN):
            reads.add(f"{path}/")
    whole = trace.paths.get(os.path.realpath(root), 0)
    if trace.complete and whole & LISTED and not whole & IMPORTED:
        reads.add("./")
    return replace(_written(trace, root), reads=frozenset(reads))


def contents_read(trace: Trace, root: Path) -> Iterator[str]:
    """Files of the repository of which the step was seen to read the content, and not its own."""
    return (path for path, flag in _inside(trace, root) if flag & READ and not flag & OWN)


def left_changed(trace: Trace, root: Path, started: float) -> Iterator[str]:
    """Paths that a step wrote or changed and left there, or that it removed.

    `started`: seconds since 1970. That a call was seen does not say that it succeeded; what has the
    same bytes as before (`git stash`, and `git stash pop`) is not changed.
    """
    for path, flag in _inside(trace, root):
        if not flag & (OURS | CHANGED | APPENDED | GONE | TREE):
            continue
        try:
            state = os.lstat(root / path)
        except OSError:
            if flag & GONE:
                yield path
            continue
        if flag & TREE and stat.S_ISDIR(state.st_mode):
            for top, _, names in os.walk(root / path):
                yield from (os.path.relpath(f"{top}/{name}", root) for name in names)
        elif not flag & GONE and state.st_ctime >= started - SLACK:
            whole = f"{os.path.realpath(root)}/{path}"
            before = trace.before.get(whole)
            if not before or before != content_digest(whole):
                yield path


def _written(trace: Trace, root: Path) -> FileAccess:
    """All that was written, files that are gone again as well: another may have used the name."""
    found = dict(_inside(trace, root))
    writes = {
        path
        for path, flag in found.items()
        if flag & (OURS | CHANGED | GONE | DROPPED | TREE) and not flag & APPENDED
    }
    appends = {path for path, flag in found.items() if flag & APPENDED}
    return FileAccess(writes=frozenset(writes), appends=frozenset(appends), known=trace.complete)


def _inside(trace: Trace, root: Path) -> Iterator[tuple[str, int]]:
    """Paths of the repository, relative to its root; nothing if something may be missing."""
    prefix = f"{os.path.realpath(root)}/"
    for whole, flag in trace.paths.items() if trace.complete else ():
        path = whole.removeprefix(prefix)
        if path != whole and not is_exempt(path):
            yield path, flag


def looked_for(context: RunContext, access: FileAccess, reads: tuple[str, ...]) -> tuple[str, ...]:
    """Paths that were not read but looked for or listed, and that some step writes."""
    rest = access.reads.difference(reads)
    return tuple(sorted(path for path in rest if is_written(path, context.declared)))


def access_of_last_success(context: RunContext, step: Step) -> FileAccess:
    """By the step's last success here; what it only looked for as far as it matters."""
    last = context.cache.state.last_trace(context.workflow.file, step.id)
    return FileAccess(
        reads=frozenset((*last.reads, *last.looked)),
        writes=frozenset((*last.writes, *(path for path, _ in last.wrote), *last.shared)),
        appends=frozenset(last.logs),
        known=bool(last.made),
    )
