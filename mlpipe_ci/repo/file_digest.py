"""What is in one file: its digest, or the pointer that stands for it."""

import os
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.core.errors import PathError

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_POINTER_BYTES = 1024
"""Larger files are no pointers (github.com/git-lfs/git-lfs, docs/spec.md)."""
CHUNK = 128 << 10
"""Bytes read at a time: they stay in the processor's cache until they are hashed, so that one
thread is as fast as two with larger pieces. Not mapped: a file cut short meanwhile would kill the
process.
"""
SMALL = 16 << 10


def file_digest(path: str | Path) -> str:
    """`blake3:` and 64 hexadecimal digits of a regular file's bytes. Raises PathError."""
    try:
        index = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return f"blake3:{_hash(index)}"
        finally:
            os.close(index)
    except OSError as error:
        raise PathError(f"'{path}' cannot be read: {error.strerror}") from error


def md5_digest(path: str | Path) -> str:
    """`md5:` and 32 hexadecimal digits, as DVC has them. Raises PathError."""
    import hashlib  # noqa: PLC0415 - 5 ms, for who has data in DVC

    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        raise PathError(f"'{path}' cannot be read: {error.strerror}") from error
    return f"md5:{digest.hexdigest()}"


def _hash(index: int) -> str:
    start = os.read(index, SMALL)
    hasher = blake3(start)
    if start:
        buffer = memoryview(bytearray(CHUNK if len(start) == SMALL else SMALL))
        while count := os.readv(index, [buffer]):
            hasher.update(buffer[:count])
    return str(hasher.hexdigest())
