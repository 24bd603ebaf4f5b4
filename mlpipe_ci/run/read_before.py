"""What was read before the run, and must not change in it: params, and the files of `each`.

Such a value decides which steps there are, or what they do. Where a step changes it, a fresh clone
and a desk would do other work: so that step fails, and says which.
"""

import os
from collections.abc import Collection, Iterable

from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.paths import is_under, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.repo.each_files import chosen, included, on_disk
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.executors.base import JobResult
from mlpipe_ci.run.file_access import left_changed

WHOLE = "*"


def fault_of_params(context: RunContext, step: Step, read: Collection[str]) -> str:
    """What a step read from a params file by itself, while it is to be another value; or empty.

    `read`: files of the repository of which it has read the content.
    """
    overridden = [one for one in context.workflow.overridden if uses(step, one.path)]
    if not overridden:
        return ""
    where = {name: _real(context, name) for name in context.workflow.params_files}
    for one in overridden:
        if where[one.file] in read and where.get(one.by, "") not in read:
            return (
                f"it read {one.file} by itself, where {one.path} is {one.value}, while {one.by} "
                f"says {one.instead}; pass the value with ${{{{ params.{one.path} }}}} in its run "
                f"or env, or change it in {one.file}; where it reads other values of that file, "
                "name these in its params"
            )
    return ""


def uses(step: Step, path: str) -> bool:
    """True if a step may use a value: it names it, what it is part of, or a part of it; or none."""
    if not step.names_params:
        return True
    leaf = path.lower()
    return any(
        used in {WHOLE, leaf} or leaf.startswith(f"{used}.") or used.startswith(f"{leaf}.")
        for used in (name.lower() for name, _ in step.params)
    )


def fault_of_writes(context: RunContext, ended: JobResult) -> str:
    """What a step changed although it was read before the run; or empty."""
    trace = ended.trace
    if trace.complete:
        return fault_of_paths(context, left_changed(trace, context.repo.root, ended.started))
    return _unwatched(context, ended)


def fault_of_paths(context: RunContext, paths: Iterable[str]) -> str:
    """The first of the paths from which something was read before the run, in words; or empty."""
    workflow = context.workflow
    if not workflow.params_files and not workflow.items:
        return ""
    params = {_real(context, name) for name in workflow.params_files}
    patterns = [
        (each, one, top, _real(context, top))
        for each in workflow.items
        for one in included(each.patterns)
        for top in (literal_prefix(one),)
    ]
    for path in sorted(paths):
        if path in params:
            return _of_params(path)
        for each, pattern, top, real in patterns:
            name = top + path[len(real) :] if top != real and is_under(path, real) else path
            meant = matches(pattern, name) and chosen(each.patterns, [name])
            if meant and not _in_every_clone(context, path):
                return _of_item(name, each.step, each.patterns)
    return ""


def _real(context: RunContext, path: str) -> str:
    """A path without links, as a trace has it: a file of params may be reached through one."""
    root = os.path.realpath(context.repo.root)
    return os.path.relpath(os.path.realpath(context.repo.root / path), root) if path else ""


def _in_every_clone(context: RunContext, path: str) -> bool:
    """True for a file that git tracks, and that is still there: only its content may be new."""
    return bool(context.repo.tree.tracked(path)) and os.path.lexists(context.repo.root / path)


def _unwatched(context: RunContext, ended: JobResult) -> str:
    """The same of a command that nobody watched: by what is there now."""
    workflow, tree = context.workflow, context.repo.tree
    if path := tree.written_between(workflow.params_files, ended.started, float("inf")):
        return _of_params(path)
    for each in () if workflow.external_inputs else workflow.items:
        known = {
            one.strategy.each for one in workflow.steps if one.strategy and one.group == each.id
        }
        try:
            differing = known.symmetric_difference(on_disk(context.repo.root, each))
        except MlpipeError:
            continue
        if differing:
            return _of_item(min(differing), each.step, each.patterns)
    return ""


def _of_params(path: str) -> str:
    return (
        f"it changed '{path}', from which the workflow's params were read before the run; write "
        "another file, and name it as an input of the steps that read it"
    )


def _of_item(path: str, step: str, patterns: tuple[str, ...]) -> str:
    return (
        f"it changed '{path}', which '{', '.join(patterns)}' of each of step '{step}' means, and "
        "whose files were looked for before any step ran; write it elsewhere, make it before "
        f"mlpipe runs, or take it out with '!{path}' and read all in one step"
    )
