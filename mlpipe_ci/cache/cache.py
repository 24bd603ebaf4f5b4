"""The opened cache: where results lie, which may be read, and how they come back."""

from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Producer


@frozen
class Cache:
    """What is remembered, here and elsewhere.

    `store`: results and contents, with a remote store behind it where there is one. `state`: what
    this clone remembers. `scopes`: where results are read, in this order; new ones go to the first.
    `producer`: who makes the results of this run. `on_demand`: outputs of reused steps come back
    only if a step reads them.
    """

    store: Store
    state: LocalState
    scopes: tuple[str, ...]
    producer: Producer
    on_demand: bool = False
