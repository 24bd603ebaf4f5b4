"""One work tree: what is checked out, tracked, changed; plain values out."""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from mlpipe_ci.core.errors import GitError, NoGitError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.repo.git.command import Command, valid
from mlpipe_ci.repo.git.commits import RAW, Commits, Difference, differences
from mlpipe_ci.repo.git.index import SUBMODULE, GitIndex
from mlpipe_ci.repo.git.remote import NAME, without_password

BATCH = 500
"""Paths for one git command: far below the limit on a command line's length."""
TICK = 200_000_000
"""Nanoseconds: two writes of a file within them may leave the same times."""
NOTHING = b"000000"
"""Mode of a path that is not there."""
NO_PROGRAMS = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative")
SHARP = ("-c", "core.trustctime=true", "-c", "core.checkStat=default")
"""Settings with which no edit hides: a user may have told git to look at less."""
CLOSED = regex(r"^warning: could not open directory '(.*)': .*$", re.MULTILINE)
OWNED_BY_OTHER = regex(r"(?:dubious ownership in|unsafe) repository (?:at )?\(?'(.*?)'[\n )]")


@frozen
class Snapshot:
    """The work tree at one moment. `branch`: full name, empty if detached.

    `changes`: in which tracked paths it differs from HEAD, None if HEAD cannot be read; `modified`:
    paths of `changes`, and those in conflict; `unstaged`: those of them that differ from the index;
    `untracked`: what git neither tracks nor ignores; `ignored`: what it does, whole directories
    with `/`; `unreadable`: directories that cannot be listed. `taken`: nanoseconds since 1970.
    """

    head: str | None
    branch: str
    changes: tuple[Difference, ...] | None
    modified: frozenset[str]
    unstaged: frozenset[str]
    untracked: frozenset[str]
    ignored: tuple[str, ...]
    taken: int
    unreadable: tuple[str, ...] = ()


class Git:
    """One work tree. `root` is its top; `directory` its own git directory; `common` the shared."""

    def __init__(self, root: Path, directory: Path, common: Path, command: Command) -> None:
        self.root, self.directory, self.common = root, directory, common
        self.command, self.commits = command, Commits(command)
        self._snapshot: Snapshot | None = None
        self._index: tuple[object, GitIndex] | None = None
        self._index_holds = False

    def snapshot(self) -> Snapshot:
        """What is checked out and changed now; remembered until `forget`."""
        if self._snapshot is None:
            self._snapshot = self._looked()
        return self._snapshot

    def forget(self) -> None:
        """Something may have changed: look anew when asked next."""
        self._snapshot, self._index_holds = None, False

    def head(self) -> str | None:
        """Id of the commit that is checked out; None before the first, or if it is damaged.

        The files are not looked at, which takes a while if there are many.
        """
        return self.commits.commit("HEAD")

    def branch(self) -> str | None:
        """Full name of the branch that is checked out (`refs/heads/main`); None if detached."""
        return self.snapshot().branch or None

    def is_born(self) -> bool:
        """True if HEAD names a commit, though it may not be readable."""
        return self.command.attempt("rev-parse", "--verify", "--quiet", "HEAD") is not None

    def changed(self, base: str, env: Mapping[str, str] | None = None) -> tuple[Difference, ...]:
        """Paths of which the work tree differs from a commit, untracked ones not counted.

        `env` says where else git may find the commit.
        """
        words = ("diff", *RAW, *NO_PROGRAMS, valid(base), "--")
        command = Command(self.root, self.command.env | dict(env or {}))
        return differences(command.run(*words))

    def index(self) -> GitIndex:
        """All tracked paths, without reading any file.

        Remembered until `forget`, and then as long as git has not written them anew.
        """
        if self._index is None or not self._index_holds:
            now = _written(self.directory / "index")
            if self._index is None or now is None or self._index[0] != now:
                self._index = now, GitIndex(self.command.run("ls-files", "-s", "-v", "-z"))
            self._index_holds = True
        return self._index[1]

    def _looked(self) -> Snapshot:
        words = ["--porcelain=v2", "-z", "--branch", "--no-ahead-behind", "--no-renames"]
        words += ["--untracked-files=all", "--ignored=matching", "--ignore-submodules=dirty"]
        taken = time.time_ns()
        try:
            raw, complaints = self.command.both(*SHARP, "status", *words)
            closed = tuple(CLOSED.findall(complaints))
            return replace(_snapshot(raw, taken), unreadable=closed)
        except NoGitError:
            raise
        except GitError:  # HEAD's objects cannot be read; the index needs none
            return self._looked_by_index(taken)

    def _looked_by_index(self, taken: int) -> Snapshot:
        modified = self.command.run("diff-files", "--name-only", "-z", "--ignore-submodules=dirty")
        words = ("ls-files", "--others", "--exclude-standard", "-z")
        others = self.command.run(*words)
        ignored = self.command.run(*words, "--ignored", "--directory")
        name = self.command.attempt("symbolic-ref", "--quiet", "HEAD")
        branch = os.fsdecode(name or b"").strip()
        head = self.commits.commit("HEAD")
        return Snapshot(
            head=head,
            branch=branch,
            changes=None,
            modified=_paths(modified),
            unstaged=_paths(modified),
            untracked=_paths(others),
            ignored=tuple(sorted(_paths(ignored))),
            taken=taken,
        )

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
        path = Path(owned[1])
        if not trusted:
            text = (
                f"the repository {path} belongs to another user, and git does not trust it; if "
                f"you do: git config --global --add safe.directory '{path}'"
            )
            raise GitError(text) from error
        if path != start and path not in start.resolve().parents and path != start.resolve():
            raise
    command.trust(str(path))
    return command.run(*question)


def _paths(raw: bytes) -> frozenset[str]:
    return frozenset(os.fsdecode(path) for path in raw.split(b"\0") if path)


def _written(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file is written; None if it was just written, or is not there."""
    try:
        now = path.stat()
    except OSError:
        return None
    if time.time_ns() - now.st_mtime_ns < TICK:
        return None
    return now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _snapshot(raw: bytes, taken: int) -> Snapshot:
    """Read `git status --porcelain=v2 --branch -z` (git-status, Porcelain Format Version 2)."""
    head, branch = None, ""
    changes: list[Difference] = []
    modified, unstaged, untracked, ignored = set(), set(), set(), []
    for record in raw.split(b"\0"):
        if record.startswith(b"? "):
            untracked.add(os.fsdecode(record[2:]))
        elif record.startswith(b"! "):
            ignored.append(os.fsdecode(record[2:]))
        elif record.startswith(b"1 "):
            _, state, _, before, _, now, _, _, name = record.split(b" ", 8)
            path = os.fsdecode(name)
            modified.add(path)
            if not state.endswith(b"."):
                unstaged.add(path)
            gone, new = now == NOTHING, before == NOTHING
            if not (gone and new):
                change = "deleted" if gone else "added" if new else "modified"
                submodule = SUBMODULE.encode() in {before, now}
                changes.append(Difference(path, change, submodule))
        elif record.startswith(b"u "):
            path = os.fsdecode(record.split(b" ", 10)[10])
            modified.add(path)
            unstaged.add(path)
            changes.append(Difference(path, "modified"))
        elif record.startswith(b"# branch.oid ") and b"(" not in record:
            head = record.split(b" ")[2].decode("ascii")
        elif record.startswith(b"# branch.head ") and record != b"# branch.head (detached)":
            branch = "refs/heads/" + os.fsdecode(record[14:])
    return Snapshot(
        head=head,
        branch=branch,
        changes=tuple(sorted(changes)),
        modified=frozenset(modified),
        unstaged=frozenset(unstaged),
        untracked=frozenset(untracked),
        ignored=tuple(ignored),
        taken=taken,
    )
