"""What is known of a step's last success here by watching it, as text and back."""

import json

from mlpipe_ci.core.frozen import frozen


@frozen
class LastTrace:
    """`made`: when the result was made (seconds since 1970), 0 if there is none. `wrote`: paths
    that the step wrote without declaring it, each with its digest. `reads`, `writes`, `variables`:
    what a proposal would declare. `kept`: what it adds to, from run to run. `looked`: what
    it looked for or listed, where a step writes that. `shared`: what it used while
    another step wrote it. `unstored`: why there
    is no result.
    """

    made: float = 0.0
    wrote: tuple[tuple[str, str], ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    unstored: str = ""


NAMES = ("reads", "writes", "variables", "kept", "looked", "shared")


def encode_last_trace(last: LastTrace) -> str | None:
    """As JSON text; None where nothing is known."""
    if last == LastTrace():
        return None
    return json.dumps(vars(last))


def decode_last_trace(text: str) -> LastTrace:
    """What `encode_last_trace` gave; whatever is wrong with the text, nothing is known."""
    try:
        found = json.loads(text)
        return LastTrace(
            made=float(found["made"]),
            wrote=tuple((str(path), str(digest)) for path, digest in found["wrote"]),
            unstored=str(found["unstored"]),
            **{name: tuple(map(str, found[name])) for name in NAMES},
        )
    except (ValueError, TypeError, KeyError):
        return LastTrace()
