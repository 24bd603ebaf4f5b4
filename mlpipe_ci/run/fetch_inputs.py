"""Brings what a step is about to read and is not here: data from outside of git, large files."""

from dataclasses import replace

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import refuse_links
from mlpipe_ci.core.errors import GitError, PathError, SourceError
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.workflow import ExternalInput, Step, externals_of
from mlpipe_ci.repo.lfs import lfs_pointers
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.sources.dvc import is_of_dvc, pull
from mlpipe_ci.sources.placement import Placement


def fetch_inputs(context: RunContext, decision: Decision) -> Decision:
    """Put all into its place that the step reads. The decision, with notes for the reader.

    Raises SourceError if it cannot be had, SourceChangedError if it has changed, PathError.
    """
    if decision.unreachable:
        raise SourceError(decision.reasons[0])
    notes = _from_outside(context, decision.step)
    _from_dvc(context, decision)
    _large_files(context, decision)
    return replace(decision, notes=decision.notes + notes) if notes else decision


def _from_outside(context: RunContext, step: Step) -> tuple[str, ...]:
    placement = context.data.placement
    notes: tuple[str, ...] = ()
    patterns = [pattern for pattern in step.reads if not pattern.startswith("!")]
    for external in externals_of(context.workflow, patterns):
        refuse_links(context.repo.root, step, (external.path,))
        if tracked := context.repo.tree.tracked(external.path):
            raise PathError(
                f"'{external.path}' is the place of data from outside, and git tracks {tracked[0]} "
                "there; name a place of its own, or take it out of git (git rm --cached)"
            )
        notes += _place(placement, external, patterns)
        context.repo.tree.forget()
    return notes


def _place(placement: Placement, external: ExternalInput, patterns: list[str]) -> tuple[str, ...]:
    meant = (item for one in patterns for item in placement.sources.meant(external, one))
    wanted = {item.path: item for item in meant}
    try:
        return placement.place(external, tuple(wanted.values()))
    except DamagedError as error:
        raise SourceError(f"what was fetched for '{external.path}' is damaged: {error}") from error
    except OSError as error:
        raise PathError(f"'{external.path}' cannot be written: {error.strerror}") from error


def _from_dvc(context: RunContext, decision: Decision) -> None:
    """Have DVC bring what it tracks, of that which the step reads and is not here."""
    inputs = decision.parts.inputs if decision.parts and context.data.dvc else ()
    items = [one for item in inputs for one in context.repo.tree.opened(item) if is_of_dvc(one)]
    if not items or context.data.dvc is None:
        return
    known = {one.path: out for one in items if (out := context.data.dvc.out(one.path))}
    missing = [out for out in known.values() if context.data.dvc.lacks(out)]
    if not missing:
        return
    pull(context.repo.root, missing, context.env)
    context.repo.tree.forget()
    for item in items:
        out = context.data.dvc.out(item.path)
        if out is None or context.data.dvc.input(out) != item:
            raise SourceError(f"what DVC has brought for '{item.path}' is not what its hash says")


def _large_files(context: RunContext, decision: Decision) -> None:
    """A step must not read a Git LFS pointer in the place of the content that it stands for.

    Raises PathError if the content cannot be fetched.
    """
    inputs = decision.parts.inputs if decision.parts else ()
    paths = tuple(one.path for item in inputs for one in context.repo.tree.opened(item))
    found = lfs_pointers(context.repo.root, paths)
    if not found:
        return
    why = ""
    if context.data.fetch_lfs:
        try:
            context.data.fetch_lfs(found)
        except GitError as error:
            why = f" ({error})"
        found = lfs_pointers(context.repo.root, found)
        context.repo.tree.forget()
    if found:
        raise PathError(
            f"input '{found[0]}' is a Git LFS pointer, its content is not here{why}; fetch it "
            f"(git lfs pull --include '{found[0]}', or lfs: true in actions/checkout)"
        )
