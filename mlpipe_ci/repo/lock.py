"""One lock for each work tree: two runs at once would write the same outputs."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlpipe_ci.core.errors import BusyError


@contextmanager
def hold(path: Path, say: Callable[[str], None], *, wait: bool = True) -> Iterator[int | None]:
    """Hold the lock; wait for another run and say for whom. Yields the lock's file descriptor.

    Yields None, and says so, where no lock can be made (a read-only disk). The lock belongs to the
    open file: it is free again once all processes that inherited the descriptor are gone. Raises
    BusyError if another run has it and `wait` is false.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        say(f"warning: no lock can be made ({error.strerror}: {path}); start no second run here")
        yield None
        return
    try:
        _acquire(descriptor, path, say, wait=wait)
        with suppress(OSError):  # a full disk: then nobody learns who has it
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0
            )
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
        is_locked = False
    else:
        is_locked = True
    try:
        yield is_locked
    finally:
        os.close(descriptor)


def holder(path: Path) -> tuple[int, float] | None:
    """Who took the lock last: the number of its process, and when (seconds since 1970)."""
    try:
        record = json.loads(path.read_text("ascii"))
        return int(record["pid"]), float(record["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _acquire(descriptor: int, path: Path, say: Callable[[str], None], *, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise BusyError(
                f"another run has this work tree ({_in_words(path)}); without --no-wait this one "
                "would wait for it"
            ) from None
        say(f"waiting for another run in this work tree ({_in_words(path)})")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _in_words(path: Path) -> str:
    found = holder(path)
    if found is None:
        return "just started"
    form = "%H:%M:%S" if time.time() - found[1] < 12 * 3600 else "%Y-%m-%d %H:%M"
    return f"process {found[0]}, since {time.strftime(form, time.localtime(found[1]))}"
