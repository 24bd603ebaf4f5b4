"""What is known of a step's last success here by watching it, as text and back."""

import json
from functools import cache

from mlpipe_ci.core.frozen import frozen


@frozen
class LastTrace:
    """What was seen of the step when it last succeeded here."""

    made: float = 0.0
    """When the result was made (seconds since 1970); 0 if there is none."""
    wrote: tuple[tuple[str, str], ...] = ()
    """Paths that the step wrote without declaring it, each with its digest."""
    reads: tuple[str, ...] = ()
    """Paths that a proposal would declare as inputs."""
    writes: tuple[str, ...] = ()
    """Paths that a proposal would declare as outputs."""
    variables: tuple[str, ...] = ()
    """Environment variables that a proposal would declare."""
    logs: tuple[str, ...] = ()
    """Files that it only adds to, from run to run."""
    looked: tuple[str, ...] = ()
    """Paths that it looked for or listed, where a step writes that."""
    shared: tuple[str, ...] = ()
    """Paths that it used while another step wrote them."""
    missed: tuple[str, ...] = ()
    """Paths of the repository that it looked for in vain."""
    state: tuple[str, ...] = ()
    """Paths of other steps' state that it saw."""
    unstored: str = ""
    """Why there is no result."""

    @property
    def is_known(self) -> bool:
        """True if the step has succeeded here, with a result or without."""
        return bool(self.made or self.unstored)


NAMES = ("reads", "writes", "variables", "logs", "looked", "shared")
NEWER = ("missed", "state")
"""What an earlier version did not write."""


def encode_last_trace(last: LastTrace) -> str | None:
    """As JSON text; None where nothing is known."""
    if last == LastTrace():
        return None
    return json.dumps(vars(last))


@cache
def decode_last_trace(text: str) -> LastTrace:
    """What `encode_last_trace` gave; whatever is wrong with the text, nothing is known."""
    try:
        found = json.loads(text)
        return LastTrace(
            made=float(found["made"]),
            wrote=tuple((str(path), str(digest)) for path, digest in found["wrote"]),
            unstored=str(found["unstored"]),
            **{name: tuple(map(str, found.get(name, ()))) for name in NEWER},
            **{name: tuple(map(str, found[name])) for name in NAMES},
        )
    except (ValueError, TypeError, KeyError):
        return LastTrace()
