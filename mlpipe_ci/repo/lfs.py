"""Git LFS: which files are only pointers."""

import os
from collections.abc import Iterable
from pathlib import Path

from mlpipe_ci.repo.file_digest import LFS_POINTER, LFS_POINTER_BYTES


def lfs_pointers(root: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths at which a Git LFS pointer lies in the place of a file's content."""
    return tuple(path for path in paths if _is_pointer(f"{root}/{path}"))


def uses_lfs(root: Path) -> bool:
    """True if the repository says at its top that Git LFS keeps some of its files."""
    try:
        return b"filter=lfs" in (root / ".gitattributes").read_bytes()
    except OSError:
        return False


def _is_pointer(path: str) -> bool:
    try:
        if not 0 < os.stat(path).st_size < LFS_POINTER_BYTES:
            return False
        index = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(index, len(LFS_POINTER)) == LFS_POINTER
        finally:
            os.close(index)
    except OSError:
        return False  # who reads it will say what is wrong with it
