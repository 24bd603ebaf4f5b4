"""Keeps the local cache within its limits: once a day, at the end of a run."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache import layout
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.core.units import byte_count
from mlpipe_ci.repo.lock import hold_if_free

DAY = 86_400.0


@frozen
class Limits:
    """What the cache may hold: so many bytes, and what was used in so many seconds."""

    max_bytes: int
    max_age: float


def limits(env: Mapping[str, str], max_size: str | None, max_age: float | None) -> Limits:
    """From the command line, else from the environment. Raises UsageError."""
    settings = from_env(env)
    days = settings.cache_max_age if max_age is None else max_age
    max_bytes = size(max_size) if max_size else settings.cache_max_size
    return Limits(max_bytes=max_bytes, max_age=days * DAY)


def size(text: str) -> int:
    """Bytes of a size such as `500M`, `20G` or `1.5T`. Raises UsageError."""
    try:
        return byte_count(text)
    except ValueError as error:
        raise UsageError(f"{text} is no size of a cache; write 500M, 20G or 1.5T") from error


def collect_if_due(cache: Path, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Collect garbage if that is due, and nobody else does. A fault is only a warning."""
    top = layout.top_of(cache)
    if not _is_due(top):
        return
    with hold_if_free(layout.gc_lock(top)) as is_locked:
        if not is_locked or not _is_due(top):
            return
        (top / layout.COLLECTED).touch()
        # 20 ms to import, once a day.
        from mlpipe_ci.cache.maintenance import collect  # noqa: PLC0415

        try:
            asked = limits(env, None, None)
        except UsageError as error:
            say(f"warning: the cache was not tidied: {error}")
            return
        count, freed = collect(top, time.time(), max_bytes=asked.max_bytes, max_age=asked.max_age)
    if count:
        say(f"removed from the cache, as not used for long: {count} files, {freed / 1e6:,.1f} MB")


def _is_due(top: Path) -> bool:
    try:
        return time.time() - os.stat(top / layout.COLLECTED).st_mtime > DAY
    except FileNotFoundError:
        with suppress(OSError):  # a new cache: a day from now
            (top / layout.COLLECTED).touch()
        return False
    except OSError:
        return False
