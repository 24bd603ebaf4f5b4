"""The platform of a result: system and machine, as a discovered input of each step. Pure.

It is no part of the key: a result of another platform is found, and reused where the step says that
it is `portable`.
"""

from collections.abc import Iterable

from mlpipe_ci.core.cache_key import Input

PLATFORM = "platform:"
"""The path of that input; its digest is `linux x86_64`."""
NAMES = {"darwin": "macOS", "linux": "Linux", "freebsd": "FreeBSD"}


def platform_input(system: str, machine: str) -> Input:
    """The input of a platform, by what the system calls itself."""
    return Input(path=PLATFORM, digest=f"{system.lower()} {machine}")


def platform_of(discovered: Iterable[Input]) -> str:
    """The digest of the platform among discovered inputs; empty if it was not kept."""
    return next((item.digest for item in discovered if item.path == PLATFORM), "")


def shown_platform(digest: str) -> str:
    """A platform as people call it: `macOS arm64`."""
    system, _, machine = digest.partition(" ")
    return f"{NAMES.get(system, system)} {machine}".rstrip()
