"""Which contents a result needs."""

from mlpipe_ci.result import Result


def needs(result: Result) -> tuple[str, ...]:
    """Names of the objects of a result, without `blake3:`: its outputs or their packs, its log."""
    files = (output for output in result.outputs if output.kind == "file")
    digests = dict.fromkeys(output.pack or output.digest for output in files)
    return tuple(one.removeprefix("blake3:") for one in (*digests, result.log) if one)
