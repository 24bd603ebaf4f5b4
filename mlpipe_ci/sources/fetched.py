"""Contents of sources in the local cache: each as the result of having been fetched.

So they are saved, verified and collected as all else; `mlpipe show` finds where data came from.
"""

import time
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.cache.layout import unfinished
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.cache_key import KeyParts
from mlpipe_ci.core.result import Output, Producer, Result
from mlpipe_ci.sources.base import SourceItem

SCOPE = "sources"
"""Never sent anywhere: who needs it has the source."""


class FetchedFiles:
    """What was fetched, by the version of its source."""

    def __init__(self, directory: Path) -> None:
        self._store = Store(directory)

    def find(self, item: SourceItem) -> Output | None:
        """The content of an item, if it is here."""
        for result in self._store.results(_key(item), (SCOPE,)):
            self._store.used(result)
            for output in result.outputs:
                if self._store.holds(output):
                    return output
        return None

    def save(self, item: SourceItem, file: str, shown: str) -> Output:
        """Take a whole file into the cache. Raises OSError."""
        digest, size = self._store.adopt(file)
        output = Output(path=item.path, kind="file", digest=digest, size=size)
        self.note(item, output, shown)
        return output

    def note(self, item: SourceItem, output: Output, shown: str) -> None:
        """A content is that of an item. Raises OSError."""
        parts = KeyParts(
            run=f"fetch {shown}",
            shell="",
            directory=".",
            params=(),
            env=(),
            outputs=(item.path,),
            inputs=(item.input,),
        )
        result = Result(
            key=_key(item),
            step=f"source {shown}",
            parts=parts,
            discovered=(),
            outputs=(output,),
            metrics=(),
            log="",
            seconds=0.0,
            finished=time.time(),
            producer=Producer(),
        )
        self._store.add(result, SCOPE, instead=True)

    def restore(self, output: Output, destination: Path) -> None:
        """Write a content to its place, whole or not at all. Raises DamagedError, OSError."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        self._store.restore(output.digest, destination)

    def partial(self, item: SourceItem) -> str:
        """Where an item that is on its way waits for the rest."""
        folder = unfinished(self._store.directory)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder / f"source-{_key(item)}")


def _key(item: SourceItem) -> str:
    return str(blake3(f"mlpipe-source {item.digest}".encode("utf-8", "replace")).hexdigest())
