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

    @property
    def linked(self) -> str:
        """The name of the work tree, if it is one that git has linked to the repository."""
        linked = self.git is not None and self.git.directory != self.git.common
        return self.git.directory.name if self.git and linked else ""
