"""What a source is: asked whether its data is what it was, and read as a stream."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from blake3 import blake3

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.workflow import ExternalInput

MARK = "source:"
"""What the digest of data outside of git begins with."""
LONGEST = 100
"""Characters of a source's own word for its version that stay as they are."""
MOST = 100_000
"""Objects that one URL may mean."""


class SourceKind(StrEnum):
    """By what a source distinguishes its versions; `content`: by nothing, so that it was read."""

    VERSION = "version"
    ETAG = "etag"
    WEAK = "weak etag"
    MODIFIED = "modified"
    CONTENT = "content"


@frozen
class SourceItem:
    """One file or object of a source: where it goes in the work tree, and which version it is.

    `owner`: the identity of its own URL, also of one of many; `key`: the URL of a file on the web,
    the path of an object in its bucket, or of a file. `size` in bytes, None if that is not known.
    `tag`: its ETag as a request can name it, if it vouches for each byte.
    """

    path: str
    owner: str
    key: str
    kind: SourceKind
    value: str
    size: int | None = None
    tag: str = ""

    @property
    def digest(self) -> str:
        """By which it counts in a key. Its content's is not known before it is fetched."""
        plain = self.value.isprintable() and self.value.isascii() and len(self.value) <= LONGEST
        value = self.value if plain else blake3(self.value.encode("utf-8", "replace")).hexdigest()
        return f"{MARK}{self.kind}:{value}:{self.owner}"

    @property
    def input(self) -> Input:
        """As the input of a step."""
        return Input(path=self.path, digest=self.digest)


@frozen
class SourceStream:
    """An item on its way, from byte `start` on. `item`: which version it is, as the answer says;
    `size`: bytes of all of it, None if that is not known. `checks`: what the answer says of all its
    bytes, by the name of the algorithm, in hexadecimal digits.
    """

    item: SourceItem | None
    chunks: Iterator[bytes]
    start: int = 0
    size: int | None = None
    checks: tuple[tuple[str, str], ...] = ()


class Failure(StrEnum):
    """How a source that cannot be had is to be taken."""

    MISSING = "missing"
    REFUSED = "refused"
    BROKEN = "broken"


class ReaderError(Exception):
    """A source did not give what was asked for. The text is a reason, with nothing secret in it."""

    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


class Reader(Protocol):
    """Reads sources of one kind. Both raise ReaderError and nothing else.

    A kind is a line in `external_url.SCHEMES`.
    """

    def look(self, external: ExternalInput, last: tuple[SourceItem, ...]) -> tuple[SourceItem, ...]:
        """What is there now: one cheap request. `last`: what was there when it was looked last.

        Of a source that says nothing about its versions an item of the kind `content`, without a
        value.
        """

    def stream(self, item: SourceItem, start: int) -> SourceStream:
        """Its bytes, from `start` on if that can be; the answer says where it begins."""
