"""Looks after a remote store: what is in it, who made what, and what may go.

What the last runs of main used stays, whatever its age. What is young stays too: somebody may have
sent a content, and not yet the result that names it.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from mlpipe_ci.cache.codec import decode_result
from mlpipe_ci.cache.layout import OBJECTS, RESULTS
from mlpipe_ci.cache.remote import compression, layout
from mlpipe_ci.cache.remote.client import ListedObject, RemoteClient
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError
from mlpipe_ci.cache.remote.index import MOST_RECENT, MOST_RESULT, decode_recent
from mlpipe_ci.core.errors import MlpipeError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Result, needs

MAIN = "main"
RUNS = 20
"""So many of the last runs of main can be done again without executing anything."""
GRACE = 86_400.0
"""Seconds for which an object stays that no result needs."""
AT_ONCE = 16
BATCH = 1000
"""Objects that one request removes."""


class MaintenanceError(MlpipeError):
    """The store cannot be looked after; nothing was removed since."""

    exit_code = 1


@frozen
class ScopeSize:
    """What a scope holds: numbers, sizes in bytes, and when it changed last (since 1970)."""

    name: str
    results: int = 0
    objects: int = 0
    size: int = 0
    changed: float = 0.0


@frozen
class StoredResult:
    """One result. `size`: bytes of all that it needs, as they are stored."""

    scope: str
    result: Result
    size: int


@frozen
class Garbage:
    """What may go, and how much there is in all."""

    results: tuple[ListedObject, ...] = ()
    objects: tuple[ListedObject, ...] = ()
    runs: tuple[ListedObject, ...] = ()
    kept: int = 0
    kept_bytes: int = 0

    @property
    def all(self) -> tuple[ListedObject, ...]:
        """Results first: what is half removed must not be believed to be whole."""
        return self.results + self.objects + self.runs

    @property
    def size(self) -> int:
        """Bytes that would be free."""
        return sum(entry.size for entry in self.all)


def status(client: RemoteClient) -> tuple[ScopeSize, ...]:
    """What each scope holds. Raises MaintenanceError."""
    found: dict[str, ScopeSize] = {}
    for entry in _everything(client):
        name = layout.scope_of(entry.path)
        if not name:
            continue
        before = found.get(name, ScopeSize(name=name))
        kind = entry.path.removeprefix(f"{layout.TOP}/{name}/").split("/", 1)[0]
        found[name] = ScopeSize(
            name=name,
            results=before.results + (kind == RESULTS),
            objects=before.objects + (kind == OBJECTS),
            size=before.size + entry.size,
            changed=max(before.changed, entry.changed),
        )
    return tuple(found[name] for name in sorted(found))


def results(client: RemoteClient, most: int) -> tuple[StoredResult, ...]:
    """The newest results, newest first. Raises MaintenanceError."""
    entries = list(_everything(client))
    sizes = {entry.path: entry.size for entry in entries}
    wanted = sorted(_of_kind(entries, RESULTS), key=lambda e: -e.changed)[:most]
    rows = []
    for entry, result in _read(client, wanted):
        if result is not None:
            scope = layout.scope_of(entry.path)
            paths = (layout.object_path(scope, name) for name in needs(result))
            rows.append(
                StoredResult(scope=scope, result=result, size=sum(sizes.get(p, 0) for p in paths))
            )
    return tuple(sorted(rows, key=lambda row: -row.result.finished))


def garbage(client: RemoteClient, now: float, *, max_bytes: float, max_age: float) -> Garbage:
    """What may go so that both limits hold; times in seconds. Raises MaintenanceError."""
    entries = list(_everything(client))
    runs = sorted(_of_kind(entries, layout.RUNS), key=lambda entry: entry.path, reverse=True)
    last = [e for e in runs if layout.scope_of(e.path) == MAIN][:RUNS]
    needed = _named(client, last) | _recent(client, list(_of_kind(entries, layout.RECENT)))
    sizes = {entry.path: entry.size for entry in entries}
    kept, gone, objects, total = 0, [], set[str](), 0
    known = list(_of_kind(entries, RESULTS))
    order = sorted(known, key=lambda e: (e.path not in needed, -e.changed))
    for entry, result in _read(client, order):
        scope, young = layout.scope_of(entry.path), now - entry.changed < GRACE
        paths = {layout.object_path(scope, n) for n in needs(result)} if result else set()
        more = entry.size + sum(sizes.get(path, 0) for path in paths - objects)
        fits = total + more <= max_bytes and now - entry.changed <= max_age
        if result is not None and (entry.path in needed or young or fits):
            kept, total = kept + 1, total + more
            objects |= paths
        elif not young:
            gone.append(entry)
    spare = (e for e in _of_kind(entries, OBJECTS) if e.path not in objects)
    stale = (e for e in runs if e not in last and now - e.changed > GRACE)
    return Garbage(
        results=tuple(gone),
        objects=tuple(entry for entry in spare if now - entry.changed > GRACE),
        runs=tuple(stale),
        kept=kept,
        kept_bytes=total,
    )


def remove(client: RemoteClient, found: Garbage) -> None:
    """Remove it. Raises MaintenanceError; what was removed until then is gone."""
    paths = [entry.path for entry in found.all]
    for start in range(0, len(paths), BATCH):
        try:
            client.delete(paths[start : start + BATCH])
        except RemoteError as error:
            raise MaintenanceError(f"{client.shown}: cannot remove anything: {error}") from error


def _everything(client: RemoteClient) -> Iterator[ListedObject]:
    try:
        yield from client.entries(layout.TOP)
    except RemoteError as error:
        raise MaintenanceError(f"{client.shown} cannot be listed: {error}") from error


def _of_kind(entries: Iterable[ListedObject], kind: str) -> Iterator[ListedObject]:
    for entry in entries:
        scope = layout.scope_of(entry.path)
        if scope and entry.path.startswith(f"{layout.all_of(scope, kind)}/"):
            yield entry


def _read(
    client: RemoteClient, entries: list[ListedObject]
) -> Iterator[tuple[ListedObject, Result | None]]:
    """Each with its result; None for one that is damaged or has gone."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        contents = pool.map(lambda entry: _content(client, entry.path, MOST_RESULT), entries)
        for entry, data in zip(entries, contents, strict=True):
            yield entry, decode_result(data) if data else None


def _named(client: RemoteClient, runs: list[ListedObject]) -> set[str]:
    """Paths of the results that runs used."""
    found = set[str]()
    for run in runs:
        scope = layout.scope_of(run.path)
        text = _content(client, run.path, MOST_RECENT).decode("ascii", "replace")
        pairs = (line.partition("/") for line in text.splitlines())
        found |= {layout.result_path(scope, key, name) for key, _, name in pairs}
    return found


def _recent(client: RemoteClient, entries: list[ListedObject]) -> set[str]:
    """Paths of the results that the last run of each workflow used."""
    found = set[str]()
    for entry in entries:
        scope = layout.scope_of(entry.path)
        data = _content(client, entry.path, MOST_RECENT)
        recent = decode_recent(scope, data)
        found |= {layout.result_path(scope, one.result.key, one.name) for one in recent}
    return found


def _content(client: RemoteClient, path: str, most: int) -> bytes:
    """Empty if it is damaged or gone. Raises MaintenanceError if that is not known."""
    try:
        return compression.unpacked(client.get(path), most)
    except compression.FrameError:
        return b""
    except RemoteError as error:
        if error.kind is ErrorKind.MISSING:
            return b""
        raise MaintenanceError(
            f"{client.shown} cannot be read, so nothing is removed: {error}"
        ) from error
