"""Digests of the work tree: which files an input means, and what is in them.

Which kind of digest a path has follows from what it is, never from its state: written by a step or
ignored by git: BLAKE3 of its bytes; all else: git's blob id, so that a commit changes no key.
"""

import os
import stat
import unicodedata
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from pathlib import Path

from mlpipe_ci.contents import file_digest
from mlpipe_ci.errors import PathError
from mlpipe_ci.git import SUBMODULE, SYMLINK, Entry, Git
from mlpipe_ci.keys import Input
from mlpipe_ci.paths import above, is_glob, is_under, literal_prefix
from mlpipe_ci.patterns import matches

SKIPPED = frozenset({".git", "__pycache__", ".ipynb_checkpoints"})
"""Never part of an input that is a directory or a pattern."""


class Tree:
    """The files under `root` as they are now. `outputs`: all paths that steps declare to write.

    `digest`: how the bytes of a file are read.
    """

    def __init__(
        self,
        root: Path,
        git: Git | None,
        outputs: tuple[str, ...],
        digest: Callable[[Path], str] = file_digest,
    ) -> None:
        self._root, self._git, self._digest_of = root, git, digest
        self._real_root = os.path.realpath(root)
        self._outputs = frozenset(output.rstrip("/") for output in outputs)
        self._index: dict[str, Entry] = {}
        self._sorted: list[str] = []
        self._submodules: list[str] = []
        self._modified: frozenset[str] = frozenset()
        self._untracked: frozenset[str] = frozenset()
        self._digests: dict[str, Input] = {}
        self._inside: set[str] = set()
        self._left_out: dict[str, tuple[str, ...]] = {}
        self._fresh = False

    def forget(self) -> None:
        """Forget what was seen: a command has run, and may have written anything."""
        self._fresh = False
        if self._git:
            self._git.forget()

    def inputs(self, pattern: str, step: str) -> tuple[Input, ...]:
        """Files that a pattern means now, with digests. Empty if there are none. PathError."""
        self._look()
        return self._meant(pattern, step, frozenset())

    def _meant(self, pattern: str, step: str, seen: frozenset[str]) -> tuple[Input, ...]:
        self._refuse_outside(literal_prefix(pattern), step)
        paths = list(self._expand(pattern, step))
        self._digest([path for path in paths if path not in self._digests], step)
        found = [self._digests[path] for path in paths]
        for path in paths:
            if (self._root / path).is_symlink() and path not in seen:
                found += self._meant(self._target(path, step), step, seen | {path})
        return tuple(found)

    def hash_files(self, patterns: tuple[str, ...]) -> str:
        """SHA-256 over the SHA-256 of each file that patterns mean, in order; '' if there is none.

        What `hashFiles()` gives on GitHub, but for the order of the files, which is not told there.
        """
        import hashlib  # noqa: PLC0415 - 5 ms, for a rare question

        self._look()
        excludes = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
        whole, found = hashlib.sha256(), False
        wanted = [p for p in patterns if not p.startswith("!")]
        for path in sorted({path for p in wanted for path in self._expand(p, "hashFiles")}):
            self._refuse_outside(path, "hashFiles")
            if (self._root / path).is_file() and not any(matches(e, path) for e in excludes):
                with (self._root / path).open("rb") as file:
                    whole.update(hashlib.file_digest(file, "sha256").digest())
                found = True
        return whole.hexdigest() if found else ""

    def paths(self, pattern: str, step: str) -> Iterator[str]:
        """Files that a pattern means now, not looked into. Raises PathError."""
        self._look()
        self._refuse_outside(literal_prefix(pattern), step)
        for path in self._expand(pattern, step):
            if (self._root / path).is_symlink():
                self._refuse_outside(path, step)
            yield path

    def tracked(self, path: str) -> tuple[str, ...]:
        """Files that git tracks at or inside of a path."""
        self._look()
        if not path.endswith("/"):
            return (path,) if path in self._index else ()
        if len(self._sorted) != len(self._index):
            self._sorted = sorted(self._index)
        start = bisect(self._sorted, path)
        return tuple(
            takewhile(lambda entry: entry.startswith(path), islice(self._sorted, start, None))
        )

    def exists(self, path: str) -> bool:
        """True if there is something at this path, be it an empty directory."""
        return os.path.lexists(self._root / path)

    def why_absent(self, pattern: str) -> str:
        """Why git has not put a tracked path on the disk, and what does; empty if it has."""
        self._look()
        for path, entry in self._index.items():
            if entry.sparse and matches(pattern, path):
                place = path.rpartition("/")[0] or path
                return f"the sparse checkout leaves it out: git sparse-checkout add {place}"
        for path in self._submodules:
            if is_under(literal_prefix(pattern), path) and not self._has_files(path):
                return f"the submodule {path} is not here: git submodule update --init {path}"
        return ""

    def other_spelling(self, pattern: str) -> str:
        """A file that only looks as if the pattern meant it: its name is composed otherwise."""
        if pattern.isascii():
            return ""
        self._look()
        wanted = unicodedata.normalize("NFC", pattern)
        known = (*self._index, *self._untracked)
        return next((p for p in known if matches(wanted, unicodedata.normalize("NFC", p))), "")

    def _has_files(self, directory: str) -> bool:
        return any(True for _ in _entries(self._root / directory))

    def left_out(self, pattern: str) -> tuple[str, ...]:
        """Files in a directory input that do not count because git ignores them."""
        return self._left_out.get(pattern, ())

    def _look(self) -> None:
        if self._fresh:
            return
        if self._git:
            self._index, self._sorted = self._git.index(), []
            self._submodules = [p for p, e in self._index.items() if e.mode == SUBMODULE]
            now = self._git.look()
            self._modified, self._untracked = now.modified, now.untracked
        self._digests, self._inside = {}, set()
        self._fresh = True

    def _expand(self, pattern: str, step: str) -> Iterator[str]:
        yield from self._on_disk(pattern, step)
        # Nothing of a submodule that was not fetched is on the disk, but which commit it is counts.
        yield from (p for p in self._submodules if matches(pattern, p) and not self._has_files(p))

    def _on_disk(self, pattern: str, step: str) -> Iterator[str]:
        if is_glob(pattern) and not pattern.endswith("/**"):
            walk = self._walk(literal_prefix(pattern), step, follow=True)
            yield from (path for path in walk if matches(pattern, path))
            return
        plain = pattern.removesuffix("/**").rstrip("/")
        place = self._root / plain
        if is_glob(plain):
            walk = self._walk(literal_prefix(plain), step, follow=True)
            yield from (path for path in walk if matches(pattern, path))
        elif place.is_dir() and (not place.is_symlink() or pattern != plain):
            yield from self._directory(pattern, "" if plain == "." else plain, step)
        elif os.path.lexists(place):
            yield plain

    def _directory(self, pattern: str, top: str, step: str) -> tuple[str, ...]:
        """All files in a directory that git does not ignore; all if the directory is ignored."""
        found = tuple(self._walk(top, step, follow=False))
        ignored = self._git.ignored(top) if self._git else ()
        if any(is_under(top, path) for path in ignored if top):
            return found
        kept = tuple(f for f in found if self._is_output(f) or not _is_in(f, frozenset(ignored)))
        self._left_out[pattern] = tuple(sorted({*found} - {*kept}))
        return kept

    def _walk(self, top: str, step: str, *, follow: bool) -> Iterator[str]:
        """Files below a directory. Links to directories are listed and, for patterns, followed."""
        if (self._root / top).is_dir():
            real = os.path.realpath(self._root / top)
            yield from self._walk_in(top, step, frozenset({real}), follow=follow)

    def _walk_in(
        self, top: str, step: str, above: frozenset[str], *, follow: bool
    ) -> Iterator[str]:
        prefix = f"{top}/" if top else ""
        for entry in _entries(self._root / top):
            path = prefix + entry.name
            link, directory = entry.is_symlink(), entry.is_dir()
            if link or not directory:
                yield path
            if directory and (follow or not link):
                real = os.path.realpath(entry.path) if link else None
                if link:
                    self._refuse_outside(path, step)
                if real not in above:  # a loop of links ends here
                    inner = above | {real} if real else above
                    yield from self._walk_in(path, step, inner, follow=follow)

    def _is_git(self, path: str) -> bool:
        return self._git is None or path in self._index or path in self._untracked

    def _is_output(self, path: str) -> bool:
        return not self._outputs.isdisjoint((path, *above(path)))

    def _digest(self, paths: list[str], step: str) -> None:
        """Fill in the digests of paths, those that git must hash in one go."""
        for_git: list[str] = []
        for path in paths:
            status, entry = self._lstat(path, step), self._index.get(path)
            if entry and entry.mode == SUBMODULE:
                digest, executable = f"commit:{entry.oid}", False
            elif entry and self._clean(path, entry):
                digest, executable = f"git:{entry.oid}", entry.mode == "100755"
            elif self._hashed_by_git(path, status):
                for_git.append(path)
                continue
            else:
                digest, executable = self._content(path, status), _executable(status)
            self._digests[path] = Input(path=path, digest=digest, executable=executable)
        if for_git and self._git:
            self._hash_by_git(self._git, tuple(for_git), step)

    def _clean(self, path: str, entry: Entry) -> bool:
        regular = entry.mode not in {SYMLINK, SUBMODULE}
        return entry.plain and regular and path not in self._modified and not self._is_output(path)

    def _hashed_by_git(self, path: str, status: os.stat_result) -> bool:
        ours = self._git is None or self._is_output(path) or not self._is_git(path)
        return not ours and stat.S_ISREG(status.st_mode)

    def _hash_by_git(self, git: Git, paths: tuple[str, ...], step: str) -> None:
        for path, oid in git.hash_files(paths).items():
            executable = _executable(self._lstat(path, step))
            self._digests[path] = Input(path=path, digest=f"git:{oid}", executable=executable)

    def _content(self, path: str, status: os.stat_result) -> str:
        if stat.S_ISLNK(status.st_mode):
            return f"link:{(self._root / path).readlink()}"
        if not stat.S_ISREG(status.st_mode):
            raise PathError(f"'{path}' is not a file, a directory or a link; a step cannot read it")
        return self._digest_of(self._root / path)

    def _target(self, path: str, step: str) -> str:
        """What a symbolic link leads to is read as well, and must be inside of the repository."""
        self._refuse_outside(path, step)
        # realpath, not resolve: that raises on a loop of links
        root, target = self._real_root, os.path.realpath(self._root / path)
        problem = ""
        if not Path(target).exists():
            problem = "nothing; correct the link, or write its target in an earlier step"
        elif Path(root, path).is_relative_to(target):
            problem = "a directory that it lies in itself"
        if problem:
            raise PathError(f"step '{step}': input '{path}' is a link to {problem}")
        return Path(target).relative_to(root).as_posix()

    def _refuse_outside(self, path: str, step: str) -> None:
        if path in self._inside:
            return
        target = os.path.realpath(os.path.join(self._real_root, path))  # noqa: PTH118 - often
        if target != self._real_root and not target.startswith(self._real_root.rstrip("/") + "/"):
            raise PathError(
                f"step '{step}': input '{path}' leads through a link to {target}, out of the "
                "repository; copy the data into the repository in an earlier step"
            )
        self._inside.add(path)

    def _lstat(self, path: str, step: str) -> os.stat_result:
        try:
            return (self._root / path).lstat()
        except OSError as error:
            raise PathError(f"step '{step}': input '{path}': {error.strerror}") from error


def _executable(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IXUSR) and stat.S_ISREG(status.st_mode)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return sorted((e for e in found if e.name not in SKIPPED), key=lambda e: e.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise PathError(f"'{directory}' cannot be read: {error.strerror}") from error


def _is_in(path: str, places: frozenset[str]) -> bool:
    """True if the path, or a directory above it (written with `/`), is one of the places."""
    if path in places:
        return True
    parts = path.split("/")
    return any("/".join(parts[:n]) + "/" in places for n in range(1, len(parts)))
