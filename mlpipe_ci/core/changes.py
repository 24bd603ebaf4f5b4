"""What differs between two commits: changed paths, and how a reason names one. Pure."""

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under, literal_prefix
from mlpipe_ci.core.patterns import matches


@frozen
class Change:
    """One changed path. `change` is `added`, `modified`, `deleted` or `untracked`.

    `submodule`: the path is one. `from_base`: after a rebase, the change is the default branch's,
    not this branch's. `pointer`: the file in git that says so, where the path is data outside.
    """

    path: str
    change: str
    submodule: bool = False
    from_base: bool = False
    pointer: str = ""


@frozen
class Comparison:
    """What is compared: head, base (None: not known), how the base was chosen, what changed.

    `changed` is None where it could not be read; an empty tuple says that nothing changed.
    `warnings`: what could not be done as it should be. `trigger`: what started the run, if it was
    no commit.
    """

    head: str | None = None
    base: str | None = None
    how: str = ""
    changed: tuple[Change, ...] | None = None
    warnings: tuple[str, ...] = ()
    trigger: str = ""


CHANGE_WORDS = {"added": "added", "untracked": "added", "deleted": "removed"}


def affects(pattern: str, change: Change) -> bool:
    """True if a change touches what a pattern means; a submodule holds all that is below it."""
    if matches(pattern, change.path):
        return True
    return change.submodule and is_under(literal_prefix(pattern), change.path)


def describe_change(change: Change) -> str:
    """A change as a reason names it: `data/a.csv removed`."""
    text = f"{change.path} {CHANGE_WORDS.get(change.change, 'changed')}"
    text += f" (says {change.pointer})" if change.pointer else ""
    return f"{text} (from the default branch)" if change.from_base else text
