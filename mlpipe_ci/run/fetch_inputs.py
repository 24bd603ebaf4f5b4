"""Brings what a step is about to read and is not here: data from outside of git, large files."""

from dataclasses import replace

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import refuse_links
from mlpipe_ci.core.errors import GitError, PathError, SourceError
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.workflow import External, Step, outside_of
from mlpipe_ci.repo.lfs import lfs_pointers
from mlpipe_ci.run.context import Bench
from mlpipe_ci.sources.dvc import is_of_dvc, pull
from mlpipe_ci.sources.placement import Placing


def supply(bench: Bench, decision: Decision) -> Decision:
    """Put all into its place that the step reads. The decision, with notes for the reader.

    Raises SourceError if it cannot be had, SourceMovedError if it is another one by now, PathError.
    """
    if decision.unreachable:
        raise SourceError(decision.reasons[0])
    notes = _from_outside(bench, decision.step)
    _from_dvc(bench, decision)
    _large_files(bench, decision)
    return replace(decision, notes=decision.notes + notes) if notes else decision


def _from_outside(bench: Bench, step: Step) -> tuple[str, ...]:
    placing = bench.placing
    if placing is None:
        return ()
    notes: tuple[str, ...] = ()
    patterns = [pattern for pattern in step.reads if not pattern.startswith("!")]
    for external in outside_of(bench.workflow, patterns):
        refuse_links(bench.root, step, (external.path,))
        if tracked := bench.tree.tracked(external.path):
            raise PathError(
                f"'{external.path}' is the place of data from outside, and git tracks {tracked[0]} "
                "there; name a place of its own, or take it out of git (git rm --cached)"
            )
        notes += _place(placing, external, patterns)
        bench.tree.forget()
    return notes


def _place(placing: Placing, external: External, patterns: list[str]) -> tuple[str, ...]:
    meant = (item for one in patterns for item in placing.sources.meant(external, one))
    wanted = {item.path: item for item in meant}
    try:
        return placing.place(external, tuple(wanted.values()))
    except DamagedError as error:
        raise SourceError(f"what was fetched for '{external.path}' is damaged: {error}") from error
    except OSError as error:
        raise PathError(f"'{external.path}' cannot be written: {error.strerror}") from error


def _from_dvc(bench: Bench, decision: Decision) -> None:
    """Have DVC bring what it tracks, of that which the step reads and is not here."""
    inputs = decision.parts.inputs if decision.parts and bench.dvc else ()
    items = [one for item in inputs for one in bench.tree.opened(item) if is_of_dvc(one)]
    if not items or bench.dvc is None:
        return
    known = {one.path: out for one in items if (out := bench.dvc.out(one.path))}
    missing = [out for out in known.values() if bench.dvc.lacks(out)]
    if not missing:
        return
    pull(bench.root, missing, bench.env)
    bench.tree.forget()
    for item in items:
        out = bench.dvc.out(item.path)
        if out is None or bench.dvc.input(out) != item:
            raise SourceError(f"what DVC has brought for '{item.path}' is not what its hash says")


def _large_files(bench: Bench, decision: Decision) -> None:
    """A step must not read a Git LFS pointer in the place of the content that it stands for.

    Raises PathError if the content cannot be fetched.
    """
    inputs = decision.parts.inputs if decision.parts else ()
    paths = tuple(one.path for item in inputs for one in bench.tree.opened(item))
    found = lfs_pointers(bench.root, paths)
    if not found:
        return
    why = ""
    if bench.fetch_large:
        try:
            bench.fetch_large(found)
        except GitError as error:
            why = f" ({error})"
        found = lfs_pointers(bench.root, found)
        bench.tree.forget()
    if found:
        raise PathError(
            f"input '{found[0]}' is a Git LFS pointer, its content is not here{why}; fetch it "
            f"(git lfs pull --include '{found[0]}', or lfs: true in actions/checkout)"
        )
