"""The local store: contents named by their digest, and results named by their key.

    v1/objects/ab/cdef…                       raw bytes, read-only, named by the BLAKE3 of them
    v1/results/<scope>/ab/cdef…/<inputs>.json one result; <inputs>: digest of its discovered inputs
    v1/tmp                                    files being written

Objects are written first and the result last, each as a temporary file that is then renamed, so
that a process killed at any moment leaves nothing half-written in its place.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.cache.codec import decode_result, encode_result
from mlpipe_ci.cache.recall import Recall
from mlpipe_ci.contents import CHUNK
from mlpipe_ci.result import Result

DAY = 86_400.0
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of mlpipe; it may be deleted.\n"
"""Contents of CACHEDIR.TAG (bford.info/cachedir): backup programs leave such directories out."""


class DamagedError(Exception):
    """An object is missing or is not what its name says. Its step has to run again."""


class Store:
    """A directory of objects and results, shared by all clones. Safe beside other processes."""

    def __init__(self, directory: Path, recall: Recall | None = None) -> None:
        self.directory = directory
        self._top = directory / "v1"
        self._recall = recall or Recall()
        self._looked_at: dict[str, list[tuple[str, float]]] = {}

    def save(self, source: Path) -> tuple[str, int]:
        """Keep a copy of a regular file. Returns digest and size in bytes. Raises OSError."""
        temporary = self._temporary()
        try:
            with source.open("rb") as file, temporary.open("xb") as copy:
                digest, size = _copy(file.read, copy.write)
            self._place(temporary, self._object(digest))
        finally:
            temporary.unlink(missing_ok=True)
        return digest, size

    def has(self, digest: str, size: int) -> bool:
        """True if the object is there with the right size. Its bytes are verified by restore."""
        try:
            name = digest.removeprefix("blake3:")
            return os.stat(f"{self._top}/objects/{name[:2]}/{name[2:]}").st_size == size
        except OSError:
            return False

    def restore(self, digest: str, destination: Path, *, executable: bool) -> None:
        """Write an object to a path, whole or not at all. Raises DamagedError, or OSError."""
        temporary = destination.with_name(f".{destination.name[:100]}.{os.urandom(4).hex()}.tmp")
        try:
            with temporary.open("xb") as copy:
                found = self._read(digest, copy.write)
                if executable:  # for whom it is readable; the umask has its say
                    mode = os.fstat(copy.fileno()).st_mode
                    os.fchmod(copy.fileno(), mode | (mode & 0o444) >> 2)
            if found != digest:
                self._object(digest).unlink(missing_ok=True)
                raise DamagedError(f"{digest[:15]}… is not what was stored")
            temporary.replace(destination)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, digest: str) -> bytes:
        """The bytes of a small object, such as a log. Raises DamagedError."""
        chunks: list[bytes] = []
        if self._read(digest, chunks.append) != digest:
            raise DamagedError(f"{digest[:15]}… is not what was stored")
        return b"".join(chunks)

    def results(self, key: str, scopes: tuple[str, ...]) -> tuple[Result, ...]:
        """All results for a key, by scope in order. What cannot be read is as if it were not."""
        found = [one for scope in scopes for one in self._recall.results(self._folder(scope, key))]
        self._looked_at[key] = [(path, used) for path, used, _ in found]
        return tuple(result for _, _, result in found if result.key == key)

    def used(self, key: str) -> None:
        """Results of a key that were looked up are among the last to be collected."""
        for path, used in self._looked_at.get(key, ()):
            if time.time() - used > DAY:
                with suppress(OSError):
                    os.utime(path)

    def add(self, result: Result, scope: str) -> Result | None:
        """Keep a result. Returns the one that was there first, if it has the same inputs.

        The first writer wins (a link is created only where there is none). Raises OSError.
        """
        discovered = blake3(repr(result.discovered).encode("utf-8", "surrogateescape")).hexdigest()
        path = Path(self._folder(scope, result.key)) / f"{discovered[:16]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._temporary()
        try:
            temporary.write_bytes(encode_result(result))
            os.link(temporary, path)
        except FileExistsError:
            earlier = _read_result(path)
            if earlier and all(self._complete(earlier)):
                return earlier
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return None

    def _complete(self, result: Result) -> list[bool]:
        return [self.has(o.digest, o.size) for o in result.outputs if o.kind == "file"]

    def _read(self, digest: str, write: Callable[[bytes], object]) -> str:
        try:
            with self._object(digest).open("rb") as file:
                return _copy(file.read, write)[0]
        except FileNotFoundError as error:
            raise DamagedError(f"{digest[:15]}… is not in the cache") from error

    def _place(self, temporary: Path, path: Path) -> None:
        if path.exists() and path.stat().st_size == temporary.stat().st_size:
            os.utime(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o444)
        temporary.replace(path)

    def _temporary(self) -> Path:
        folder = self._top / "tmp"
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            (self.directory / "CACHEDIR.TAG").write_text(TAG, "utf-8")
        return folder / os.urandom(8).hex()

    def _object(self, digest: str) -> Path:
        name = digest.removeprefix("blake3:")
        return self._top / "objects" / name[:2] / name[2:]

    def _folder(self, scope: str, key: str) -> str:
        return f"{self._top}/results/{scope}/{key[:2]}/{key[2:]}"


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> tuple[str, int]:
    hasher, size = blake3(max_threads=blake3.AUTO), 0
    while chunk := read(CHUNK):
        hasher.update(chunk)
        write(chunk)
        size += len(chunk)
    return f"blake3:{hasher.hexdigest()}", size


def _read_result(path: Path) -> Result | None:
    try:
        return decode_result(path.read_bytes())
    except OSError:
        return None


def sweep(store: Store, older_than: float) -> None:
    """Remove what killed processes left in `tmp` before `older_than` (seconds since 1970)."""
    folder = store.directory / "v1" / "tmp"
    with suppress(OSError):  # a read-only or vanishing store is no reason to stop
        for path in folder.iterdir():
            if path.stat().st_mtime < older_than:
                path.unlink(missing_ok=True)
