"""How an input came to be another: which commit changed it, and whether that was a run alone."""

from mlpipe_ci.core.cache_key import Input, KeyParts, changed_inputs
from mlpipe_ci.core.changes import Change
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

    def of_changes(
        self, changes: tuple[Change, ...], previous: KeyParts | None, now: KeyParts | None
    ) -> tuple[str, ...]:
        """Of the first few of the paths that a reason names."""
        if previous is None or now is None:
            return tuple(self.repo.blame.name(change.path) for change in changes[:NAMED])
        before = {item.path: item for item in previous.inputs}
        new = {item.path: item for item in now.inputs}
        paths = changed_inputs(previous, now)[:NAMED]
        return tuple(self.of(before.get(path, new.get(path))) for path in paths)

    def of(self, before: Input | None) -> str:
        """Of one input, as it was before."""
        if before is None:
            return ""
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
