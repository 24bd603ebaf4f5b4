"""Where a file comes from: the result that made it, what that was made from, and so on. Pure."""

from collections.abc import Callable, Iterable

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.directory_listing import is_listing
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Result

CONTENT = "blake3:"
CONTENTS = (CONTENT, "git:")
MOST = 500
"""Files that are followed: a step may read thousands."""
Find = Callable[[str], Iterable[Result]]
"""Results that have something to do with a digest, the newest first."""


@frozen
class LineageNode:
    """A file with its digest. `result`: what made it (None: it is a source); `inputs`: what that
    read, where it is known file by file; `again`: it stands further up with all it comes from.
    `measured`: results with metrics that read the file.
    """

    path: str
    digest: str
    result: Result | None = None
    inputs: tuple["LineageNode", ...] = ()
    measured: tuple[Result, ...] = ()
    again: bool = False


def lineage_of(path: str, digest: str, find: Find) -> LineageNode:
    """Follow a file to its sources. `find` is asked once for each content."""
    followed: set[tuple[str, str]] = set()
    found = _origin(Input(path=path, digest=digest), find, followed)
    readers = (one for one in find(digest) if one.metrics and _reads(one, path, digest))
    once = {(one.step, one.metrics): one for one in readers}
    return LineageNode(**(vars(found) | {"measured": tuple(once.values())}))


def read_by(result: Result) -> tuple[Input, ...]:
    """Files of the repository that a result rests on: declared ones, then those that were seen."""
    declared = result.parts.inputs if result.parts else ()
    known = {item.path for item in declared}
    seen = (
        item
        for item in result.discovered
        if item.digest.startswith(CONTENTS) and not item.path.startswith("/")
    )
    return (*declared, *(item for item in seen if item.path not in known))


def _origin(item: Input, find: Find, followed: set[tuple[str, str]]) -> LineageNode:
    made = _maker(item, find)
    if made is None or (item.path, item.digest) in followed or len(followed) >= MOST:
        return LineageNode(path=item.path, digest=item.digest, result=made, again=made is not None)
    followed.add((item.path, item.digest))
    inputs = tuple(_origin(one, find, followed) for one in read_by(made))
    return LineageNode(path=item.path, digest=item.digest, result=made, inputs=inputs)


def _maker(item: Input, find: Find) -> Result | None:
    """The first result that wrote this content to this path."""
    if is_listing(item) or not item.digest.startswith(CONTENT):
        return None
    makers = [
        one
        for one in find(item.digest)
        if any(o.path == item.path and o.digest == item.digest for o in one.outputs)
    ]
    return min(makers, key=lambda one: one.finished, default=None)


def _reads(result: Result, path: str, digest: str) -> bool:
    return any(one.path == path and one.digest == digest for one in read_by(result))
