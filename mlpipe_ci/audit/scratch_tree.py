"""A directory that is made to hold exactly what a step is to find, again before each run."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache.objects import FICLONE
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above
from mlpipe_ci.core.result import Output

KEPT = ".git"
Signature = tuple[int, int, int, int, int]


@frozen
class Entry:
    """What is to be at a path: a copy of `source` (absolute; a link as a link, a directory as an
    empty one), a link to `source` where `is_link`, or an output that the cache has.
    """

    source: str = ""
    is_link: bool = False
    output: Output | None = None


class ScratchTree:
    """The copy of a work tree. What a run has changed in it is found by `lstat`."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root, self._store = str(root), store
        self._known: dict[str, tuple[Entry, Signature]] = {}
        os.makedirs(self._root, exist_ok=True)

    def become(self, wanted: Mapping[str, Entry]) -> None:
        """Hold exactly these paths. Raises DamagedError, OSError, PathError."""
        self._drop_others(wanted)
        for path, entry in wanted.items():
            known = self._known.get(path)
            if known and known[0] == entry and known[1] == self._signature(path):
                continue
            self._make(path, entry)
            signature = self._signature(path)
            if signature is None:
                raise PathError(f"'{path}' went away while it was copied")
            self._known[path] = entry, signature

    def _drop_others(self, wanted: Mapping[str, Entry]) -> None:
        parents = {parent for path in wanted for parent in above(path)}
        self._drop_in("", wanted, parents)
        self._known = {path: one for path, one in self._known.items() if path in wanted}

    def _drop_in(self, folder: str, wanted: Mapping[str, Entry], parents: set[str]) -> None:
        for item in list(os.scandir(f"{self._root}/{folder}")):
            path = f"{folder}/{item.name}".lstrip("/")
            if path == KEPT:
                continue
            is_directory = item.is_dir(follow_symlinks=False)
            if is_directory and path in parents:
                os.chmod(item.path, 0o700)
                self._drop_in(path, wanted, parents)
            elif path not in wanted or is_directory:
                _remove(item.path)

    def _signature(self, path: str) -> Signature | None:
        try:
            status = os.lstat(f"{self._root}/{path}")
        except OSError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return 0, 0, 0, 0, status.st_mode
        times = status.st_mtime_ns, status.st_ctime_ns
        return status.st_ino, status.st_size, *times, status.st_mode

    def _make(self, path: str, entry: Entry) -> None:
        full_path = f"{self._root}/{path}"
        if os.path.lexists(full_path):
            _remove(full_path)
        os.makedirs(os.path.dirname(full_path), exist_ok=True)
        if entry.output:
            bring(self._store, entry.output, full_path)
        elif entry.is_link:
            os.symlink(entry.source, full_path)
        else:
            copy(entry.source, full_path)


def bring(store: Store, output: Output, destination: str) -> None:
    """Make what the cache has of an output. Raises DamagedError, OSError."""
    if output.kind == "link":
        os.symlink(output.digest.removeprefix("link:"), destination)
        return
    if output.kind == "directory":
        os.makedirs(destination, exist_ok=True)
        return
    store.bring((output.pack or output.digest,))
    if output.pack:
        store.fetch_packed([(output, destination)])
    else:
        store.fetch(output.digest, destination)  # a copy, never a link to what the cache has
    os.chmod(destination, output.mode)


def copy(source: str, destination: str) -> None:
    """Copy a file with its times and bits, a link as a link, a directory as an empty one.

    Blocks are shared where the file system can. Raises OSError, PathError.
    """
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), destination)
    elif stat.S_ISDIR(status.st_mode):
        os.makedirs(destination, exist_ok=True)
    elif stat.S_ISREG(status.st_mode):
        with open(source, "rb") as file, open(destination, "xb") as new:
            try:
                fcntl.ioctl(new.fileno(), FICLONE, file.fileno())
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise
                shutil.copyfileobj(file, new, 1 << 20)
        shutil.copystat(source, destination)
        os.chmod(destination, stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
    else:
        raise PathError(f"'{source}' is neither a file, a directory nor a link")


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        if os.path.lexists(path):
            for folder, _, _ in os.walk(path):
                with suppress(OSError):
                    os.chmod(folder, 0o700)
            shutil.rmtree(path)
    else:
        os.unlink(path)
