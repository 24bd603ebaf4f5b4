"""One work tree: what is checked out, tracked, changed; plain values out."""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlpipe_ci.errors import GitError, NoGitError
from mlpipe_ci.git.command import Command, valid
from mlpipe_ci.git.commits import RAW, Commits, Difference, differences
from mlpipe_ci.git.remote import NAME, without_password

BATCH = 500
"""Paths for one git command: far below the limit on a command line's length."""
SYMLINK = "120000"
NO_PROGRAMS = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative")
OWNED_BY_OTHER = re.compile(r"(?:dubious ownership in|unsafe) repository (?:at )?\(?'(.*?)'[\n )]")


@dataclass(frozen=True)
class Entry:
    """One tracked path as the index has it: mode (`100644` …), object id, and if it is as usual.

    Not `plain`: in a merge conflict, or hidden from status by a flag. `sparse`: a sparse checkout
    leaves it out.
    """

    mode: str
    oid: str
    plain: bool
    sparse: bool = False


class Git:
    """One work tree. `root` is its top; `directory` its own git directory; `common` the shared."""

    def __init__(self, root: Path, directory: Path, common: Path, command: Command) -> None:
        self.root, self.directory, self.common = root, directory, common
        self.command, self.commits = command, Commits(command)

    def head(self) -> str | None:
        """Id of the commit that is checked out; None before the first commit."""
        return self.commits.commit("HEAD")

    def is_born(self) -> bool:
        """True if HEAD names a commit, though it may not be readable."""
        return self.command.attempt("rev-parse", "--verify", "--quiet", "HEAD") is not None

    def branch(self) -> str | None:
        """Full name of the branch that is checked out (`refs/heads/main`); None if detached."""
        name = self.command.attempt("symbolic-ref", "--quiet", "HEAD")
        return os.fsdecode(name).strip() if name else None

    def changed(self, base: str) -> tuple[Difference, ...]:
        """Paths of which the work tree differs from a commit, untracked ones not counted."""
        words = ("diff", *RAW, *NO_PROGRAMS, valid(base), "--")
        return differences(self.command.run(*words))

    def index(self) -> dict[str, Entry]:
        """All tracked paths, without reading any file."""
        entries: dict[str, Entry] = {}
        for record in self.command.run("ls-files", "-s", "-v", "-z").split(b"\0"):
            if record:
                meta, path = record.split(b"\t", 1)
                flag, mode, oid, stage = meta.decode("ascii").split()
                plain = flag == "H" and stage == "0" and oid.strip("0") != ""
                entries[os.fsdecode(path)] = Entry(mode, oid, plain, flag in {"S", "s"})
        return entries

    def status(self) -> tuple[frozenset[str], frozenset[str]]:
        """Tracked paths that differ from the index or HEAD, and untracked ones not ignored."""
        words = ("--porcelain=v2", "-z", "--untracked-files=all", "--no-renames")
        try:
            raw = self.command.run("status", "--ignore-submodules=dirty", *words)
        except NoGitError:
            raise
        except GitError:  # HEAD's objects cannot be read; the index needs none
            return self._status_by_index()
        modified, untracked = set(), set()
        for record in raw.split(b"\0"):
            if record.startswith(b"? "):
                untracked.add(os.fsdecode(record[2:]))
            elif record.startswith((b"1 ", b"u ")):
                fields = 8 if record.startswith(b"1 ") else 10
                modified.add(os.fsdecode(record.split(b" ", fields)[fields]))
        return frozenset(modified), frozenset(untracked)

    def _status_by_index(self) -> tuple[frozenset[str], frozenset[str]]:
        modified = self.command.run("diff-files", "--name-only", "-z", "--ignore-submodules=dirty")
        others = self.command.run("ls-files", "--others", "--exclude-standard", "-z")
        return _paths(modified), _paths(others)

    def ignored(self, directory: str) -> tuple[str, ...]:
        """Untracked paths in or above a directory that git ignores; whole directories as `d/`."""
        words = ("--others", "--ignored", "--exclude-standard", "--directory", "-z")
        place = f":(top,literal){directory or '.'}"
        raw = self.command.attempt("ls-files", *words, "--", place)
        return tuple(os.fsdecode(path) for path in (raw or b"").split(b"\0") if path)

    def hash_files(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Blob ids that files would have if they were committed now (filters applied)."""
        ids: dict[str, str] = {}
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            lines = self.command.run("hash-object", "--", *batch).decode("ascii").split()
            ids.update(zip(batch, lines, strict=True))
        return ids

    def remote_address(self) -> str:
        """Address of `origin`, with all that is in it; empty if there is none."""
        raw = self.command.attempt("config", "--get", f"remote.{NAME}.url")
        return os.fsdecode(raw or b"").strip()

    def remote_url(self) -> str:
        """Address of `origin` without user, password and query; empty if there is none."""
        return without_password(self.remote_address())

    @cached_property
    def object_format(self) -> str:
        """`sha1` or `sha256`."""
        raw = self.command.attempt("rev-parse", "--show-object-format")
        return os.fsdecode(raw or b"sha1").strip()

    def own_path(self, name: str) -> Path:
        """Where git keeps a part of the repository, such as `objects` or `shallow`."""
        raw = self.command.run("rev-parse", "--git-path", name)
        return self.root / os.fsdecode(raw.removesuffix(b"\n"))


def open_git(start: Path, *, trusted: bool = False) -> Git | None:
    """The work tree that holds `start`, or None where there is none. Raises GitError.

    `trusted`: also if somebody else owns it, as in a container that a runner starts; git's own
    guard (safe.directory) is lifted for exactly this path, in exactly this process.
    """
    question = ("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    command = Command(start)
    try:
        answer = _asked(command, question, start, trusted=trusted)
    except NoGitError:
        raise
    except GitError as error:
        if "not a git repository" in str(error):
            return None
        if "must be run in a work tree" in str(error):
            text = f"{start} is in a bare repository, which has no files; use a clone or a worktree"
            raise GitError(text) from error
        raise
    if answer.count(b"\n") != len(question) - 1:  # a line break in the path itself
        answers = [command.run("rev-parse", word).removesuffix(b"\n") for word in question[1:]]
    else:
        answers = answer.splitlines()
    root, directory, common = (Path(os.fsdecode(text)) for text in answers)
    return Git(root, directory, (start / common).resolve(), command.at(root))


def _asked(command: Command, question: tuple[str, ...], start: Path, *, trusted: bool) -> bytes:
    try:
        return command.run(*question)
    except GitError as error:
        owned = OWNED_BY_OTHER.search(str(error) + "\n")
        if not owned:
            raise
        place = Path(owned[1])
        if not trusted:
            text = (
                f"the repository {place} belongs to another user, and git does not trust it; if "
                f"you do: git config --global --add safe.directory '{place}'"
            )
            raise GitError(text) from error
        if place != start and place not in start.resolve().parents and place != start.resolve():
            raise
    command.trust(str(place))
    return command.run(*question)


def _paths(raw: bytes) -> frozenset[str]:
    return frozenset(os.fsdecode(path) for path in raw.split(b"\0") if path)
