"""How a discovered input differs from what it was, in words. Pure."""

from dataclasses import replace

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.platform import PLATFORM, shown_platform
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    LISTINGS,
    MODULES,
    PREFIX,
    PROGRAM,
    READ_LOG,
    STATE,
    VARIABLE,
    shown_path,
)
from mlpipe_ci.tracing.discovery.package_words import describe_package


def describe_difference(before: Input, now: Input) -> str:
    """How a discovered input differs from what it was."""
    path = shown_path(before.path)
    if now.digest == READ_LOG:
        return f"{path}, to which it only adds, is read by another step now"
    if path.startswith(PROGRAM):
        return f"the program {path.removeprefix(PROGRAM)} is another one now (discovered)"
    if path == PLATFORM:
        made, here = shown_platform(before.digest), shown_platform(now.digest)
        return f"made on {made}, and this is {here} (portable: true reuses it)"
    if path.startswith(VARIABLE):
        return f"${path.removeprefix(VARIABLE)} {_change_of_variable(before, now)} (discovered)"
    if path.startswith(PREFIX):
        return describe_package(before, now)
    if before.digest.startswith(STATE):
        return f"{_of_state(before, now)} (another step's state)"
    if before.digest.startswith(LISTINGS):
        return f"{_names(before, now)} (discovered)"
    return f"{path} {_change(before, now)} (discovered)"


def _of_state(before: Input, now: Input) -> str:
    old, new = (replace(one, digest=one.digest.removeprefix(STATE)) for one in (before, now))
    listed = old.digest.startswith(LISTINGS)
    return _names(old, new) if listed else f"{old.path} {_change(old, new)}"


def _change_of_variable(before: Input, now: Input) -> str:
    if before.digest == ABSENT:
        return "is set now"
    return "is not set any more" if now.digest == ABSENT else "changed"


def _change(before: Input, now: Input) -> str:
    if before.digest == ABSENT:
        return "is there now"
    if now.digest == ABSENT:
        return "is not there any more"
    if before.digest == now.digest:
        return "is executable" if now.executable else "is no longer executable"
    return "changed"


def _names(before: Input, now: Input) -> str:
    """Which names are new, where they are known."""
    texts = [one.digest.partition(":")[2] for one in (before, now)]
    if before.digest.startswith(MODULES):
        texts = [text.rpartition("|")[0] for text in texts]
    if now.digest == ABSENT:
        return f"{before.path} is not there any more"
    if any(":" in text for text in texts):
        return f"{before.path} holds other files"
    old, new = (set(text.split("/")) - {""} for text in texts)
    if added := sorted(new - old):
        return f"{before.path.removeprefix('./')}{added[0]} is new" + (
            ", …" if len(added) > 1 else ""
        )
    lost = sorted(old - new)
    return f"{before.path.removeprefix('./')}{lost[0] if lost else ''} is gone"
