"""Which store a run works with: the local one, and what stands behind it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_ci.cache.decoded_results import Recall
from mlpipe_ci.cache.remote.actions_cache import RIGHTS, PackedStore
from mlpipe_ci.cache.remote.client import Wire
from mlpipe_ci.cache.remote.connect import check, open_store, shown
from mlpipe_ci.cache.remote.shared_store import SharedStore, Shelf
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.event import Rights
from mlpipe_ci.core.frozen import frozen


@frozen
class Wanted:
    """What is asked for. `url`: of the remote store, None where there is none or it is not wanted;
    `pack`: the directory that GitHub's cache carries; `scopes`: the local ones; `run`: an id of the
    run; `warn` is told of faults, `tell` of progress.
    """

    directory: Path
    url: str | None
    pack: Path | None
    rights: Rights
    scopes: tuple[str, ...]
    workflow: str
    run: str
    warn: Callable[[str], None]
    tell: Callable[[str], None]
    links: bool = False


def join(wanted: Wanted, recall: Recall, env: Mapping[str, str]) -> Store:
    """The store. Raises UsageError where the address is wrong."""
    directory, scopes, links = wanted.directory, wanted.scopes, wanted.links
    if wanted.url is not None:
        shelf = _shelf(wanted, wanted.url, wanted.rights, env)
        return SharedStore(directory, recall, shelf, scopes, links=links)
    if wanted.pack is not None:
        shelf = _shelf(wanted, wanted.pack.as_uri(), RIGHTS, env)
        packed = PackedStore(directory, recall, shelf, scopes, links=links)
        packed.top = wanted.pack
        return packed
    return Store(directory, recall, links=links)


def _shelf(wanted: Wanted, url: str, rights: Rights, env: Mapping[str, str]) -> Shelf:
    check(url)
    return Shelf(
        wire=Wire(lambda: open_store(url, env), shown(url), wanted.warn),
        rights=rights,
        workflow=wanted.workflow,
        run=wanted.run,
        tell=wanted.tell,
    )
