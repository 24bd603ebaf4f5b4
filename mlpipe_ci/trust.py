"""Who may read and write which scope of a remote store: it follows from the event alone.

Whoever writes a key first is believed (CVE-2025-36852), so a pull request has a scope of its own.
That a pull request cannot write another one is up to the bucket's policy: see docs/security.md.
"""

from mlpipe_ci.events import DESK, Event
from mlpipe_ci.remote.shared import Rights

MAIN = "main"


def rights(event: Event, *, push: bool, merged: str | None = None) -> Rights:
    """`push`: the user at a desk wants results to be shared; `merged`: the scope of the pull
    request that this push to the default branch merges, if its results may be reused.
    """
    if event.name == DESK:
        return Rights(reads=(MAIN,), writes=MAIN if push else None)
    if not event.trusted:
        return Rights(reads=(MAIN,))
    reads = event.scopes
    if merged and reads == (MAIN,):
        reads = (MAIN, merged)
    return Rights(reads=reads, writes=event.scopes[0])
