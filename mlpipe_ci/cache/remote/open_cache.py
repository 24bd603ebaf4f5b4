"""Which store a run works with: the local one, and what stands behind it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.cache.decoded_results import DecodedResults
from mlpipe_ci.cache.remote.actions_cache import RIGHTS, PackedStore
from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.connect import check, open_store, without_credentials
from mlpipe_ci.cache.remote.shared_store import RemoteCache, SharedStore
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.event import CacheAccess
from mlpipe_ci.core.frozen import frozen


@frozen
class CacheRequest:
    """What is asked for. `url`: of the remote store, None where there is none or it is not wanted;
    `pack`: the directory that GitHub's cache carries; `scopes`: the local ones; `run`: an id of the
    run; `warn` gets faults, `progress` how far a transfer is.
    """

    directory: Path
    url: str | None
    pack: Path | None
    rights: CacheAccess
    scopes: tuple[str, ...]
    workflow: str
    run: str
    warn: Callable[[str], None]
    progress: Callable[[str], None]
    links: bool = False


def open_cache(request: CacheRequest, decoded: DecodedResults, env: Mapping[str, str]) -> Store:
    """The store. Raises UsageError where the address is wrong."""
    directory, scopes, links = request.directory, request.scopes, request.links
    if request.url is not None:
        remote = _remote_cache(request, request.url, request.rights, env)
        return SharedStore(directory, decoded, remote, scopes, links=links)
    if request.pack is not None:
        remote = _remote_cache(request, request.pack.as_uri(), RIGHTS, env)
        packed = PackedStore(directory, decoded, remote, scopes, links=links)
        packed.top = request.pack
        return packed
    return Store(directory, decoded, links=links)


def _remote_cache(
    request: CacheRequest, url: str, rights: CacheAccess, env: Mapping[str, str]
) -> RemoteCache:
    check(url)
    return RemoteCache(
        client=RemoteClient(lambda: open_store(url, env), without_credentials(url), request.warn),
        access=rights,
        workflow=request.workflow,
        run=request.run,
        progress=request.progress,
    )
