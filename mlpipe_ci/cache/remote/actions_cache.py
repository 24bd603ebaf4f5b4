"""What travels from run to run in GitHub's own cache: a directory, laid out as a remote store.

GitHub keeps branches apart, so there is one scope. It is bounded: at the end of a run it holds what
the run used, those results first that took longest to make. Where that is not what it held before,
a mark beside it says that it is worth saving.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache.remote import layout
from mlpipe_ci.cache.remote.index import Found
from mlpipe_ci.cache.remote.shared_store import SharedStore
from mlpipe_ci.core.event import CacheAccess
from mlpipe_ci.core.result import Result, needs

SCOPE = "pack"
RIGHTS = CacheAccess(reads=(SCOPE,), writes=SCOPE)
MOST = 1_000_000_000
"""Bytes. GitHub keeps 10 GB for a repository, and drops what was used longest ago."""


class PackedStore(SharedStore):
    """A local store with a pack behind it."""

    top: Path
    most: int = MOST

    def further(
        self,
        key: str,
        scopes: tuple[str, ...] | None = None,  # noqa: ARG002 - there is but one
    ) -> Iterator[tuple[Result, ...]]:
        """As for any remote store. GitHub itself keeps a pull request from what main saved."""
        yield from super().further(key)

    def finish(self, seconds: float | None = None) -> None:
        """As for any remote store; then what the run did not use goes."""
        before = _results(self._index.recent(SCOPE))
        if not self._wait(seconds):
            return
        kept = self._bounded()
        self._used = {pair: one for pair, one in self._used.items() if pair in kept}
        self._record(SCOPE)
        if not self.remote.client.counts.failed:
            self._prune({path for paths in kept.values() for path in paths})
        if set(kept) != before:
            with suppress(OSError):
                mark(self.top).touch()

    def _is_damaged(self, digest: str) -> bool:  # noqa: ARG002 - any may be
        """What is made anew is also written anew: who knows what came out of an archive."""
        return True

    def _bounded(self) -> dict[tuple[str, str], list[str]]:
        """The used results that fit, each with the paths that it needs."""
        found: dict[tuple[str, str], list[str]] = {}
        seen: set[str] = set()
        total = 0
        for pair, one in sorted(self._used.items(), key=_costliest):
            paths = [layout.object_path(SCOPE, name) for name in needs(one.result)]
            paths.append(layout.result_path(SCOPE, *pair))
            size = sum(_size(self.top / path) for path in paths if path not in seen)
            if total + size <= self.most:
                total, found[pair] = total + size, paths
                seen.update(paths)
        return found

    def _prune(self, kept: set[str]) -> None:
        kept.add(layout.recent_path(SCOPE, self.remote.workflow))
        for path in list(_files(self.top)):
            if path.relative_to(self.top).as_posix() not in kept:
                with suppress(OSError):
                    path.unlink()


def mark(top: Path) -> Path:
    """The file that says that a pack has changed."""
    return top.with_name(f"{top.name}.changed")


def _results(found: tuple[Found, ...]) -> set[tuple[str, str]]:
    return {(one.result.key, one.name) for one in found}


def _costliest(item: tuple[tuple[str, str], Found]) -> float:
    return -item[1].result.seconds


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _files(top: Path) -> Iterator[Path]:
    for path, _, names in os.walk(top):
        for name in names:
            yield Path(path, name)
