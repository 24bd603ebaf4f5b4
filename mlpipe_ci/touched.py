"""Which of a step's inputs a change under test touches, and in which words that is told. Pure."""

from mlpipe_ci.paths import is_under, literal_prefix
from mlpipe_ci.patterns import matches
from mlpipe_ci.run import Change

CHANGE_WORDS = {"added": "added", "untracked": "added", "deleted": "removed"}


def is_meant(pattern: str, change: Change) -> bool:
    """True if a change touches what a pattern means; a submodule holds all that is below it."""
    if matches(pattern, change.path):
        return True
    return change.submodule and is_under(literal_prefix(pattern), change.path)


def in_words(change: Change) -> str:
    """A change as a reason tells it: `data/a.csv removed`."""
    text = f"{change.path} {CHANGE_WORDS.get(change.change, 'changed')}"
    text += f" (says {change.pointer})" if change.pointer else ""
    return f"{text} (from the default branch)" if change.from_base else text
