"""What the newest result that read a source says of it."""

from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.external_url import address_of, identity
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import MARK


def recalled(store: Store, scopes: tuple[str, ...], external: ExternalInput) -> tuple[Input, ...]:
    """What the newest result that read a source says of it."""
    newest: tuple[float, tuple[Input, ...]] = (0.0, ())
    for result in store.latest(scopes).values():
        inputs = result.parts.inputs if result.parts else ()
        here = (one for one in inputs if one.digest.startswith(MARK))
        found = tuple(
            one
            for one in here
            if is_under(one.path, external.path)
            and one.digest.endswith(f":{identity(address_of(external, one.path))}")
        )
        if found and result.finished > newest[0]:
            newest = result.finished, found
    return newest[1]
