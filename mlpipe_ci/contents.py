"""What is in one file: its digest, or the pointer that stands for it."""

from pathlib import Path

from blake3 import blake3

from mlpipe_ci.errors import PathError

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_POINTER_BYTES = 1024
"""Larger files are no pointers (github.com/git-lfs/git-lfs, docs/spec.md)."""
CHUNK = 8 << 20
"""Bytes read at a time. Not mapped: a file cut short while it is mapped would kill the process."""


def file_digest(path: Path) -> str:
    """`blake3:` and 64 hexadecimal digits of a regular file's bytes. Raises PathError."""
    hasher = blake3(max_threads=blake3.AUTO)
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
    except OSError as error:
        raise PathError(f"'{path}' cannot be read: {error.strerror}") from error
    return f"blake3:{hasher.hexdigest()}"


def lfs_pointers(root: Path, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the paths at which a Git LFS pointer lies in the place of a file's content."""
    return tuple(path for path in paths if _is_pointer(root / path))


def _is_pointer(path: Path) -> bool:
    try:
        small = path.is_file() and path.stat().st_size < LFS_POINTER_BYTES
        return small and path.read_bytes().startswith(LFS_POINTER)
    except OSError:
        return False  # who reads it will say what is wrong with it
