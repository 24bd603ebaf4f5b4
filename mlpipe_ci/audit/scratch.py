"""The directory in which an audit works. It goes with the audit, even if mlpipe is killed.

`work` is the copy of the work tree, `cache` a cache of its own, `lock` is held while it is needed.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen

LOCK = "lock"
PREFIX = "audit-"
KEEPER = """trap '' HUP INT TERM
read -r _
tries=0
while [ -e "$1" ] && [ $tries -lt 100 ]; do
    chmod -R u+rwX "$1" 2>/dev/null
    rm -rf -- "$1" 2>/dev/null
    tries=$((tries + 1))
    [ -e "$1" ] && sleep 0.1
done"""
"""Waits for the end of a pipe, which is the end of mlpipe, and removes the directory then. Steps of
a killed mlpipe are ended by their own watchman, so it may have to be tried again.
"""


@frozen
class Scratch:
    """`lock`: the file descriptor of its lock."""

    top: Path
    lock: int

    @property
    def work(self) -> Path:
        """The copy of the work tree."""
        return self.top / "work"

    @property
    def cache(self) -> Path:
        """A cache that nobody else knows."""
        return self.top / "cache"

    def directory(self, name: str) -> Path:
        """A directory for something else, empty."""
        path = self.top / name
        _remove(path)
        path.mkdir()
        return path


@contextmanager
def open_scratch(wanted: Path) -> Iterator[Scratch]:
    """Make one, in `wanted` or, where that cannot be written, in the directory for temporary files.

    What earlier audits left that were killed together with their keeper is removed. Raises
    PathError if there is no place for it.
    """
    top = _made(wanted)
    lock = os.open(top / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    keeper = subprocess.Popen(  # noqa: S603
        ["sh", "-c", KEEPER, "sh", str(top)],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    try:
        _sweep(top.parent, top)
        yield Scratch(top=top, lock=lock)
    finally:
        _remove(top)
        os.close(lock)
        with suppress(OSError):
            keeper.communicate()


def _made(wanted: Path) -> Path:
    problems = []
    for place in (wanted, Path(tempfile.gettempdir())):
        try:
            place.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)).resolve()
        except OSError as error:
            problems.append(f"{place}: {error.strerror}")
    raise PathError(
        f"there is no place for a copy of the work tree ({'; '.join(problems)}); set TMPDIR to a "
        "directory with room"
    )


def _sweep(place: Path, own: Path) -> None:
    """Remove what nobody holds any more."""
    for path in place.glob(f"{PREFIX}*"):
        if path == own or path.is_symlink():
            continue
        with suppress(OSError):
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(lock)


def _remove(path: Path) -> None:
    """Also what steps have made unwritable."""
    if not os.path.lexists(path):
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, _, _ in os.walk(path):
            with suppress(OSError):
                Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
