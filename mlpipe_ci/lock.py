"""One lock for each work tree: two runs at once would write the same outputs."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold(path: Path, say: Callable[[str], None]) -> Iterator[int | None]:
    """Hold the lock; wait for another run and say for whom. Yields the lock's file descriptor.

    Yields None, and says so, where no lock can be made (a read-only disk). The lock belongs to the
    open file: it is free again once all processes that inherited the descriptor are gone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        say(f"warning: no lock can be made ({error.strerror}: {path}); start no second run here")
        yield None
        return
    try:
        _acquire(descriptor, path, say)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def hold_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock if nobody else does and it can be made; yields whether it is held."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held = False
    else:
        held = True
    try:
        yield held
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another run in this work tree ({_holder(path)})")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_text("ascii"))
        since = time.strftime("%H:%M:%S", time.localtime(float(record["since"])))
        return f"process {int(record['pid'])}, since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        return "just started"
