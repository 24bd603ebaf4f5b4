"""What was there when a step looked first, before its own first write: the inputs' digests."""

import os
import stat
from dataclasses import replace

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.tracing.access_log import APPENDED, CHANGED, Signature
from mlpipe_ci.tracing.discovery.kinds import STATE
from mlpipe_ci.tracing.discovery.watched_step import WatchedStep
from mlpipe_ci.tracing.file_identity import content_digest, signature_of

IN_PLACE = "it changes {} in place, and what was there before is not known: make it from scratch"


class FirstLook:
    """Takes the digests of what a step saw, and notes why they are not known.

    `meanwhile`: a file that somebody else changed while the step ran. `unstorable`: why it is not
    known what the step saw.
    """

    def __init__(self, watched: WatchedStep) -> None:
        self._watched, self._trace, self._checker = watched, watched.trace, watched.checker
        self.meanwhile = self.unstorable = ""

    def before(self, whole: str, flag: int) -> str:
        """The digest of what was in a file before the step changed it; empty if it is not known.

        Of one that was only added to it is that of its beginning.
        """
        first = self._trace.first.get(whole)
        if first and flag & APPENDED and not flag & CHANGED:
            return content_digest(whole, first[0])
        return self._trace.before.get(whole, "")

    def content(self, path: str, *, changed: bool = False) -> Input:
        """A file as it was when the step looked at it first. `changed`: the step has changed it."""
        index, whole = self._watched.index, self._watched.whole(path)
        if self._checker.is_hidden(path, index):
            self.refuse(path)
        before = self.before(whole, self._trace.paths.get(whole, 0))
        if changed and before:
            return Input(path=path, digest=before, executable=_is_executable(whole))
        if changed:
            self.cannot(IN_PLACE.format(path))
        first, now = self._trace.first.get(whole), signature(whole)
        if first is None or now is None:
            since = self._watched.started * 1e9
            if now is not None and max(now[1], now[2]) > since and not changed:
                self.meanwhile = self.meanwhile or path
        elif first != now and not changed and not before:  # with it: the same bytes again
            known = self._checker.recall(path, first)
            if known:
                return Input(path=path, digest=known, executable=_is_executable(whole))
            self.meanwhile = self.meanwhile or path
        return self._checker.content(path, index)

    def listing(self, path: str, ours: tuple[str, ...], modules: str | None) -> Input:
        """The names in a directory when the step listed it first."""
        seen = self._trace.names.get(self._watched.whole(path))
        name = path if path.endswith("/") else f"{path or '.'}/"
        index = self._watched.index
        if not path.startswith("/"):
            self.refuse(self._checker.later_name(name, index, modules, seen))
        return self._checker.listing(name, index, ours, modules, seen)

    def state_content(self, path: str) -> Input:
        """A file that another step keeps as state."""
        found = self.content(path)
        return replace(found, digest=STATE + found.digest)

    def state_listing(self, path: str) -> Input:
        """The names of what other steps keep in a directory of state."""
        seen = self._trace.names.get(self._watched.whole(path))
        found = self._checker.state_listing(f"{path}/", self._watched.index, seen)
        return replace(found, digest=STATE + found.digest)

    def refuse(self, path: str) -> None:
        """What only a later step writes was there: another step had run before its turn."""
        if path:
            self.cannot(
                f"it saw {path}, which a later step writes; list that step before this one, or "
                "run without --jobs"
            )

    def cannot(self, why: str) -> None:
        """It is not known what the step saw. The first reason is kept."""
        self.unstorable = self.unstorable or why


def signature(path: str) -> Signature | None:
    """What `stat` says of a regular file; None for all else."""
    try:
        return signature_of(os.lstat(path))
    except OSError:
        return None


def _is_executable(path: str) -> bool:
    try:
        return bool(os.lstat(path).st_mode & stat.S_IXUSR)
    except OSError:
        return False
