"""Contents named by their digest: `objects/ab/cdef…`, raw bytes, for their owner to read.

A small file is kept as it is, or with others in a pack: their bytes one after the other, named by
the digest of all. Each is a temporary file first, then renamed: a process that is killed leaves
nothing half-written in its place. What is read is verified while it is copied.
"""

import errno
import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.cache import layout
from mlpipe_ci.core.result import Output
from mlpipe_ci.repo.file_digest import CHUNK

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of mlpipe; it may be deleted.\n"
"""Contents of `layout.TAG` (bford.info/cachedir): backup programs leave such directories out."""
FICLONE = 0x40049409
"""ioctl that makes a file share the blocks of another until one is written (linux/fs.h)."""
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
PRIVATE = 0o400
"""Permission bits of an object: what it holds may be for its owner alone."""
ALL_BITS, WRITE_BITS = 0o777, 0o222
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class DamagedError(Exception):
    """An object is missing or is not what its name says. Its step has to run again."""


class Objects:
    """The contents in a directory, shared by all clones. Safe beside other processes.

    `links`: a file that comes back may be a hard link to the object itself, which then has the
    permission bits of that file but for those to write.
    """

    def __init__(self, directory: Path, *, links: bool = False) -> None:
        self.directory = directory
        self._top, self._links = str(layout.top_of(directory)), links
        self._unfinished = str(layout.unfinished(directory))
        self._clones = True

    def save(self, source: str | Path) -> tuple[str, int]:
        """Keep a copy of a regular file. Returns digest and size in bytes. Raises OSError."""
        with _Opened(os.open(source, READ)) as file:
            temporary, index = self._temporary()
            try:
                with _Opened(index):
                    digest, size = self._copy(file, index)
                    os.fchmod(index, PRIVATE)
                self._place(temporary, digest, size)
            finally:
                _remove(temporary)
        return digest, size

    def adopt(self, file: str) -> tuple[str, int]:
        """Take an unfinished file as a content. Digest, size in bytes. Raises OSError."""
        with _Opened(os.open(file, READ)) as opened:
            digest, size = _hashed(opened)
            os.fchmod(opened, PRIVATE)
        self._place(file, digest, size)
        _remove(file)  # where it was there already
        return digest, size

    def save_pack(self, sources: Iterable[str]) -> tuple[str, list[tuple[str, int]]]:
        """Keep files as one object: its digest, and digest and size of each. Raises OSError."""
        found: list[tuple[str, int]] = []
        whole, total = blake3(), 0
        temporary, index = self._temporary()
        try:
            with _Opened(index):
                for source in sources:
                    data = _content(source)
                    whole.update(data)
                    _write(index, data)
                    found.append((f"blake3:{blake3(data).hexdigest()}", len(data)))
                    total += len(data)
                os.fchmod(index, PRIVATE)
            digest = f"blake3:{whole.hexdigest()}"
            self._place(temporary, digest, total)
        finally:
            _remove(temporary)
        return digest, found

    def receive(self, digest: str, chunks: Iterable[bytes]) -> None:
        """Keep a content that comes from elsewhere. Raises DamagedError if it is another one.

        OSError, and what `chunks` raises, pass through; then nothing is kept.
        """
        hasher, size = blake3(), 0
        temporary, index = self._temporary()
        try:
            with _Opened(index):
                for chunk in chunks:
                    hasher.update(chunk)
                    _write(index, chunk)
                    size += len(chunk)
                os.fchmod(index, PRIVATE)
            if f"blake3:{hasher.hexdigest()}" != digest:
                raise DamagedError(f"{digest[:15]}… is not what was stored")
            self._place(temporary, digest, size)
        finally:
            _remove(temporary)

    def bring(self, digests: Iterable[str]) -> None:
        """Contents that are about to be read: a store with another one behind it gets them now.

        Raises DamagedError if one of them cannot be had.
        """

    def has(self, digest: str, size: int) -> bool:
        """True if the object is there with the right size. Its bytes are verified by a read."""
        try:
            return os.stat(self._object(digest)).st_size == size
        except OSError:
            return False

    def holds(self, output: Output) -> bool:
        """True if the content of an output is there; of a link or a directory there is none."""
        if output.kind != "file":
            return True
        if not output.pack:
            return self.has(output.digest, output.size)
        try:
            return os.stat(self._object(output.pack)).st_size >= output.offset + output.size
        except OSError:
            return False

    def restore(self, digest: str, destination: Path, mode: int | None = None) -> None:
        """Write an object to a path, whole or not at all. Raises DamagedError, or OSError."""
        temporary = destination.with_name(f".{destination.name[:100]}.{os.urandom(4).hex()}.tmp")
        self.fetch(digest, str(temporary), mode)
        temporary.replace(destination)

    def fetch(self, digest: str, destination: str, mode: int | None = None) -> None:
        """Make a new file with the bytes of an object. Raises DamagedError, OSError.

        `mode`: its permission bits; None: as any new file.
        """
        file = self._open(digest)
        with _Opened(file):
            if self._links and mode is not None and self._link(digest, file, destination, mode):
                return
            index = os.open(destination, NEW, 0o666 if mode is None else 0o600)
            try:
                with _Opened(index):
                    found = self._copy(file, index)[0]
                    self._refuse(found, digest, digest)
                    if mode is not None:
                        os.fchmod(index, mode)
            except BaseException:
                _remove(destination)
                raise

    def fetch_packed(self, wanted: list[tuple[Output, str]]) -> None:
        """Make new files of outputs that lie in packs. Raises DamagedError, OSError."""
        by_pack: dict[str, list[tuple[Output, str]]] = {}
        for output, destination in wanted:
            by_pack.setdefault(output.pack, []).append((output, destination))
        for pack, members in by_pack.items():
            with _Opened(self._open(pack)) as file:
                for output, destination in members:
                    data = os.pread(file, output.size, output.offset)
                    self._refuse(f"blake3:{blake3(data).hexdigest()}", output.digest, pack)
                    with _Opened(os.open(destination, NEW, 0o600)) as index:
                        _write(index, data)
                        os.fchmod(index, output.mode)

    def read(self, digest: str) -> bytes:
        """The bytes of a small object, such as a log. Raises DamagedError."""
        self._bring_missing(digest)
        try:
            data = _content(self._object(digest))
        except OSError as error:
            raise DamagedError(f"{digest[:15]}… is not in the cache") from error
        self._refuse(f"blake3:{blake3(data).hexdigest()}", digest, digest)
        return data

    def _open(self, digest: str) -> int:
        self._bring_missing(digest)
        try:
            return os.open(self._object(digest), READ)
        except FileNotFoundError as error:
            raise DamagedError(f"{digest[:15]}… is not in the cache") from error

    def _bring_missing(self, digest: str) -> None:
        if not os.path.exists(self._object(digest)):
            self.bring((digest,))

    def _refuse(self, found: str, wanted: str, name: str) -> None:
        """Damage is found once: the object goes."""
        if found != wanted:
            _remove(self._object(name))
            raise DamagedError(f"{name[:15]}… is not what was stored")

    def _link(self, digest: str, file: int, destination: str, mode: int) -> bool:
        """Make the file a link to the object; not where another file has it by other bits."""
        self._refuse(_hashed(file)[0], digest, digest)
        status, wanted = os.fstat(file), mode & ~WRITE_BITS
        with suppress(OSError):  # another file system, or too many links
            if status.st_nlink == 1:
                os.fchmod(file, wanted)
            elif status.st_mode & ALL_BITS != wanted:
                return False
            os.link(self._object(digest), destination)
            return True
        os.lseek(file, 0, os.SEEK_SET)
        return False

    def _copy(self, file: int, index: int) -> tuple[str, int]:
        """Copy all bytes, where the file system can by sharing them. Returns digest and size."""
        if self._clones:
            try:
                fcntl.ioctl(index, FICLONE, file)
            except OSError:
                self._clones = False
            else:
                return _hashed(index)  # what was copied, not what the source is by now
        return _hashed(file, index)

    def _place(self, temporary: str, digest: str, size: int) -> None:
        path = self._object(digest)
        if self.has(digest, size):
            os.utime(path)  # it is needed again: not to be collected now
            return
        try:
            os.rename(temporary, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(temporary, path)

    def _temporary(self) -> tuple[str, int]:
        """A new file: its path and descriptor."""
        path = f"{self._unfinished}/{os.urandom(8).hex()}"
        try:
            return path, os.open(path, NEW, 0o600)
        except FileNotFoundError:
            os.makedirs(self._unfinished, exist_ok=True)
            (self.directory / layout.TAG).write_text(TAG, "utf-8")
            return path, os.open(path, NEW, 0o600)

    def _object(self, digest: str) -> str:
        return layout.object_path(self._top, digest)


class _Opened:
    """Closes a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _hashed(file: int, index: int | None = None) -> tuple[str, int]:
    """Digest and size of an open file, from its position on; its bytes are written to `index`."""
    os.lseek(file, 0, os.SEEK_SET)
    hasher, size = blake3(), 0
    buffer = memoryview(bytearray(CHUNK))
    while count := os.readv(file, [buffer]):
        hasher.update(buffer[:count])
        if index is not None:
            _write(index, buffer[:count])
        size += count
    return f"blake3:{hasher.hexdigest()}", size


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _write(index: int, data: bytes | memoryview) -> None:
    while data:
        data = data[os.write(index, data) :]


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.EROFS, errno.EACCES}:
            raise
