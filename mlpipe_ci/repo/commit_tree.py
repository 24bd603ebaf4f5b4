"""The work tree as it was at a commit, from git's trees alone: nothing is checked out, no content
read.

What git does not have is taken as it is now: data that git ignores is what that commit would find
if it ran here. But for what steps have left: that is of the commit that they ran on.
"""

import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.paths import is_glob, is_under, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.repo.digest_cache import SKIPPED, DigestCache
from mlpipe_ci.repo.git import SUBMODULE, SYMLINK, Git, GitIndex
from mlpipe_ci.repo.work_tree import PointerFiles, WorkTree

MOST_LINKS = 40
"""As Linux follows, one after another."""


class CommitTree(WorkTree):
    """Answers as `WorkTree` does, for another commit. `then`: its files; `text`: a file's content
    there by its path, None if it cannot be had (asked of symbolic links alone); `made`: whether a
    step has left a path, or may; `pointed`: data that DVC tracked then.
    """

    def __init__(
        self,
        work: tuple[Path, Git, tuple[str, ...], DigestCache],
        then: GitIndex,
        text: Callable[[str], str | None],
        made: Callable[[str], bool],
        pointed: PointerFiles | None = None,
    ) -> None:
        root, git, outputs, digest_cache = work
        super().__init__(root, git, outputs, digest_cache, pointed)
        self._now, self._then, self._text, self._made = git, then, text, made

    def forget(self) -> None:
        """Nothing runs in the past."""

    def inputs(self, pattern: str, step: str) -> tuple[Input, ...]:
        """As `Tree.inputs`. Raises PathError."""
        found = [one for path in self._meaning(pattern) for one in self._read(path, step)]
        pointed = self._pointed.inputs(pattern) if self._pointed else ()
        there = {one.path for one in found}
        now = [] if pattern in self._then else self._found(pattern, step)
        more = [one for one in now if one.path not in there and self._is_outside(one.path)]
        if self._pointed:
            more = [one for one in more if not self._pointed.holds(one.path)]
        return (*pointed, *found, *more)

    def paths(self, pattern: str, step: str) -> Iterator[str]:
        """As `Tree.paths`. Raises PathError."""
        found = self._meaning(pattern)
        yield from found
        there = set(found)
        for path in super().paths(pattern, step):
            if path not in there and self._is_outside(path):
                yield path

    def known(self, path: str) -> Input | None:
        """As `WorkTree.known`. Raises PathError."""
        if path in self._then:
            return self._read(path, "", follow=False)[0]
        outside = path.startswith("/") or self._is_outside(path)
        return super().known(path) if outside else None

    def kind(self, path: str) -> str:
        """As `Tree.kind`."""
        if path.startswith("/"):
            return super().kind(path)
        entry = self._then.get(path)
        if entry is not None and entry.mode == SYMLINK:
            return self.kind(self._target(path))
        if entry is not None and entry.mode != SUBMODULE:
            return "file"
        if entry is not None or path in {"", "."} or self._then.under(f"{path}/"):
            return "directory"
        return super().kind(path) if self._is_outside(path) else ""

    def names(self, folder: str) -> list[str] | None:
        """As `Tree.names`."""
        if folder.startswith("/"):
            return super().names(folder)
        prefix = f"{folder}/" if folder not in {"", "."} else ""
        found = {path[len(prefix) :].partition("/")[0] for path in self._then.under(prefix)}
        now = super().names(folder)
        found |= {name for name in now or () if self._is_outside(prefix + name)}
        return sorted(found) if found or (now is not None and self._is_outside(folder)) else None

    def is_directory(self, path: str) -> bool:
        """As `Tree.is_directory`."""
        return self.kind(path.rstrip("/")) == "directory"

    def exists(self, path: str) -> bool:
        """As `Tree.exists`."""
        return bool(self.kind(path.rstrip("/")))

    def tracked(self, path: str) -> tuple[str, ...]:
        """As `Tree.tracked`."""
        if path.endswith("/"):
            return tuple(self._then.under(path))
        return (path,) if path in self._then else ()

    def why_absent(self, pattern: str) -> str:
        """Nothing of the past is on the disk."""
        del pattern
        return ""

    def left_out(self, pattern: str) -> tuple[str, ...]:
        """What is ignored is asked of the present."""
        del pattern
        return ()

    def _meaning(self, pattern: str) -> list[str]:
        """Files of the commit that a pattern means."""
        if pattern in self._then:
            return [pattern]
        prefix = literal_prefix(pattern) if is_glob(pattern) else pattern.rstrip("/")
        paths = self._then.under(f"{prefix}/" if prefix not in {"", "."} else "")
        within = [path for path in paths if SKIPPED.isdisjoint(path[len(prefix) :].split("/"))]
        return [path for path in within if not is_glob(pattern) or matches(pattern, path)]

    def _read(self, path: str, step: str, *, follow: bool = True, links: int = 0) -> list[Input]:
        entry = self._then.get(path)
        if entry is None:
            return []
        if entry.mode == SUBMODULE:
            return self._submodule(path, entry.oid, step)
        if entry.mode != SYMLINK:
            executable = entry.mode == "100755"
            return [Input(path=path, digest=f"git:{entry.oid}", executable=executable)]
        link = [Input(path=path, digest=f"link:{self._text(path) or ''}")]
        if not follow:
            return link
        if links > MOST_LINKS:
            raise PathError(f"'{path}' is a link that leads to itself")
        meant = self._meaning(self._target(path))
        return link + [one for p in meant for one in self._read(p, step, links=links + 1)]

    def _submodule(self, path: str, commit: str, step: str) -> list[Input]:
        """The same commit of it is here, or only which one it was is known."""
        now = self._now.index().get(path)
        if now is not None and now.oid == commit:
            return list(super().inputs(path, step))
        return [Input(path=path, digest=f"commit:{commit}")]

    def _target(self, path: str) -> str:
        target = self._text(path)
        if target is None:
            raise PathError(f"where the link '{path}' led to is not known")
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))

    def _is_outside(self, path: str) -> bool:
        """True for what neither git knows nor a step has made: data that was there before."""
        plain, index, status = path.rstrip("/"), self._now.index(), self._now.snapshot()
        if self._made(plain):
            return False
        if plain in index or index.under(f"{plain}/"):
            return False
        return not any(
            is_under(plain, other.rstrip("/")) or other.startswith(f"{plain}/")
            for other in status.untracked
        )
