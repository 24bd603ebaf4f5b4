"""The opened repository: its root, git, the work tree, and what changed in it."""

from pathlib import Path

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.blame import CommitAttribution
from mlpipe_ci.repo.git import Git
from mlpipe_ci.repo.work_tree import WorkTree


@frozen
class Repo:
    """One repository, at the commit that runs.

    `git`: None where there is no git. `private`: mlpipe's directory of this work tree alone, for
    lock, logs, and outputs that were set aside. `tree`: the files that count, with their digests.
    `comparison`: what differs from the base. `blame`: which commit changed a path.
    """

    root: Path
    git: Git | None
    private: Path
    tree: WorkTree
    comparison: Comparison
    blame: CommitAttribution
