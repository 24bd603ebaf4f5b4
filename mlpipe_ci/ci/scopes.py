"""Who may read and write which scope of a remote store: it follows from the event alone.

Whoever writes a key first is believed (CVE-2025-36852), so a pull request has a scope of its own.
That a pull request cannot write another one is up to the bucket's policy: see docs/security.md.
"""

from collections.abc import Mapping

from mlpipe_ci.ci.github import pulls
from mlpipe_ci.ci.github.client import client_of
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.event import CacheAccess, Event, EventKind

MAIN = "main"


def merged_scope(event: Event, env: Mapping[str, str]) -> tuple[str | None, str]:
    """The scope of the pull request that a push to the default branch merges, and a warning.

    One request to GitHub, with the token; None where it merges none of the same repository.
    """
    if event.kind is not EventKind.PUSH or event.scopes != (MAIN,) or not event.sha:
        return None, ""
    try:
        number = pulls.merged_pull_request(client_of(env), event.sha)
    except GitHubError as error:
        return None, f"cache.promote: GitHub did not say which pull request this merges: {error}"
    return (None if number is None else f"pr/{number}"), ""


def rights(event: Event, *, push: bool, merged: str | None = None) -> CacheAccess:
    """`push`: the user at a desk wants results to be shared; `merged`: the scope of the pull
    request that this push to the default branch merges, if its results may be reused.
    """
    if event.kind is EventKind.DESK:
        return CacheAccess(reads=(MAIN,), writes=MAIN if push else None)
    if not event.trusted:
        return CacheAccess(reads=(MAIN,))
    reads = event.scopes
    if merged and reads == (MAIN,):
        reads = (MAIN, merged)
    return CacheAccess(reads=reads, writes=event.scopes[0])
