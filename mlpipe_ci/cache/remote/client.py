"""Each request to an object store goes through here: counted, timed out, stopped by the breaker."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from mlpipe_ci.cache.remote.circuit_breaker import CircuitBreaker
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError, classified
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen

T = TypeVar("T")
PART = 8 << 20
"""Bytes of one part of a large object: to a store, each is a request of its own."""
MOST_PARTS = 6
"""Parts of one object that are on their way to a store at once."""


@frozen
class ListedObject:
    """What a listing says of an object. `changed` in seconds since 1970, `size` in bytes."""

    path: str
    size: int
    changed: float


@frozen
class ObjectStream:
    """An object that is on its way; `size` of all of it in bytes, `tag`: its ETag."""

    chunks: Iterator[bytes]
    size: int
    tag: str


class Counts:
    """What was transferred: requests, bytes of contents each way, and writes that failed."""

    def __init__(self) -> None:
        self.requests = self.received = self.sent = 0
        self.fetched = self.stored = self.failed = 0


class RemoteClient:
    """An object store. Safe to use from several threads.

    `open_store`: gives obstore's store when it is needed first; `shown`: its address for people;
    `warn` gets each fault once. Each method raises RemoteError and nothing else.
    """

    def __init__(
        self, open_store: Callable[[], Any], shown: str, warn: Callable[[str], None]
    ) -> None:
        self._open, self.shown, self._warn = open_store, shown, warn
        self._opened: Any = None
        self._closed = ""
        self._lock = threading.Lock()
        self.breaker, self.counts = CircuitBreaker(), Counts()
        self.may_write = True
        self.warnings: list[str] = []

    def get(self, path: str) -> bytes:
        """A whole small object."""
        data = self._ask("get", lambda store, ob: bytes(ob.get(store, path).bytes()))
        self._count(received=len(data))
        return data

    def stream(self, path: str, start: int = 0) -> ObjectStream:
        """An object from byte `start` on, in chunks of a part or so, as they come."""
        options = {"range": {"offset": start}} if start else None

        def asked(store: Any, ob: Any) -> tuple[Any, int, str]:
            answer = ob.get(store, path, options=options)
            meta = answer.meta
            return answer, int(meta["size"]), str(meta["e_tag"] or "")

        answer, size, tag = self._ask("get", asked)
        return ObjectStream(chunks=self._chunks(answer, size - start), size=size, tag=tag)

    def _chunks(self, answer: Any, length: int) -> Iterator[bytes]:
        stream = answer.stream(min_chunk_size=PART)
        while length > 0:
            chunk = self._guarded("get", lambda: next(stream, None))
            if chunk is None:
                raise self._failed(RemoteError(ErrorKind.FAILED, "it sent less than it has"))
            data = bytes(chunk)
            self._count(received=len(data))
            length -= len(data)
            yield data

    def size(self, path: str) -> int | None:
        """Bytes of an object; None if it is not there."""
        try:
            return int(self._ask("get", lambda store, ob: ob.head(store, path))["size"])
        except RemoteError as error:
            if error.kind is ErrorKind.MISSING:
                return None
            raise

    def entries(self, prefix: str, most: int | None = None) -> Iterator[ListedObject]:
        """What lies below a prefix, in the order of names; `most`: end after so many, in pages."""
        yield from islice(self._pages(prefix), most)

    def _pages(self, prefix: str) -> Iterator[ListedObject]:
        streams: list[Any] = []

        def asked(store: Any, ob: Any) -> Any:
            if not streams:  # by itself this asks nothing
                streams.append(ob.list(store, prefix, chunk_size=1000))
            return next(streams[0], None)

        while (page := self._ask("list", asked)) is not None:
            for item in page:
                yield ListedObject(
                    path=str(item["path"]),
                    size=int(item["size"]),
                    changed=item["last_modified"].timestamp(),
                )

    def put(self, path: str, data: bytes, *, instead: bool = False) -> bool:
        """Write a small object. Unless it is `instead` of what is there, the first writer wins.

        Returns False if something was there.
        """
        mode = "overwrite" if instead else "create"
        try:
            self._write(lambda store, ob: ob.put(store, path, data, mode=mode, use_multipart=False))
        except RemoteError as error:
            if error.kind is ErrorKind.EXISTS:
                return False
            raise
        self._count(sent=len(data))
        return True

    def put_parts(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a large object in parts. What `chunks` raises leaves nothing behind."""
        raised: list[BaseException] = []

        def counted() -> Iterator[bytes]:
            try:
                for chunk in chunks:
                    self._count(sent=len(chunk))
                    yield chunk
            except BaseException as error:
                raised.append(error)
                raise

        try:
            self._write(
                lambda store, ob: ob.put(
                    store, path, counted(), chunk_size=PART, max_concurrency=MOST_PARTS
                )
            )
        except RemoteError:
            if raised:
                raise raised[0] from None
            raise

    def copy(self, source: str, destination: str) -> None:
        """Copy an object inside of the store."""
        self._write(lambda store, ob: ob.copy(store, source, destination))

    def delete(self, paths: list[str]) -> None:
        """Remove objects; those that are not there are no fault."""
        try:
            self._write(lambda store, ob: ob.delete(store, paths))
        except RemoteError as error:
            if error.kind is not ErrorKind.MISSING:
                raise

    def stored(self) -> None:
        """Count an object that was written as a whole."""
        self._count(stored=1)

    def lost(self) -> None:
        """Count a write that failed."""
        self._count(failed=1)

    def fetched(self) -> None:
        """Count an object that was read as a whole, and is what its name says."""
        self._count(fetched=1)

    def warn(self, text: str) -> None:
        """Tell the user, once."""
        with self._lock:
            if text in self.warnings:
                return
            self.warnings.append(text)
        self._warn(text)

    def _write(self, request: Callable[[Any, Any], T]) -> T:
        if not self.may_write:
            raise RemoteError(ErrorKind.OFF, "writing is off")
        try:
            return self._ask("put", request)
        except RemoteError as error:
            if error.kind is ErrorKind.REFUSED:
                self.may_write = False
                self.warn(f"nothing more is written to {self.shown}: {error}")
            raise

    def _ask(self, what: str, request: Callable[[Any, Any], T]) -> T:
        store = self._store()
        import obstore  # noqa: PLC0415 - an extra, and 20 ms: only a run that needs it pays

        if not self.breaker.allows():
            raise RemoteError(ErrorKind.OFF, "it is not asked, as it did not answer")
        self._count(requests=1)
        answer = self._guarded(what, lambda: request(store, obstore))
        self.breaker.succeeded()
        return answer

    def _guarded(self, what: str, request: Callable[[], T]) -> T:
        try:
            return request()
        except Exception as error:
            raise self._failed(classified(error), what) from error

    def _failed(self, error: RemoteError, what: str = "get") -> RemoteError:
        if error.kind is ErrorKind.FAILED:
            if self.breaker.failed():
                self.warn(f"{self.shown} is left alone for a while: {error}")
        else:
            self.breaker.succeeded()
            if error.kind is ErrorKind.REFUSED and what != "put":
                self.warn(f"{self.shown} cannot be read: {error}")
            if error.final:
                self._closed = str(error)
        return error

    def _store(self) -> Any:
        """Raises RemoteError; a warning says once why it cannot be opened."""
        with self._lock:
            if self._opened is None and not self._closed:
                try:
                    self._opened = self._open()
                except UsageError as error:
                    self._closed = str(error)
            opened, closed = self._opened, self._closed
        if closed:
            self.may_write = False
            if opened is None:
                self.warn(f"{self.shown} is not used: {closed}")
            raise RemoteError(ErrorKind.OFF, closed)
        return opened

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                setattr(self.counts, name, getattr(self.counts, name) + number)
