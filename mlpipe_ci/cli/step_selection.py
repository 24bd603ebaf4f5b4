"""Which steps the user asked for."""

from mlpipe_ci.cli.options import SessionOptions
from mlpipe_ci.core.errors import MissingInputError, UsageError
from mlpipe_ci.core.graph import with_dependent, with_needed
from mlpipe_ci.core.workflow import Workflow, no_items_message
from mlpipe_ci.plan.evidence import Selection


def named_steps(workflow: Workflow, names: tuple[str, ...], asked_by: str) -> frozenset[str]:
    """Ids of the steps that a user named by id, name, or id of the matrix. Raises UsageError.

    An empty name means all; `asked_by`: what the names were given to.
    """
    if "" in names:
        return frozenset(step.id for step in workflow.steps)
    found: set[str] = set()
    for name in names:
        meant = {s.id for s in workflow.steps if name in {s.id, s.name, s.group}}
        if not meant:
            for each in workflow.items:
                if name in {each.id, each.step}:
                    raise MissingInputError(no_items_message(workflow, each))
            known = {word for s in workflow.steps for word in (s.id, s.name, s.group) if word}
            from difflib import get_close_matches  # noqa: PLC0415 - only for an error

            near = get_close_matches(name, sorted(known), 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise UsageError(f"{asked_by} {name}: there is no such step{hint}")
        found |= meant
    return frozenset(found)


def selected_steps(workflow: Workflow, options: SessionOptions) -> Selection:
    """The steps that the user asked for. Raises UsageError."""
    return Selection(
        chosen=_chosen(workflow, options), forced=named_steps(workflow, options.force, "--force")
    )


def _chosen(workflow: Workflow, options: SessionOptions) -> frozenset[str] | None:
    """Ids of the steps that count, None for all. Raises UsageError."""
    if not options.targets:
        if options.only or options.downstream:
            raise UsageError("--only and --downstream belong to steps; name one: mlpipe run STEP")
        return None
    named = named_steps(workflow, options.targets, "step")
    if options.only:
        return named
    return (with_dependent if options.downstream else with_needed)(workflow, named)
