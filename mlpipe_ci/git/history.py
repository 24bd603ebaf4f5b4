"""Commits that the clone may lack: they are fetched into a side repository, never into the clone.

The side repository borrows the clone's objects, knows where its history was cut, and is gone at the
end. So the clone keeps its depth, its refs and its configuration, two runs cannot meet, and what is
fetched can be without file contents: who compares two commits needs their trees alone.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from mlpipe_ci.errors import GitError, NoGitError
from mlpipe_ci.git.command import scratch
from mlpipe_ci.git.commits import Commits, Difference
from mlpipe_ci.git.remote import NAME, VIA, Deadline, Remote
from mlpipe_ci.git.repository import Git

DEPTHS = (50, 100, 200, 400, 800, 1600)
"""Commits of each branch that are asked for, until they meet; then all."""
ALL = 2**31 - 1
"""What git takes for an unlimited depth."""
TREES = "--filter=blob:none"
COMMITS = "--filter=tree:0"
NO_HAVES = ("-c", "fetch.negotiationAlgorithm=noop")
PRIVATE = "refs/mlpipe/"
FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no")


@dataclass(frozen=True)
class Common:
    """Best common ancestors of a commit and a branch. `tip` is the branch's, None if unknown.

    `bases` is empty where there is none, or, if `problem` is not empty, none could be found.
    """

    bases: tuple[str, ...] = ()
    tip: str | None = None
    problem: str = ""


class History:
    """What is known about commits here, and at the remote (None: nothing is fetched)."""

    def __init__(self, git: Git, remote: Remote | None) -> None:
        self._git, self._remote = git, remote
        self._deadline = remote.deadline() if remote else Deadline(0)
        self._side: Commits | None = None
        self._place: Path | None = None
        self.problem = ""
        """Why the last fetch did not succeed."""

    @property
    def commits(self) -> Commits:
        """The repository that knows most."""
        return self._side or self._git.commits

    def here(self, name: str) -> str | None:
        """Id of a commit by a full name or id, as the clone has it; None if it has not."""
        return self._git.commits.commit(name)

    def branch(self, name: str) -> str | None:
        """Id of the tip of a branch of the remote, as the clone knows it."""
        ours = self._remote is None or self._remote.is_origin
        return self.here(f"refs/remotes/{NAME}/{name}") if ours else None

    def is_complete(self) -> bool:
        """True if the clone's history was not cut off."""
        return not self._git.commits.is_shallow()

    def have(self, *ids: str) -> bool:
        """See to it that commits are here, each without its history."""
        missing = [commit for commit in ids if not self.commits.commit(commit)]
        return not missing or self._fetch(TREES, "--depth=1", VIA, *missing)

    def common(self, branch: str, head: str) -> Common:
        """Best common ancestors of a commit and a branch of the remote, as the branch is now.

        A complete clone with the branch in it is believed. Else both histories are fetched, ever
        deeper until they meet.
        """
        known = self.branch(branch)
        if known and self.is_complete():
            return Common(self._git.commits.merge_bases(known, head), known)
        found = self._met(branch, head)
        if not found.problem or not known:
            return found
        bases = self._git.commits.merge_bases(known, head)
        return Common(bases, known, "" if bases else found.problem)

    def _met(self, branch: str, head: str) -> Common:
        name = f"{PRIVATE}{branch}"
        wanted = f"+refs/heads/{branch}:{name}"
        if self.is_complete():
            if not self._fetch(COMMITS, VIA, wanted):
                return Common(problem=self.problem)
            return self._meeting(name, head)
        before = 0
        for depth in (*DEPTHS, ALL):
            if not self._fetch(COMMITS, f"--depth={depth}", VIA, wanted, head):
                return Common(problem=self.problem)
            found = self._meeting(name, head)
            known = self.commits.count(head) + self.commits.count(found.tip or head)
            if found.bases or known == before:
                return found
            before = known
        return found

    def _meeting(self, name: str, head: str) -> Common:
        tip = self.commits.commit(name)
        return Common(self.commits.merge_bases(tip, head) if tip else (), tip)

    def tag_before(self, commit: str) -> tuple[str, str] | None:
        """Full name and commit of the nearest tag in the history of a commit, or None."""
        if not self.is_complete():
            words = (f"--depth={ALL}", VIA, commit, "+refs/tags/*:refs/tags/*")
            if not self._fetch(COMMITS, *words):
                return None
        name = self.commits.tag_before(commit)
        found = self.commits.commit(name) if name else None
        return (name, found) if name and found else None

    def changed(self, base: str, head: str) -> tuple[Difference, ...]:
        """Paths that differ between two commits; trees are fetched if need be. Raises GitError."""
        try:
            return self.commits.changed(base, head)
        except NoGitError:
            raise
        except GitError:
            if not self._fetch_tree(base):
                raise
        return self.commits.changed(base, head)

    def _fetch_tree(self, commit: str) -> bool:
        """Fetch what a commit fetched without trees lacks: its tree, and all trees below it.

        Nothing is said of what is here: the server would take the trees of all commits for known.
        """
        if self._side is None:
            return False
        return self._fetch(TREES, VIA, self.commits.tree(commit), settings=NO_HAVES)

    def _fetch(self, *words: str, settings: tuple[str, ...] = ()) -> bool:
        """True if it succeeded; else `problem` says why not."""
        if self._remote is None:
            self.problem = "nothing is fetched here"
            return False
        try:
            side = self._made()
            command = self._git.command.at(side)
            self._remote.reach(command, self._deadline, *settings, *FETCH, *words)
        except NoGitError:
            raise
        except (GitError, OSError) as error:
            self.problem = str(error)
            return False
        self._side = Commits(command)
        return True

    def _made(self) -> Path:
        """The side repository: bare, with the clone's objects and its cuts."""
        if self._place is None:
            side, git = scratch(self, "mlpipe-history-"), self._git
            form = f"--object-format={git.object_format}"
            git.command.run("init", "--quiet", "--bare", "--template=", form, str(side))
            objects = os.fsencode(os.path.realpath(git.own_path("objects")))
            (side / "objects" / "info").mkdir(exist_ok=True)
            (side / "objects" / "info" / "alternates").write_bytes(_line(objects))
            shallow = git.own_path("shallow")
            if shallow.exists():
                shutil.copyfile(shallow, side / "shallow")
            self._place = side
        return self._place


def _line(path: bytes) -> bytes:
    r"""A path as a line of `objects/info/alternates` (gitrepository-layout): quoted if need be."""
    if b"\n" not in path and not path.startswith((b'"', b"#")):
        return path + b"\n"
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"\n'
