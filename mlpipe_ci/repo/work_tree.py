"""The work tree as steps see it: which files an input means, and what is in them."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.directory_listing import files, grouped, is_listing
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.paths import above, is_glob, is_under, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.repo.digest_cache import DigestCache, Signature
from mlpipe_ci.repo.digests import Digests
from mlpipe_ci.repo.directories import Directories
from mlpipe_ci.repo.disk import Disk
from mlpipe_ci.repo.git import Git


class PointerFiles(Protocol):
    """Data that git has only a pointer of, as DVC keeps it."""

    def forget(self) -> None:
        """A command has run."""

    def inputs(self, pattern: str) -> tuple[Input, ...]:
        """Such data that a pattern may mean, whether its content is here or not."""

    def holds(self, path: str) -> bool:
        """True for such data, and for what lies in it."""


class WorkTree:
    """The files under `root` as they are now. `outputs`: all paths that steps declare to write.

    `digest_cache`: remembers digests from one run to the next. `pointed`: data that git has
    pointers of.
    """

    def __init__(
        self,
        root: Path,
        git: Git | None,
        outputs: tuple[str, ...],
        digest_cache: DigestCache | None = None,
        pointed: PointerFiles | None = None,
    ) -> None:
        digest_cache = digest_cache or DigestCache()
        self._disk = Disk(root)
        self._digests = Digests(self._disk, git, outputs, digest_cache)
        self._directories = Directories(
            self._disk, self._digests, digest_cache, with_git=git is not None
        )
        self._git, self._digest_cache, self._pointed = git, digest_cache, pointed
        self._named: dict[str, str] = {}
        self._hidden: frozenset[str] = frozenset()

    def hide(self, paths: Iterable[str]) -> None:
        """These will be moved away before any step runs: they count as not there."""
        self._hidden = frozenset(paths)
        self._digests.add_outputs(self._hidden)

    def is_hidden(self, path: str) -> bool:
        """True for what is hidden, or lies in it; of an empty path, if anything is."""
        if not path:
            return bool(self._hidden)
        return bool(self._hidden) and not self._hidden.isdisjoint((path.rstrip("/"), *above(path)))

    def forget(self) -> None:
        """Forget what was seen: a command has run, and may have written anything."""
        self._digests.forget()
        if self._pointed:
            self._pointed.forget()

    def inputs(self, pattern: str, step: str) -> tuple[Input, ...]:
        """Files that a pattern means now, with digests. Empty if there are none. PathError.

        Many files of one directory may come as one listing.
        """
        if self._pointed is None:
            return self._found(pattern, step)
        pointed = self._pointed.inputs(pattern)
        if pointed and not is_glob(pattern) and self._pointed.holds(pattern.rstrip("/")):
            return pointed
        plain = self._found(pattern, step)
        if not pointed:
            return plain
        here = (one for item in plain for one in self.opened(item))
        return (*pointed, *(one for one in here if not self._pointed.holds(one.path)))

    def _found(self, pattern: str, step: str) -> tuple[Input, ...]:
        if not is_glob(pattern):
            self._disk.refuse_outside(pattern.rpartition("/")[0], step)
            file = self._digests.file(pattern)
            if file:
                return (file,)
        self._digests.look()
        return self._meant(pattern, step, frozenset())

    def _meant(self, pattern: str, step: str, seen: frozenset[str]) -> tuple[Input, ...]:
        self._disk.refuse_outside(literal_prefix(pattern), step)
        directory = self._named_directory(pattern)
        if directory is None:
            found = self._digests.of(self._expand(pattern, step), step)
        else:
            self._named[pattern] = directory
            found = self._directories.inputs(directory, step)
        for item in tuple(found):
            if item.digest.startswith("link:") and item.path not in seen:
                target = self._disk.target(item.path, step)
                found += self._meant(target, step, seen | {item.path})
        return tuple(found)

    def _named_directory(self, pattern: str) -> str | None:
        """The directory that a pattern names as a whole, None for all other patterns."""
        plain = pattern.removesuffix("/**").rstrip("/")
        if is_glob(plain) or not os.path.isdir(self._disk.at(plain)):
            return None
        return None if self._disk.is_link(plain) and pattern == plain else plain

    def known(self, path: str) -> Input | None:
        """A file or link with its digest, None if there is neither; also an absolute path.

        Raises PathError.
        """
        if path.startswith("/"):
            if os.path.islink(path):
                return Input(path=path, digest=f"link:{os.readlink(path)}")
            return (
                Input(path=path, digest=self._digest_cache.digest(path))
                if os.path.isfile(path)
                else None
            )
        found = self._digests.file(path)
        if found is None and self._disk.is_link(path):
            target = os.readlink(self._disk.at(path))
            return Input(path=path, digest=f"link:{target}")
        return found

    def recall(self, path: str, then: Signature) -> str:
        """The digest that a file had when `stat` said that of it; empty if it is not known.

        Only of paths whose digest is BLAKE3: outside of the repository, outputs, and what git
        ignores.
        """
        if path.startswith("/"):
            return self._digest_cache.recall(path, then)
        self._digests.look()
        if self._digests.is_gits(path):
            return ""
        return self._digest_cache.recall(self._disk.at(path), then)

    def add_outputs(self, paths: Iterable[str]) -> None:
        """Steps write these as well, which did not declare it."""
        self._digests.add_outputs(paths)

    def opened(self, item: Input) -> tuple[Input, ...]:
        """The files of a listing, as they were when it was made; of all else, the input itself."""
        text = self.listing(item.digest) if is_listing(item) else None
        return (item,) if text is None else files(item, text)

    def written_between(self, paths: Iterable[str], start: float, end: float) -> str:
        """The first of the paths that was written then (seconds since 1970); empty if none was.

        By the time of its content: a new hard link to a file changes another.
        """
        for path in paths:
            with suppress(OSError):
                if start < os.lstat(self._disk.at(path)).st_mtime <= end:
                    return path
        return ""

    def grouped(self, inputs: list[Input]) -> tuple[Input, ...]:
        """Inputs as they go into a key: sorted, many files of one directory as a listing."""
        found, texts = grouped(inputs)
        self._directories.remember(texts)
        return found

    def listing(self, digest: str) -> str | None:
        """The text of a listing that was given out."""
        return self._directories.text(digest)

    def hash_files(self, patterns: tuple[str, ...]) -> str:
        """SHA-256 over the SHA-256 of each file that patterns mean, in order; '' if there is none.

        What `hashFiles()` gives on GitHub, but for the order of files, which GitHub does not say.
        """
        import hashlib  # noqa: PLC0415 - 5 ms, for a rare question

        self._digests.look()
        excludes = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
        whole, found = hashlib.sha256(), False
        wanted = [p for p in patterns if not p.startswith("!")]
        for path in sorted({path for p in wanted for path in self._all(p, "hashFiles")}):
            self._disk.refuse_outside(path, "hashFiles")
            full_path = Path(self._disk.at(path))
            if full_path.is_file() and not any(matches(e, path) for e in excludes):
                with full_path.open("rb") as file:
                    whole.update(hashlib.file_digest(file, "sha256").digest())
                found = True
        return whole.hexdigest() if found else ""

    def paths(self, pattern: str, step: str) -> Iterator[str]:
        """Files that a pattern means now, not looked into. Raises PathError."""
        self._disk.refuse_outside(literal_prefix(pattern), step)
        self._digests.look()
        pointed = self._pointed.inputs(pattern) if self._pointed else ()
        yield from (item.path for item in pointed)
        for path in self._all(pattern, step):
            if self._disk.is_link(path):
                self._disk.refuse_outside(path, step)
            yield path

    def tracked(self, path: str) -> tuple[str, ...]:
        """Files that git tracks at or inside of a path."""
        index = self._git.index() if self._git else self._digests.index
        if path.endswith("/"):
            return tuple(index.under(path))
        return (path,) if path in index else ()

    def exists(self, path: str) -> bool:
        """True if there is something at this path, be it an empty directory."""
        return self._disk.exists(path)

    def is_directory(self, path: str) -> bool:
        """True if there is a directory at this path, or a link to one."""
        return os.path.isdir(self._full_path(path))

    def kind(self, path: str) -> str:
        """What a path leads to, which may be absolute: `file`, `directory`, `other`, or nothing.

        A socket or a pipe is nothing: there is nothing in it. Raises PathError if it is not known.
        """
        full_path = self._full_path(path)
        try:
            mode = os.stat(full_path).st_mode
        except FileNotFoundError:
            return "other" if os.path.islink(full_path) else ""
        except NotADirectoryError:
            return ""
        except OSError as error:
            raise PathError(f"'{path}' cannot be read: {error.strerror}") from error
        if stat.S_ISDIR(mode):
            return "directory"
        if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
            return ""
        return "file" if stat.S_ISREG(mode) else "other"

    def names(self, folder: str) -> list[str] | None:
        """Names in a directory, which may be absolute; None if there is none. Raises PathError.

        Without sockets and pipes, in which nothing lies.
        """
        try:
            with os.scandir(self._full_path(folder)) as entries:
                return [one.name for one in entries if is_data(one)]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise PathError(f"'{folder}' cannot be read: {error.strerror}") from error

    def _full_path(self, path: str) -> str:
        return path if path.startswith("/") else self._disk.at(path).rstrip("/")

    def why_absent(self, pattern: str) -> str:
        """Why git has not put a tracked path on the disk, and what does; empty if it has."""
        self._digests.look()
        for path in self._digests.index.sparse:
            if matches(pattern, path):
                directory = path.rpartition("/")[0] or path
                return f"the sparse checkout leaves it out: git sparse-checkout add {directory}"
        for path in self._digests.index.submodules:
            if is_under(literal_prefix(pattern), path) and not self._disk.has_files(path):
                return f"the submodule {path} is not here: git submodule update --init {path}"
        return ""

    def other_spelling(self, pattern: str) -> str:
        """A file that only looks as if the pattern meant it: its name is composed otherwise."""
        if pattern.isascii():
            return ""
        self._digests.look()
        wanted = unicodedata.normalize("NFC", pattern)
        known = (*self._digests.index, *self._digests.untracked)
        return next((p for p in known if matches(wanted, unicodedata.normalize("NFC", p))), "")

    def left_out(self, pattern: str) -> tuple[str, ...]:
        """What git ignores in a directory that `inputs` was asked for, and so does not count."""
        directory = self._named.get(pattern)
        return self._directories.left_out(directory) if directory is not None else ()

    def _all(self, pattern: str, step: str) -> Iterator[str]:
        directory = self._named_directory(pattern)
        if directory is None:
            return self._expand(pattern, step)
        return self._directories.paths(directory, step)

    def _expand(self, pattern: str, step: str) -> Iterator[str]:
        """Paths that a pattern means which is not a directory as a whole."""
        if is_glob(pattern):
            walk = self._disk.walk(literal_prefix(pattern), step, follow=True)
            yield from (path for path in walk if matches(pattern, path))
        elif self._disk.exists(pattern.rstrip("/")):
            yield pattern.rstrip("/")
        # Nothing of a submodule that was not fetched is on the disk, but which commit it is counts.
        for path in self._digests.index.submodules:
            if matches(pattern, path) and not self._disk.has_files(path):
                yield path


def is_data(entry: "os.DirEntry[str]") -> bool:
    """True for a file, a directory or a link."""
    return entry.is_symlink() or entry.is_file() or entry.is_dir()
