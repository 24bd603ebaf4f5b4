"""How an input came to be another: which commit changed it, and whether that was a run alone."""

from mlpipe_ci.core.cache_key import DECLARED, NOT_DECLARED, Input, KeyParts, changed_inputs
from mlpipe_ci.core.changes import Change, describe_change
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.notebook import SUFFIX, same_work
from mlpipe_ci.repo.repo import Repo

GIT = "git:"
"""Before git's id of a file, in its digest."""
NAMED = 3
"""Changed inputs of a step whose commit is named in its reason."""


@frozen
class InputOrigin:
    """Asks the history of a repository. All words follow the path that they are about."""

    repo: Repo

    def of_changes(self, changes: tuple[Change, ...]) -> tuple[str, ...]:
        """Changes in words, the first few with their commits."""
        commits = [self.repo.blame.name(change.path) for change in changes[:NAMED]]
        commits += [""] * (len(changes) - len(commits))
        pairs = zip(changes, commits, strict=True)
        return tuple(describe_change(change) + commit for change, commit in pairs)

    def of_differences(
        self, words: tuple[str, ...], previous: KeyParts, now: KeyParts
    ) -> tuple[str, ...]:
        """The words of `differences`, of the first few changed inputs with their commits."""
        items = {item.path: item for item in (*now.inputs, *previous.inputs)}
        found = list(words)
        for index, path in enumerate(changed_inputs(previous, now)[:NAMED]):
            if not words[index].endswith((DECLARED, NOT_DECLARED)):
                found[index] += self.of(items[path])
        return tuple(found)

    def of(self, before: Input) -> str:
        """Of one input, as it was before."""
        outputs_only = " (only its outputs)" if self._is_run_anew(before) else ""
        return outputs_only + self.repo.blame.name(before.path)

    def _is_run_anew(self, before: Input) -> bool:
        """True for a notebook that was only executed since."""
        history = self.repo.blame.history
        if not (before.path.endswith(SUFFIX) and before.digest.startswith(GIT)) or history is None:
            return False
        old = history.commits.text(before.digest.removeprefix(GIT))
        try:
            now = (self.repo.root / before.path).read_text("utf-8")
        except (OSError, ValueError):
            return False
        return old is not None and same_work(old, now)
