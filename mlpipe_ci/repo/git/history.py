"""Commits that the clone may lack: they are fetched into a side repository, never into the clone.

The side repository borrows the clone's objects, knows where its history was cut, and is gone at the
end. So the clone keeps its depth, its refs and its configuration, two runs cannot meet, and what is
fetched can be without file contents: who compares two commits needs their trees alone.
"""

import os
import shutil
from pathlib import Path

from mlpipe_ci.core.errors import GitError, NoGitError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.git.command import scratch
from mlpipe_ci.repo.git.commits import Commits, Difference
from mlpipe_ci.repo.git.index import GitIndex
from mlpipe_ci.repo.git.remote import NAME, VIA, Deadline, Remote
from mlpipe_ci.repo.git.repository import Git

DEPTHS = (50, 100, 200, 400, 800, 1600)
"""Commits of each branch that are asked for, until they meet; then all."""
ALL = 2**31 - 1
"""What git takes for an unlimited depth."""
TREES = "--filter=blob:none"
COMMITS = "--filter=tree:0"
NO_HAVES = ("-c", "fetch.negotiationAlgorithm=noop")
PRIVATE = "refs/mlpipe/"
FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no")


@frozen(kw_only=False)
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
        self._side_directory: Path | None = None
        self._round = 0
        self.problem = ""
        """Why the last fetch did not succeed."""

    @property
    def commits(self) -> Commits:
        """The repository that knows most."""
        return self._side or self._git.commits

    def local_id(self, name: str) -> str | None:
        """Id of a commit by a full name or id, as the clone has it; None if it has not."""
        return self._git.commits.commit(name)

    def branch(self, name: str) -> str | None:
        """Id of the tip of a branch of the remote, as the clone knows it."""
        ours = self._remote is None or self._remote.is_origin
        return self.local_id(f"refs/remotes/{NAME}/{name}") if ours else None

    def is_complete(self) -> bool:
        """True if the clone's history was not cut off."""
        return not self._git.commits.is_shallow()

    def fetch_commits(self, *ids: str) -> bool:
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
        return self._met(f"refs/heads/{branch}", head)

    def merge_base(self, commit: str, head: str) -> Common:
        """Best common ancestors of two commits; if a clone was cut before them, as `common`."""
        if self.is_complete() or self._remote is None:
            return Common(self.commits.merge_bases(commit, head), commit)
        return self._met(commit, head)

    def _met(self, wanted: str, head: str) -> Common:
        """Fetch a ref or a commit, and the head, so deep that their best meeting is certain."""
        if self.is_complete():
            name = self._name()
            fetched = self._fetch(COMMITS, VIA, f"+{wanted}:{name}")
            return self._meeting(name, head) if fetched else Common(problem=self.problem)
        before = 0
        for depth in (*DEPTHS, ALL):
            name = self._name()
            if not self._fetch(COMMITS, f"--depth={depth}", VIA, f"+{wanted}:{name}", head):
                return Common(problem=self.problem)
            found = self._meeting(name, head)
            known = self.commits.count(head) + self.commits.count(found.tip or head)
            if known == before or (found.bases and self._is_certain(found, head)):
                return found
            before = known
        return found

    def _name(self) -> str:
        """A ref of the side repository, new each time: one that is right is not deepened."""
        self._round += 1
        return f"{PRIVATE}{self._round}"

    def _meeting(self, name: str, head: str) -> Common:
        tip = self.commits.commit(name)
        return Common(self.commits.merge_bases(tip, head) if tip else (), tip)

    def _is_certain(self, found: Common, head: str) -> bool:
        """True if no way from either end was cut before it came to the bases.

        Behind a cut there could be a later commit that both have.
        """
        cuts_file = self._side_directory / "shallow" if self._side_directory else None
        cuts = (
            set(cuts_file.read_text("ascii").split()) if cuts_file and cuts_file.exists() else set()
        )
        return not cuts & self.commits.outside((found.tip or head, head), found.bases)

    def tag_before(self, commit: str) -> tuple[str, str] | None:
        """Full name and commit of the nearest tag in the history of a commit, or None."""
        if not self.is_complete():
            words = (f"--depth={ALL}", VIA, commit, "+refs/tags/*:refs/tags/*")
            if not self._fetch(COMMITS, *words):
                return None
        name = self.commits.tag_before(commit)
        if name is None and self._side is None and self._remote:  # a clone made without tags
            if not self._fetch(COMMITS, VIA, "+refs/tags/*:refs/tags/*"):
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
            if not self.have_tree(base):
                raise
        return self.commits.changed(base, head)

    def entries(self, commit: str) -> GitIndex:
        """All files of a commit; its trees are fetched if need be. Raises GitError."""
        try:
            return self.commits.entries(commit)
        except NoGitError:
            raise
        except GitError:
            if not self.have_tree(commit):
                raise
        return self.commits.entries(commit)

    def text(self, commit: str, path: str) -> str | None:
        """A file's content in a commit, None if it has no such file; fetched if need be.

        Raises GitError if that is not known.
        """
        oid = self.commits.blob(commit, path)
        if oid is None:
            return None
        text = self.commits.text(oid)
        if text is None and self._fetch(VIA, oid, settings=NO_HAVES):
            text = self.commits.text(oid)
        if text is None:
            raise GitError(f"{path} in {commit[:7]} is not here ({self.problem})")
        return text

    def borrowed(self) -> dict[str, str]:
        """Environment in which the clone's git sees what was fetched."""
        return (
            {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{self._side_directory}/objects"}
            if self._side_directory
            else {}
        )

    def have_tree(self, commit: str) -> bool:
        """Fetch what a commit fetched without trees lacks: its tree, and all trees below it.

        Nothing is said of what is here: the server would take the trees of all commits for known.
        """
        return self._fetch(TREES, VIA, self.commits.tree(commit), settings=NO_HAVES)

    def _fetch(self, *words: str, settings: tuple[str, ...] = ()) -> bool:
        """True if it succeeded; else `problem` says why not."""
        if self._remote is None:
            self.problem = "nothing is fetched here"
            return False
        try:
            side = self._made()
            command = self._git.command.at(side)
            command.env["GIT_DIR"] = str(side)  # safe.bareRepository may forbid to look for it
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
        if self._side_directory is None:
            side, git = scratch(self, "mlpipe-history-"), self._git
            form = f"--object-format={git.object_format}"
            git.command.run("init", "--quiet", "--bare", "--template=", form, str(side))
            objects = os.fsencode(os.path.realpath(git.own_path("objects")))
            (side / "objects" / "info").mkdir(exist_ok=True)
            (side / "objects" / "info" / "alternates").write_bytes(_line(objects))
            shallow = git.own_path("shallow")
            if shallow.exists():
                shutil.copyfile(shallow, side / "shallow")
            self._side_directory = side
        return self._side_directory


def _line(path: bytes) -> bytes:
    r"""A path as a line of `objects/info/alternates` (gitrepository-layout): quoted if need be."""
    if b"\n" not in path and not path.startswith((b'"', b"#")):
        return path + b"\n"
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"\n'
