"""A git directory of its own for a copy of a work tree: the same commit, index and branches.

Contents are not copied: they are read from the first one (git's alternates). Nothing of the first
one is written, and nothing in the second one leads back to its work tree.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.repo.git.repository import Git

OWN = ("HEAD", "index")
SHARED = ("packed-refs", "shallow", "refs", "reftable", "info/exclude", "info/attributes")
SETTINGS = (
    *("core.autocrlf", "core.eol", "core.safecrlf", "core.filemode", "core.symlinks"),
    *("core.ignorecase", "core.precomposeunicode", "core.excludesfile", "core.attributesfile"),
    *("core.repositoryformatversion", "extensions.objectformat", "extensions.refstorage"),
    *("user.name", "user.email"),
)
"""Settings that bear on what a file is, or that a step may ask for; and all of filters."""


def second_directory(git: Git, root: Path) -> None:
    """Make `.git` in another directory. Raises OSError."""
    directory = root / ".git"
    for name in ("objects/info", "info", "refs/heads", "refs/tags"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for first, names in ((git.directory, OWN), (git.common, SHARED)):
        for name in names:
            _copy(first / name, directory / name)
    alternates = f"{git.own_path('objects').resolve()}\n"
    (directory / "objects/info/alternates").write_bytes(os.fsencode(alternates))
    (directory / "config").write_bytes(_settings(git))


def _copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, dirs_exist_ok=True)
        return
    with suppress(FileNotFoundError):
        shutil.copyfile(source, destination)


def _settings(git: Git) -> bytes:
    """A configuration file with the settings that count."""
    raw = git.command.attempt("config", "--local", "--null", "--list") or b""
    lines = [b"[core]\n\tbare = false"]
    for record in raw.split(b"\0"):
        name, _, value = record.partition(b"\n")
        section, _, rest = name.partition(b".")
        subsection, _, key = rest.rpartition(b".")
        if name.decode("utf-8", "replace") not in SETTINGS and section != b"filter":
            continue
        title = section + (b' "' + _escaped(subsection) + b'"' if subsection else b"")
        lines.append(b"[" + title + b"]\n\t" + key + b' = "' + _escaped(value) + b'"')
    return b"\n".join(lines) + b"\n"


def _escaped(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
