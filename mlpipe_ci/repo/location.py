"""Where a command works: the repository, and mlpipe's own directories."""

from pathlib import Path

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.git import Git


@frozen
class Locations:
    """Where a command works, before anything of it is read."""

    start: Path
    root: Path
    git: Git | None
    private: Path
    state: Path
    cache: Path
    no_git: str = ""
