"""How what is installed differs from what it was, in words. Pure."""

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.tracing.discovery.packages import (
    ABSENT,
    ALL,
    FOUND,
    LOOKED_FOR,
    LOOSE,
    VERSION,
)
from mlpipe_ci.tracing.discovery.record import ENTRY_POINTS


def describe_package(before: Input, now: Input) -> str:
    """What became of an input of `python_environment`."""
    place, _, what = before.path.rpartition(":")
    place = place.partition(":")[2]
    if what == ALL:
        return f"other packages are installed in {place}"
    if what == ENTRY_POINTS:
        return f"packages in {place} offer other entry points"
    if what == LOOKED_FOR:
        return _found(place, before.digest, now.digest)
    if what.startswith(LOOSE):
        became = "is not there any more" if now.digest == ABSENT else "changed"
        return f"{what.removeprefix(LOOSE)} in the packages of {place} {became}"
    if now.digest == ABSENT:
        return f"{what} is not installed any more in {place}"
    old, new = (_version(one.digest) for one in (before, now))
    if old != new:
        return f"{what} {old} → {new} (installed)"
    name = f"{what} {new}".rstrip()
    return f"{name} was installed anew, with other files"


def _version(digest: str) -> str:
    """The version; empty where it does not count."""
    if digest == ABSENT or digest.startswith(VERSION):
        return digest.removeprefix(VERSION).partition(" ")[0]
    return ""


def _found(place: str, before: str, now: str) -> str:
    old, new = (
        set(one.removeprefix(FOUND).rpartition("|")[0].split("/")) - {""} for one in (before, now)
    )
    if added := sorted(new - old):
        return f"{added[0]} is new in the packages of {place}"
    lost = sorted(old - new)
    return f"{lost[0] if lost else 'a module'} is gone from the packages of {place}"
