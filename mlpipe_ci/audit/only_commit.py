"""A commit as a fresh clone has it: nothing of what lies on this disk counts."""

from mlpipe_ci.repo.commit_tree import CommitTree


class OnlyCommit(CommitTree):
    """Answers for what git has at a commit; all else is not there."""

    def _is_outside(self, path: str) -> bool:
        """Nothing is looked for on the disk."""
        del path
        return False
