"""What a step left: the files that it made, changed, or only added to."""

import os
import stat
from collections.abc import Iterator, Mapping

from mlpipe_ci.tracing.access_log import APPENDED, CHANGED, MADE, OURS, TREE
from mlpipe_ci.tracing.discovery.exceptions import is_exempt
from mlpipe_ci.tracing.discovery.first_look import FirstLook, signature
from mlpipe_ci.tracing.discovery.watched_step import WatchedStep
from mlpipe_ci.tracing.file_identity import SLACK, content_digest


class WhatItLeft:
    """Tells what a step did to files of the repository, by the flags of their paths."""

    def __init__(self, watched: WatchedStep, look: FirstLook) -> None:
        self._watched, self._look = watched, look
        self._since = watched.started - SLACK

    def is_log(self, path: str, flag: int) -> bool:
        """True for a file that was only added to, and is there. `touch` only makes a file."""
        watched = self._watched
        if not flag & APPENDED or watched.is_told(path) or self._is_anothers(path):
            return False
        if watched.readers.has_other(path, watched.index):
            return False
        try:
            size = os.lstat(watched.at(path)).st_size
        except OSError:
            return False
        return not flag & OURS or size > 0

    def is_changed(self, path: str, flag: int) -> bool:
        """True for a file that was there and has other bytes now: a call may have failed, and who
        opens a database to read it opens it for writing.
        """
        added = flag & APPENDED and not flag & OURS and self._is_anothers(path)
        whole = self._watched.at(path)
        first, now = self._watched.trace.first.get(whole), signature(whole)
        if now is None or not (flag & CHANGED or added):
            return False
        if before := self._look.before(whole, flag):
            return before != content_digest(whole)
        return first != now if first else now[2] >= self._since * 1e9

    def written(self, flags: Mapping[str, int]) -> Iterator[str]:
        """Files and links that the step made, is not declared to write, and left there."""
        at = self._watched.at
        for path, flag in flags.items():
            if self._watched.is_told(path):
                continue
            if flag & OURS and self._is_new(path):
                yield path
            elif flag & TREE and os.path.isdir(at(path)):
                yield from self._tree(path)
            elif flag & MADE and os.path.isdir(at(path)) and not os.listdir(at(path)):
                yield path

    def _tree(self, path: str) -> Iterator[str]:
        """All that is below a directory that was moved here, and directories that hold nothing."""
        for top, folders, names in os.walk(self._watched.at(path)):
            directory = os.path.relpath(top, self._watched.root)
            whole = [f"{directory}/{name}" for name in names]
            whole += [f"{directory}/{n}" for n in folders if os.path.islink(f"{top}/{n}")]
            whole += [] if names or folders else [directory]
            yield from (one for one in whole if not is_exempt(one))

    def _is_anothers(self, path: str) -> bool:
        """True for a file that an earlier step makes: who adds to that changes it."""
        return self._watched.checker.is_made_before(path, self._watched.index)

    def _is_new(self, path: str) -> bool:
        """True if there is a file or a link that was really written: a call may have failed."""
        try:
            now = os.lstat(self._watched.at(path))
        except OSError:
            return False
        regular = stat.S_ISREG(now.st_mode) or stat.S_ISLNK(now.st_mode)
        return regular and now.st_ctime >= self._since
