"""Object stores, through obstore: `s3://`, `gs://`, `az://`; one object, or all that match."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from mlpipe_ci.cache.remote.connect import open_store
from mlpipe_ci.cache.remote.errors import ErrorKind, classified
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.external_url import bucket_of, identity, is_many, key_of, prefix_of
from mlpipe_ci.core.paths import above, is_glob
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import MOST, Failure, ReaderError, SourceItem, SourceKind, SourceStream

PART = 4 << 20
FAILURES = {ErrorKind.MISSING: Failure.MISSING, ErrorKind.REFUSED: Failure.REFUSED}


class Buckets:
    """Reads objects. `env`: where credentials are found, as for a remote cache."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._stores: dict[str, Any] = {}
        self._lock = threading.Lock()

    def look(self, external: ExternalInput, last: tuple[SourceItem, ...]) -> tuple[SourceItem, ...]:
        """As `Reader.look`: HEAD of one object, or the listing of many, 1,000 in each request."""
        del last
        try:
            store = self._store(external.url)
            if not is_many(external.url):
                import obstore  # noqa: PLC0415 - an extra, and 20 ms

                key = key_of(external.url)
                return (_item(external, obstore.head(store, key), key, external.path),)
            return _without_folders(tuple(_listed(store, external)))
        except ReaderError:
            raise
        except Exception as error:  # noqa: BLE001 - obstore's share no base
            raise _fault(error) from None

    def stream(self, item: SourceItem, start: int) -> SourceStream:
        """As `Reader.stream`."""
        bucket, key = item.key.split("\n", 1)
        options: Any = {"range": {"offset": start}} if start else None
        try:
            import obstore  # noqa: PLC0415 - an extra, and 20 ms

            answer = obstore.get(self._store(bucket), key, options=options)
            meta = answer.meta
            external = ExternalInput(url=f"{bucket}/{key}", path=item.path)
            now = _item(external, meta, key, item.path, listed=item.kind is not SourceKind.VERSION)
            return SourceStream(
                item=now,
                chunks=_chunks(answer),
                start=start,
                size=int(meta["size"]),
            )
        except Exception as error:  # noqa: BLE001 - obstore's share no base
            raise _fault(error) from None

    def _store(self, url: str) -> Any:
        bucket = bucket_of(url)
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = open_store(bucket, self._env, "data in an object store")
            return self._stores[bucket]


def _listed(store: Any, external: ExternalInput) -> Iterator[SourceItem]:
    import obstore  # noqa: PLC0415 - an extra, and 20 ms

    prefix, pattern = prefix_of(external.url), key_of(external.url)
    count = 0
    for page in obstore.list(store, prefix or None, chunk_size=1000):
        for meta in page:
            key = str(meta["path"])
            inner = key[len(prefix) + 1 :] if prefix else key
            if not inner or key.endswith("/") or (is_glob(pattern) and not matches(pattern, key)):
                continue
            count += 1
            if count > MOST:
                raise ReaderError(Failure.BROKEN, f"it means more than {MOST:,} objects")
            yield _item(external, meta, key, external.path + inner, listed=True)


def _without_folders(items: tuple[SourceItem, ...]) -> tuple[SourceItem, ...]:
    """Some programs make an empty object for each directory; obstore takes the `/` off its name."""
    folders = {path for item in items if "/" in item.path for path in above(item.path)}
    return tuple(item for item in items if item.size or item.path not in folders)


def _item(
    external: ExternalInput, meta: Mapping[str, Any], key: str, path: str, *, listed: bool = False
) -> SourceItem:
    """What the store says of an object. A listing has no versions."""
    version, tag = meta.get("version"), str(meta.get("e_tag") or "")
    if version and version != "null" and not listed:
        kind, value = SourceKind.VERSION, str(version)
    elif tag:
        kind, value = SourceKind.ETAG, tag
    else:
        kind, value = SourceKind.MODIFIED, f"{meta['last_modified'].isoformat()}|{meta['size']}"
    return SourceItem(
        path=path,
        owner=identity(f"{bucket_of(external.url)}/{key}"),
        key=f"{bucket_of(external.url)}\n{key}",
        kind=kind,
        value=value,
        size=int(meta["size"]),
        tag=tag,
    )


def _chunks(answer: Any) -> Iterator[bytes]:
    try:
        for chunk in answer.stream(min_chunk_size=PART):
            yield bytes(chunk)
    except Exception as error:  # noqa: BLE001 - obstore's share no base
        raise _fault(error) from None


def _fault(error: Exception) -> ReaderError:
    if isinstance(error, UsageError):
        return ReaderError(Failure.REFUSED, str(error))
    found = classified(error)
    text = str(found).replace("cache.remote", "the URL")
    return ReaderError(FAILURES.get(found.kind, Failure.BROKEN), text)
