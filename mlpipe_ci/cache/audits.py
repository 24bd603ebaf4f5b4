"""When a result was last audited, kept among the results: so it goes wherever they go.

The record of an audit is itself a result, without outputs, under a key that follows from the key
and the time of the result that was audited.
"""

import time

from blake3 import blake3

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.cache_key import KeyParts
from mlpipe_ci.core.result import Audited, Result

IDENTICAL = "identical"
NAME = "audit of "
"""What the name of the step begins with in such a record."""
NO_PARTS = KeyParts(run="", shell="", directory="", params=(), env=(), outputs=(), inputs=())


def remember(cache: Cache, result: Result, *, identical: bool, seconds: float) -> None:
    """Keep that a result was audited now. Raises OSError."""
    record = Result(
        key=_key(result),
        step=f"{NAME}{result.step}",
        parts=NO_PARTS,
        discovered=(),
        outputs=(),
        metrics=((IDENTICAL, float(identical)),),
        log="",
        seconds=seconds,
        finished=time.time(),
        producer=cache.producer,
    )
    cache.store.add(record, cache.scopes[0], instead=True)


def last_audit(store: Store, scopes: tuple[str, ...], result: Result) -> Audited | None:
    """The last audit of a result that is known here, or that recent runs of others have used."""
    known = store.at_hand(_key(result), scopes)
    newest = max(known, key=lambda one: one.finished, default=None)
    if newest is None:
        return None
    identical = dict(newest.metrics).get(IDENTICAL) == 1.0
    age = max(0.0, time.time() - newest.finished)
    return Audited(finished=newest.finished, identical=identical, age=age)


def _key(result: Result) -> str:
    text = f"mlpipe-audit 1 {result.key} {result.finished!r}"
    return blake3(text.encode("ascii")).hexdigest()
