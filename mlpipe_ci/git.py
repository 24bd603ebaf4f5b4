"""Only place that talks to git (through GitPython's command wrapper); plain values out.

GitPython's diff and index objects are not used: one file name that is not UTF-8 makes
`Commit.diff` answer "nothing changed". Here all output is read as bytes, split at NUL.
"""

import os
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from mlpipe_ci.errors import GitError

_LOUD = "GIT_PYTHON_REFRESH" not in os.environ
if _LOUD:  # a missing git is told by _execute, not by an ImportError
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
import git as gitpython  # noqa: E402

if _LOUD:  # no step shall inherit it
    del os.environ["GIT_PYTHON_REFRESH"]

HEX_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LOCAL_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_GRAFT_FILE"),
    *("GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_IMPLICIT_WORK_TREE"),
    *("GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE"),
    *("GIT_INTERNAL_SUPER_PREFIX", "GIT_EXTERNAL_DIFF", "GIT_LITERAL_PATHSPECS"),
)
"""What `git rev-parse --local-env-vars` prints, and more: a git hook sets these for its own use."""
DIFF = ("diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
BATCH = 500
"""Paths for one git command: far below the limit on a command line's length."""
CHANGES = {"A": "added", "D": "deleted"}
SYMLINK, SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class Entry:
    """One tracked path as the index has it: mode (`100644` …), object id, and if it is as usual.

    Not `plain`: in a merge conflict, or hidden from status by a flag.
    """

    mode: str
    oid: str
    plain: bool


def clear_local_environment(env: MutableMapping[str, str]) -> None:
    """Remove what a git hook or an outer git command left in the environment."""
    for name in LOCAL_VARIABLES:
        env.pop(name, None)


class Git:
    """One work tree. `root` is its top; `directory` its own git directory; `common` the shared."""

    def __init__(self, root: Path, directory: Path, common: Path) -> None:
        self.root, self.directory, self.common = root, directory, common
        self._command = gitpython.Git(str(root))

    def head(self) -> str | None:
        """Id of the commit that is checked out; None before the first commit."""
        return self.commit("HEAD")

    def branch(self) -> str | None:
        """Full name of the branch that is checked out (`refs/heads/main`); None if detached."""
        name = self._try("symbolic-ref", "--quiet", "HEAD")
        return os.fsdecode(name).strip() if name else None

    def commit(self, name: str) -> str | None:
        """Id of the commit that a name or id means, or None. The commit itself must be here."""
        if name.startswith("-"):
            return None
        found = self._try(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"
        )
        text = os.fsdecode(found or b"").strip()
        return text if HEX_ID.fullmatch(text) else None

    def parents(self, commit: str) -> tuple[str, ...]:
        """Ids of a commit's parents, also of those that a shallow clone does not have."""
        raw = self._try("cat-file", "-p", _valid(commit)) or b""
        header = raw.split(b"\n\n", 1)[0].decode("ascii", "replace")
        return tuple(re.findall(r"^parent ([0-9a-f]+)$", header, re.MULTILINE))

    def merge_base(self, one: str, other: str) -> str | None:
        """Id of the best common ancestor of two commits, or None."""
        found = self._try("merge-base", _valid(one), _valid(other))
        return os.fsdecode(found).split()[0] if found else None

    def default_branch(self) -> str | None:
        """Id of the tip of the remote's default branch, as far as this clone knows it."""
        for name in ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main"):
            if found := self.commit(name):
                return found
        return self.commit("refs/remotes/origin/master") or self.commit("refs/heads/master")

    def changed(self, base: str, head: str | None) -> tuple[tuple[str, str], ...]:
        """Paths that differ between two commits, or (head None) between base and the work tree.

        Pairs of path and `added`, `modified` or `deleted`; a rename is both of the last two.
        """
        commits = [_valid(base)] + ([_valid(head)] if head else [])
        fields = self._run(*DIFF, "--ignore-submodules=none", *commits, "--").split(b"\0")
        pairs = zip(fields[0::2], fields[1::2], strict=False)
        return tuple((os.fsdecode(p), CHANGES.get(os.fsdecode(s), "modified")) for s, p in pairs)

    def index(self) -> dict[str, Entry]:
        """All tracked paths, without reading any file."""
        entries: dict[str, Entry] = {}
        for record in self._run("ls-files", "-s", "-v", "-z").split(b"\0"):
            if record:
                meta, path = record.split(b"\t", 1)
                flag, mode, oid, stage = meta.decode("ascii").split()
                plain = flag == "H" and stage == "0" and oid.strip("0") != ""
                entries[os.fsdecode(path)] = Entry(mode, oid, plain)
        return entries

    def status(self) -> tuple[frozenset[str], frozenset[str]]:
        """Tracked paths that differ from the index or HEAD, and untracked ones not ignored."""
        raw = self._run("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames")
        modified, untracked = set(), set()
        for record in raw.split(b"\0"):
            if record.startswith(b"? "):
                untracked.add(os.fsdecode(record[2:]))
            elif record.startswith((b"1 ", b"u ")):
                fields = 8 if record.startswith(b"1 ") else 10
                modified.add(os.fsdecode(record.split(b" ", fields)[fields]))
        return frozenset(modified), frozenset(untracked)

    def ignored(self, directory: str) -> tuple[str, ...]:
        """Untracked paths in or above a directory that git ignores; whole directories as `d/`."""
        words = ("--others", "--ignored", "--exclude-standard", "--directory", "-z")
        raw = self._try("ls-files", *words, "--", f":(top,literal){directory or '.'}")
        return tuple(os.fsdecode(path) for path in (raw or b"").split(b"\0") if path)

    def hash_files(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Blob ids that files would have if they were committed now (filters applied)."""
        ids: dict[str, str] = {}
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            lines = self._run("hash-object", "--", *batch).decode("ascii").split()
            ids.update(zip(batch, lines, strict=True))
        return ids

    def remote_url(self) -> str:
        """Address of `origin` without user, password and query; empty if there is none."""
        url = os.fsdecode(self._try("config", "--get", "remote.origin.url") or b"").strip()
        return re.sub(r"^(\w+://)[^/@]*@", r"\1", url).split("?")[0]

    def _run(self, *arguments: str) -> bytes:
        return _execute(self._command, arguments)

    def _try(self, *arguments: str) -> bytes | None:
        try:
            return self._run(*arguments)
        except GitError:
            return None


def open_git(start: Path) -> Git | None:
    """The work tree that holds `start`, or None where there is none. Raises GitError."""
    question = ("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    try:
        answer = _execute(gitpython.Git(str(start)), question)
    except GitError as error:
        if "not a git repository" in str(error):
            return None
        raise
    root, directory, common = (Path(os.fsdecode(line)) for line in answer.split(b"\n")[:3])
    return Git(root, directory, (start / common).resolve())


def _execute(command: gitpython.Git, arguments: tuple[str, ...]) -> bytes:
    try:
        output = command.execute(
            ["git", *arguments],
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            env={"LC_ALL": "C", "LANGUAGE": "C"},
        )
    except gitpython.GitCommandNotFound as error:
        raise GitError("git is not installed, or not on PATH; install it") from error
    except gitpython.GitCommandError as error:
        text = str(error.stderr or "").strip().removeprefix("stderr:").strip(" '\n")
        raise GitError(f"git {arguments[0]} failed: {text or f'exit {error.status}'}") from error
    return bytes(output)


def _valid(commit: str) -> str:
    if not HEX_ID.fullmatch(commit):
        raise GitError(f"'{commit}' is not a commit id")
    return commit
