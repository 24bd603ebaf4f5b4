"""The digest of each path of the work tree.

Which kind of digest a path has follows from what it is, never from its state: written by a step or
ignored by git: BLAKE3 of its bytes; all else: git's blob id, so that a commit changes no key.
"""

import os
import stat
from collections.abc import Iterable

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.repo.digest_cache import DigestCache, Signature, is_settled, signature
from mlpipe_ci.repo.disk import Disk
from mlpipe_ci.repo.git import SUBMODULE, SYMLINK, Git, GitIndex, IndexEntry


class Digests:
    """Digests of paths below the root of `disk`. `outputs`: all that steps declare to write."""

    def __init__(
        self, disk: Disk, git: Git | None, outputs: tuple[str, ...], digest_cache: DigestCache
    ) -> None:
        self._disk, self._git, self._digest_cache = disk, git, digest_cache
        self.outputs = frozenset(output.rstrip("/") for output in outputs)
        self.paths = frozenset(output.rpartition("/")[0] for output in self.outputs)
        self.index = GitIndex()
        self.unstaged: frozenset[str] = frozenset()
        self.untracked: frozenset[str] = frozenset()
        self.ignored: tuple[str, ...] = ()
        self.unreadable: tuple[str, ...] = ()
        self._taken = 0
        self._fresh = False
        self._found: dict[str, Input] = {}
        self._settled: dict[str, tuple[Signature, Input]] = {}

    def add_outputs(self, paths: Iterable[str]) -> None:
        """Register more outputs; forget their cached digests."""
        new = {path.rstrip("/") for path in paths} - self.outputs
        if new:
            self.outputs |= new
            self.paths |= {path.rpartition("/")[0] for path in new}
            for path in new:
                self._found.pop(path, None)
                self._settled.pop(path, None)

    def forget(self) -> None:
        """A command has run: look anew. A file that is the same to `stat` needs no git for that."""
        self._fresh = False
        self._found = {}
        self._disk.forget()
        if self._git:
            self._git.forget()

    def look(self) -> None:
        """Ask git what is where, if that is not known."""
        if self._fresh:
            return
        if self._git:
            self.index = self._git.index()
            now = self._git.snapshot()
            self.unstaged, self.untracked = now.unstaged, now.untracked
            self.ignored, self._taken = now.ignored, now.taken
            self.unreadable = now.unreadable
        self._found = {}
        self._fresh = True

    def file(self, path: str) -> Input | None:
        """The digest of a regular file, without asking git where it can; None for all else."""
        try:
            now = os.lstat(self._disk.at(path))
        except OSError:
            return None
        if not stat.S_ISREG(now.st_mode):
            return None
        if self.is_output(path):
            return self._read(path, now)
        found = self._settled.get(path)
        if found and found[0] == signature(now):
            return found[1]
        self.look()
        self._find([(path, now)])
        return self._found[path]

    def of(self, paths: Iterable[str], step: str) -> list[Input]:
        """Digests of paths that are there. Raises PathError."""
        wanted = list(paths)
        new = [path for path in wanted if path not in self._found]
        self._find([(path, self._disk.lstat(path, step)) for path in new])
        return [self._found[path] for path in wanted]

    def is_output(self, path: str) -> bool:
        """True if a step declares to write the path, or a directory that it lies in."""
        while path and path not in self.outputs:  # a loop: it is asked of each file
            path = path.rpartition("/")[0]
        return bool(path)

    def is_gits(self, path: str) -> bool:
        """True for a path of which git's blob id counts."""
        return (path in self.index or path in self.untracked) and not self.is_output(path)

    def _find(self, paths: list[tuple[str, os.stat_result]]) -> None:
        """Fill in the digests of paths, those that git must hash in one go."""
        for_git: list[tuple[str, os.stat_result]] = []
        for path, status in paths:
            entry = self.index.get(path)
            if entry and entry.mode == SUBMODULE:
                found = Input(path=path, digest=f"commit:{entry.oid}")
            elif entry and self._clean(path, entry):
                executable = entry.mode == "100755"
                found = Input(path=path, digest=f"git:{entry.oid}", executable=executable)
            elif self._hashed_by_git(path, status):
                for_git.append((path, status))
                continue
            else:
                found = self._read(path, status)
            self._keep(path, status, found)
        if for_git and self._git:
            ids = self._git.hash_files(tuple(path for path, _ in for_git))
            for path, status in for_git:
                digest = f"git:{ids[path]}"
                self._keep(path, status, Input(path=path, digest=digest, executable=_mark(status)))

    def _keep(self, path: str, status: os.stat_result, found: Input) -> None:
        self._found[path] = found
        now = signature(status)
        if stat.S_ISREG(status.st_mode) and is_settled(now, self._taken):
            self._settled[path] = now, found

    def _clean(self, path: str, entry: IndexEntry) -> bool:
        regular = entry.mode not in {SYMLINK, SUBMODULE}
        return entry.plain and regular and path not in self.unstaged and not self.is_output(path)

    def _hashed_by_git(self, path: str, status: os.stat_result) -> bool:
        return self.is_gits(path) and stat.S_ISREG(status.st_mode)

    def _read(self, path: str, status: os.stat_result) -> Input:
        full_path = self._disk.at(path)
        if stat.S_ISLNK(status.st_mode):
            return Input(path=path, digest=f"link:{os.readlink(full_path)}")
        if not stat.S_ISREG(status.st_mode):
            raise PathError(f"'{path}' is not a file, a directory or a link; a step cannot read it")
        return Input(
            path=path, digest=self._digest_cache.digest(full_path, status), executable=_mark(status)
        )


def _mark(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IXUSR)
