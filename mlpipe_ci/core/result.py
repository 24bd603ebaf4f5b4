"""What a step left behind for one key: the value that the cache saves."""

import math
import stat
from dataclasses import field

from mlpipe_ci.core.cache_key import Input, KeyParts
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.workflow import Step


def plain_number(value: float) -> float | str:
    """A metric as JSON takes it: what is not finite as `NaN`, `Infinity`, `-Infinity`."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


@frozen(order=True)
class Output:
    """One path that a step wrote. `kind` is `file`, `link` or `directory` (an empty one).

    `digest` is `blake3:…` of a file's content; of a link, the text of its target. `size` in bytes.
    `pack`: digest of the object that holds the content among others, from byte `offset` on; empty
    where it is an object of its own. `mode`: its permission bits; of a link it says nothing.
    `order`: its place among the outputs of the step by the time at which it was written; two that
    were written at once have the same.
    """

    path: str
    kind: str
    digest: str
    size: int
    mode: int = 0o644
    pack: str = ""
    offset: int = 0
    order: int = field(default=0, compare=False)

    @property
    def executable(self) -> bool:
        """True if its owner may execute it."""
        return bool(self.mode & stat.S_IXUSR)


@frozen
class Producer:
    """Where a result was made: named when it is reused, and when it turns out to be damaged."""

    repository: str = ""
    commit: str = ""
    ref: str = ""
    event: str = ""
    run_url: str = ""
    version: str = ""


@frozen
class Result:
    """One success of a step. `seconds` it took; `finished` in seconds since 1970 (UTC).

    `samples`: each metric's values, one of each repetition, where the command ran several times.
    `parts`: what its key was made of; None where only what is needed for its reuse was read.
    """

    key: str
    step: str
    parts: KeyParts | None
    discovered: tuple[Input, ...]
    outputs: tuple[Output, ...]
    metrics: tuple[tuple[str, float], ...]
    log: str
    seconds: float
    finished: float
    producer: Producer
    samples: tuple[tuple[str, tuple[float, ...]], ...] = ()


@frozen
class Audited:
    """The last audit of a result: when (seconds since 1970, UTC), whether all was identical, and
    how long ago that was (seconds) when it was asked.
    """

    finished: float
    identical: bool
    age: float = 0.0


def undeclared(step: Step, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Those that the step does not declare to write."""
    plain = {path.rstrip("/") for path in step.writes}
    inside = tuple(path for path in step.writes if path.endswith("/"))
    return tuple(o for o in outputs if o.path not in plain and not o.path.startswith(inside))


def needs(result: Result) -> tuple[str, ...]:
    """Names of the objects of a result, without `blake3:`: its outputs or their packs, its log."""
    files = (output for output in result.outputs if output.kind == "file")
    digests = dict.fromkeys(output.pack or output.digest for output in files)
    return tuple(one.removeprefix("blake3:") for one in (*digests, result.log) if one)
