"""Lists, moves and removes paths of the work tree."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def contents(root: Path | str, path: str) -> Iterator[str]:
    """All files and links in a path, and directories that are empty; or the path itself.

    In order, and relative to `root`, as `path` is.
    """
    full_path = f"{root}/{path}"
    if os.path.islink(full_path) or not os.path.isdir(full_path):
        yield path
        return
    with os.scandir(full_path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if not entries:
        yield path
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from contents(root, f"{path}/{entry.name}")
        else:
            yield f"{path}/{entry.name}"


def remove(path: Path) -> None:
    """Remove a file, a link, or a directory with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def plain_path(path: Path) -> Path:
    """The path without the `/` that marks a directory."""
    return Path(str(path).rstrip("/"))


def move(source: Path, destination: Path) -> None:
    """Rename, or between file systems copy to a temporary name, rename, remove."""
    source, destination = plain_path(source), plain_path(destination)
    if not os.path.lexists(source):
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = destination.with_name(destination.name + ".moving")
        remove(temporary)
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, temporary, symlinks=True)
        else:
            shutil.copy2(source, temporary, follow_symlinks=False)
        temporary.rename(destination)
        remove(source)
