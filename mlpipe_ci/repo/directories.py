"""A directory as an input: all files in it that git does not ignore; all if git ignores it whole.

Where git tracks something in it, git has said already what is there, and nothing is walked.
"""

import os
import stat
from collections.abc import Iterator

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.directory_listing import MOST, files, listing, text_digest
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.repo.digest_cache import SKIPPED, DigestCache
from mlpipe_ci.repo.digests import Digests
from mlpipe_ci.repo.disk import Disk, unreadable

MARK = {"6": "", "4": "", "7": "x"}
"""What a listing says of an executable file, by the fourth digit of git's mode (`100755`)."""


class Directories:
    """Answers for whole directories. `with_git`: there is a repository."""

    def __init__(
        self, disk: Disk, digests: Digests, digest_cache: DigestCache, *, with_git: bool
    ) -> None:
        self._disk, self._digests, self._digest_cache = disk, digests, digest_cache
        self._with_git = with_git
        self._texts: dict[str, str | tuple[str, tuple[str, ...]]] = {}

    def remember(self, texts: dict[str, str]) -> None:
        """Listings that were made elsewhere."""
        self._texts |= texts

    def text(self, digest: str) -> str | None:
        """The text of a listing that was given out."""
        found = self._texts.get(digest)
        if not isinstance(found, tuple):
            return found
        text = self._digest_cache.text(*found)
        return text if text_digest(len(found[1]), text) == digest else None  # it has changed since

    def inputs(self, top: str, step: str) -> list[Input]:
        """The files of a directory with their digests; many in one place as a listing."""
        if not self._is_gits(top):
            return [*self._walked(top, step), *self._digests.of(self._not_fetched(top), step)]
        self._refuse_unreadable(top)
        found: list[Input] = []
        odd: list[str] = []
        for directory, (lines, exceptions) in self._listed(top).items():
            text = "".join(lines)
            if len(lines) > MOST and not exceptions:
                found.append(listing(directory, len(lines), text))
                self._texts[found[-1].digest] = text
            else:
                found += files(Input(path=f"{directory or '.'}/", digest=""), text)
                odd += exceptions
        there = [path for path in odd if self._is_there(path)]
        return found + self._digests.of(there, step) + self._inside(top, step)

    def paths(self, top: str, step: str) -> Iterator[str]:
        """The same, not looked into."""
        if not self._is_gits(top):
            yield from self._disk.walk(top, step, follow=False)
            return
        prefix = f"{top}/" if top not in {"", "."} else ""
        known = (*self._digests.index.under(prefix), *self._digests.untracked)
        for path in known:
            if path.startswith(prefix) and self._is_there(path) and not _is_skipped(path, prefix):
                yield path
        for folder in self._folders(prefix):
            yield from self._disk.walk(folder, step, follow=False)
            if self._digests.is_output(folder) and self._is_there(folder):
                yield folder

    def left_out(self, top: str) -> tuple[str, ...]:
        """What lies in a directory and does not count, because git ignores it."""
        if not self._is_gits(top):
            return ()
        prefix = f"{top}/" if top not in {"", "."} else ""
        return tuple(
            path
            for path in self._digests.ignored
            if path.startswith(prefix)
            and not _is_skipped(path, prefix)
            and not self._digests.is_output(path.rstrip("/"))
            and not any(o.startswith(path) for o in self._digests.outputs)
        )

    def _is_gits(self, top: str) -> bool:
        """True if git tracks something in the directory, or would, and no link leads there."""
        if not self._with_git or not self._disk.is_plain_directory(top):
            return False
        if top in {"", "."}:
            return True
        if self._digests.is_output(top):
            return False
        prefix = f"{top}/"
        untracked = self._digests.untracked
        return bool(self._digests.index.under(prefix)) or any(
            path.startswith(prefix) for path in untracked
        )

    def _refuse_unreadable(self, top: str) -> None:
        """What git could not list must not count as empty."""
        for path in self._digests.unreadable:
            if top in {"", "."} or is_under(path, top):
                raise PathError(f"'{path}' cannot be read; make it readable, or let git ignore it")

    def _not_fetched(self, top: str) -> list[str]:
        return [top] if top in self._digests.index.submodules and self._is_there(top) else []

    def _listed(self, top: str) -> dict[str, tuple[list[str], list[str]]]:
        """For each directory the listing's lines of ordinary files, and the paths of all others.

        Outputs are not among them. The hot place of a large repository: 100,000 files come by here.
        """
        prefix = f"{top}/" if top not in {"", "."} else ""
        digests, paths = self._digests, dict[str, tuple[list[str], list[str]]]()
        unstaged = digests.unstaged
        outputs = any(output.startswith(prefix) for output in digests.outputs)
        for path, about in digests.index.plain_files(prefix):
            if outputs and digests.is_output(path):
                continue
            directory, _, name = path.rpartition("/")
            known = paths.get(directory)
            if known is None:
                known = paths[directory] = [], []
            if about and path not in unstaged:
                known[0].append(f"{name}\0git:{about[9:-2]}\0{MARK[about[5]]}\0")
            else:
                known[1].append(path)
        for path in digests.untracked:
            if path.startswith(prefix) and not path.endswith("/") and not digests.is_output(path):
                paths.setdefault(path.rpartition("/")[0], ([], []))[1].append(path)
        return {p: found for p, found in paths.items() if not _is_skipped(f"{p}/", prefix)}

    def _folders(self, prefix: str) -> Iterator[str]:
        """Directories below, of which git does not list the files: other repositories, outputs."""
        index = self._digests.index
        for path in (*self._digests.untracked, *index.submodules):
            if path.startswith(prefix) and (path.endswith("/") or path in index):
                yield path.rstrip("/")
        for output in self._digests.outputs:
            if output.startswith(prefix):
                yield output

    def _inside(self, top: str, step: str) -> list[Input]:
        """Files of those directories, and outputs that git ignores."""
        prefix = f"{top}/" if top not in {"", "."} else ""
        found: list[Input] = []
        for folder in self._folders(prefix):
            if os.path.isdir(self._disk.at(folder)) and not self._disk.is_link(folder):
                found += self._walked(folder, step)
            elif self._digests.is_output(folder) and self._disk.exists(folder):
                found += self._digests.of([folder], step)
        return found

    def _is_there(self, path: str) -> bool:
        """True for a file or a link, or a submodule of which nothing is here."""
        if path in self._digests.index.submodules:
            return not self._disk.has_files(path)
        try:
            return not stat.S_ISDIR(os.lstat(self._disk.at(path)).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise PathError(f"'{path}' cannot be read: {error.strerror}") from error

    def _walked(self, top: str, step: str) -> Iterator[Input]:
        """All files below a directory that git has no word about."""
        path = self._disk.at(top)
        try:
            here = self._digest_cache.look(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unreadable(path, error) from error
        prefix = f"{top}/" if top not in {"", "."} else ""
        plain = prefix.rstrip("/")
        if len(here.names) > MOST and not here.others and plain not in self._digests.paths:
            self._texts[here.listing] = path, here.names
            yield Input(path=f"{plain or '.'}/", digest=here.listing)
        else:
            yield from self._digests.of([prefix + n for n in (*here.names, *here.others)], step)
        for folder in here.folders:
            yield from self._walked(prefix + folder, step)


def _is_skipped(path: str, prefix: str) -> bool:
    return not SKIPPED.isdisjoint(path[len(prefix) :].split("/"))
