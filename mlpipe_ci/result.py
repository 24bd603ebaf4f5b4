"""What a step left behind for one key: the value that the cache keeps."""

from dataclasses import dataclass

from mlpipe_ci.keys import Input, KeyParts


@dataclass(frozen=True, kw_only=True, order=True)
class Output:
    """One path that a step wrote. `kind` is `file`, `link` or `directory` (an empty one).

    `digest` is `blake3:…` of a file's content; of a link, the text of its target. `size` in bytes.
    """

    path: str
    kind: str
    digest: str
    size: int
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class Producer:
    """Where a result was made: named when it is reused, and when it turns out to be damaged."""

    repository: str = ""
    commit: str = ""
    ref: str = ""
    event: str = ""
    run_url: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One success of a step. `seconds` it took; `finished` in seconds since 1970 (UTC).

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
