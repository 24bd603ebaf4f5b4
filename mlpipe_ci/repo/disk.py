"""Looks at the disk below the root: what lies where, and where links lead."""

import os
from collections.abc import Iterator
from pathlib import Path

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.repo.digest_cache import SKIPPED


class Disk:
    """The files below `root` as they are now. What leads out of it is refused."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._real = os.path.realpath(root)
        self._inside: set[str] = {""}

    def forget(self) -> None:
        """A command has run: it may have put a link anywhere."""
        self._inside = {""}

    def at(self, path: str) -> str:
        """The absolute path."""
        return f"{self.root}/{path}" if path not in {"", "."} else self.root

    def lstat(self, path: str, step: str) -> os.stat_result:
        """What is at a path, a link not followed. Raises PathError."""
        try:
            return os.lstat(self.at(path))
        except OSError as error:
            raise PathError(f"step '{step}': input '{path}': {error.strerror}") from error

    def exists(self, path: str) -> bool:
        """True if there is something at this path, be it an empty directory or a broken link."""
        return os.path.lexists(self.at(path))

    def is_link(self, path: str) -> bool:
        """True for a symbolic link."""
        return os.path.islink(self.at(path))

    def is_plain_directory(self, path: str) -> bool:
        """True for a directory to which no link leads."""
        return os.path.isdir(self.at(path)) and os.path.realpath(self.at(path)) == (
            f"{self._real.rstrip('/')}/{path}" if path not in {"", "."} else self._real
        )

    def has_files(self, directory: str) -> bool:
        """True if a directory is there and not empty."""
        return any(True for _ in _entries(self.at(directory)))

    def refuse_outside(self, path: str, step: str) -> None:
        """Raise PathError if a path leads out of the root."""
        if self._is_inside(path):
            return
        target = os.path.realpath(self.at(path))
        if target != self._real and not target.startswith(self._real.rstrip("/") + "/"):
            raise PathError(
                f"step '{step}': input '{path}' leads through a link to {target}, out of the "
                "repository; copy the data into the repository in an earlier step"
            )
        self._inside.add(path)

    def _is_inside(self, path: str) -> bool:
        """True if it is certain: nothing on the way is a link."""
        if path in self._inside:
            return True
        if not self._is_inside(path.rpartition("/")[0]) or self.is_link(path):
            return False
        self._inside.add(path)
        return True

    def target(self, path: str, step: str) -> str:
        """What a symbolic link leads to is read as well, and must be inside of the root."""
        self.refuse_outside(path, step)
        # realpath, not resolve: that raises on a loop of links
        target = os.path.realpath(self.at(path))
        problem = ""
        if not os.path.exists(target):
            problem = "nothing; correct the link, or write its target in an earlier step"
        elif Path(self._real, path).is_relative_to(target):
            problem = "a directory that it lies in itself"
        if problem:
            raise PathError(f"step '{step}': input '{path}' is a link to {problem}")
        return Path(target).relative_to(self._real).as_posix()

    def walk(self, top: str, step: str, *, follow: bool) -> Iterator[str]:
        """Files below a directory. Links to directories are listed and, for patterns, followed."""
        if os.path.isdir(self.at(top)):
            real = os.path.realpath(self.at(top))
            yield from self._walk_in(top, step, frozenset({real}), follow=follow)

    def _walk_in(
        self, top: str, step: str, above: frozenset[str], *, follow: bool
    ) -> Iterator[str]:
        prefix = f"{top}/" if top not in {"", "."} else ""
        for entry in _entries(self.at(top)):
            path = prefix + entry.name
            link, directory = entry.is_symlink(), entry.is_dir()
            if link or not directory:
                yield path
            if directory and (follow or not link):
                real = os.path.realpath(entry.path) if link else None
                if link:
                    self.refuse_outside(path, step)
                if real not in above:  # a loop of links ends here
                    inner = above | {real} if real else above
                    yield from self._walk_in(path, step, inner, follow=follow)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return sorted((e for e in found if e.name not in SKIPPED), key=lambda e: e.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(directory, error) from error


def unreadable(directory: str, error: OSError) -> PathError:
    """The error for a directory that cannot be listed."""
    return PathError(f"'{directory}' cannot be read: {error.strerror}")
