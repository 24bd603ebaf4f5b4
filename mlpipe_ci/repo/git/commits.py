"""Questions about commits, asked of the objects that one repository has; nothing is fetched."""

import os
import re
from collections.abc import Iterator

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.repo.git.command import HEX_ID, Command, valid
from mlpipe_ci.repo.git.index import SUBMODULE, GitIndex

TREE_ENTRY = regex(rb"(?:(?<=\0)|\A)([0-9]{6}) [a-z]+ ([0-9a-f]+)\t")
"""What `git ls-tree -r -z` writes before each path."""
CHANGES = {"A": "added", "D": "deleted"}
RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=none")
"""A rename is a deletion and an addition, as it is for whoever reads one of the two paths."""


@frozen(kw_only=False, order=True)
class Difference:
    """One path that differs: `change` is `added`, `modified` or `deleted`."""

    path: str
    change: str
    submodule: bool = False


@frozen(kw_only=False)
class CommitPaths:
    """One commit: id, subject, and the paths that it changed."""

    commit: str
    subject: str
    paths: frozenset[str]


class Commits:
    """The commits of one repository. Ids are 40 or 64 hexadecimal digits."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._found: set[str] = set()

    def commit(self, name: str) -> str | None:
        """Id of the commit that a name or id means, or None. The commit itself must be here."""
        if name.startswith("-") or "\0" in name:
            return None
        if name in self._found:
            return name
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}")
        text = os.fsdecode(self._command.attempt(*words) or b"").strip()
        if not HEX_ID.fullmatch(text):
            return None
        self._found.add(text)
        return text

    def parents(self, commit: str) -> tuple[str, ...]:
        """Ids of a commit's parents, also of those that a shallow clone does not have."""
        raw = self._command.attempt("cat-file", "-p", valid(commit)) or b""
        header = raw.split(b"\n\n", 1)[0].decode("ascii", "replace")
        return tuple(re.findall(r"^parent ([0-9a-f]+)$", header, re.MULTILINE))

    def tree(self, commit: str) -> str:
        """Id of a commit's tree, which need not be here. Raises GitError."""
        raw = self._command.run("cat-file", "-p", valid(commit))
        return valid(raw.split(b"\n", 1)[0].decode("ascii", "replace").removeprefix("tree "))

    def empty_tree(self) -> str:
        """Id of the tree without files, in the repository's own object format."""
        return self._command.run("hash-object", "-t", "tree", os.devnull).decode("ascii").strip()

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """All best common ancestors of two commits, in the order of their ids."""
        found = self._command.attempt("merge-base", "--all", valid(one), valid(other))
        return tuple(sorted((found or b"").decode("ascii").split()))

    def is_ancestor(self, one: str, other: str) -> bool:
        """True if the second commit has the first in its history, as far as that is here."""
        words = ("merge-base", "--is-ancestor", valid(one), valid(other))
        return self._command.attempt(*words) is not None

    def is_shallow(self) -> bool:
        """True if history was cut off when the repository was cloned."""
        return self._command.attempt("rev-parse", "--is-shallow-repository") == b"true\n"

    def count(self, commit: str) -> int:
        """How many commits are here in the history of one."""
        return int(self._command.attempt("rev-list", "--count", valid(commit)) or 0)

    def tag_before(self, commit: str) -> str | None:
        """Full name of the nearest tag in the history of a commit, itself not counted."""
        words = ("describe", "--tags", "--abbrev=0", f"{valid(commit)}^")
        name = os.fsdecode(self._command.attempt(*words) or b"").strip()
        return f"refs/tags/{name}" if name else None

    def changed(self, base: str, head: str) -> tuple[Difference, ...]:
        """Paths that differ between two commits or trees. Raises GitError."""
        words = ("diff-tree", "-r", *RAW, valid(base), valid(head), "--")
        return differences(self._command.by_library(*words))

    def entries(self, commit: str) -> GitIndex:
        """All files of a commit or tree, whose contents need not be here. Raises GitError."""
        raw = self._command.run("ls-tree", "-r", "-z", "--full-tree", valid(commit))
        return GitIndex(TREE_ENTRY.sub(rb"H \1 \2 0\t", raw))

    def outside(self, ends: tuple[str, ...], bases: tuple[str, ...]) -> set[str]:
        """Commits in the history of some that are not in that of others."""
        words = [valid(end) for end in ends] + [f"^{valid(base)}" for base in bases]
        return set((self._command.attempt("rev-list", *words) or b"").decode("ascii").split())

    def blob(self, commit: str, path: str) -> str | None:
        """Id of a file in a commit, though its content may not be here; None if there is none."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{valid(commit)}:{path}")
        text = (self._command.attempt(*words) or b"").decode("ascii", "replace").strip()
        return text if HEX_ID.fullmatch(text) else None

    def text(self, blob: str) -> str | None:
        """A file's content by its id, or None if it is not here."""
        raw = self._command.attempt("cat-file", "blob", valid(blob))
        return None if raw is None else raw.decode("utf-8", "replace")

    def subject(self, commit: str) -> str | None:
        """First line of a commit's message; None if the commit is not here."""
        words = ("log", "--max-count=1", "--encoding=UTF-8", "--no-show-signature", "--format=%s")
        raw = self._command.attempt(*words, valid(commit), "--")
        return None if raw is None else raw.decode("utf-8", "replace").strip()

    def touched(self, base: str | None, head: str, most: int) -> Iterator[CommitPaths]:
        """The latest commits of head's history that base's lacks, newest first.

        A commit at which a shallow clone was cut looks as if it had added everything; it is told
        with no paths, as is a merge.
        """
        words = ["log", "--name-only", "-z", "--no-renames", "--no-show-signature"]
        words += ["--encoding=UTF-8", "--format=%x00%x00%x01%H %s%x00", f"--max-count={most}"]
        options = ("-c", "log.showRoot=false", "-c", "log.follow=false", "-c", "log.mailmap=false")
        ends = [valid(head)] + ([f"^{valid(base)}"] if base else [])
        raw = self._command.attempt(*options, *words, *ends, "--") or b""
        for record in raw.split(b"\0\0\1")[1:]:
            head_line, *paths = record.split(b"\0")
            commit, _, subject = head_line.decode("utf-8", "replace").partition(" ")
            names = frozenset(os.fsdecode(path.lstrip(b"\n")) for path in paths if path.strip())
            yield CommitPaths(commit, subject, names)


def differences(raw: bytes) -> tuple[Difference, ...]:
    """Read what `git diff --raw -z` prints: records of two fields, in the order of the paths."""
    fields = raw.split(b"\0")
    found = []
    for meta, path in zip(fields[0::2], fields[1::2], strict=False):
        old, new, _, _, status = meta.decode("ascii").lstrip(":").split(" ")
        change = CHANGES.get(status[0], "modified")
        found.append(Difference(os.fsdecode(path), change, SUBMODULE in {old, new}))
    return tuple(sorted(set(found)))
