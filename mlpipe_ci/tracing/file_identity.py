"""What tells one content of a file from another: what `stat` says of it, and its digest."""

import os
import stat

from mlpipe_ci.tracing.access_log import Signature

CHUNK = 1 << 20
SLACK = 0.1
"""Seconds by which the clock that stamps files may be behind."""


def signature_of(status: os.stat_result | None) -> Signature | None:
    """What tells one content of a regular file from another; None for all else."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    return (
        *(status.st_size, status.st_mtime_ns, status.st_ctime_ns),
        *(status.st_ino, status.st_dev),
    )


def content_digest(path: bytes | str, size: int | None = None) -> str:
    """`blake3:` and the digest of a file's bytes, or of its first ones; empty if it cannot be read.

    `size` in bytes; None: to the end.
    """
    from blake3 import blake3  # noqa: PLC0415 - for who changes files in place

    hasher = blake3()
    try:
        with open(path, "rb", buffering=0) as file:
            left = size
            while data := file.read(CHUNK if left is None else min(CHUNK, left)):
                hasher.update(data)
                left = None if left is None else left - len(data)
    except OSError:
        return ""
    return f"blake3:{hasher.hexdigest()}"
