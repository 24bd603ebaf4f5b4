"""The local store: contents named by their digest, and results named by their key; see `layout`.

Objects are written first and the result last, each as a temporary file that is then renamed, so
that a process killed at any moment leaves nothing half-written in its place.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from mlpipe_ci.cache import layout
from mlpipe_ci.cache.codec import decode_result, encode_result
from mlpipe_ci.cache.decoded_results import DecodedResults
from mlpipe_ci.cache.objects import Objects
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.run import Transfers

DAY = 86_400.0
MOST_EXPLAINED = 2000
"""Results that are read to find the one that is nearest to a key."""

EARLIER = (
    "results of an earlier version of mlpipe are in the cache and are not used: they do not "
    "say all that a step saw and left; what runs now is stored anew"
)
"""What is said once where `has_earlier`."""


class Store(Objects):
    """Contents, and results that need them. `decoded`: results that were read before."""

    def __init__(
        self, directory: Path, decoded: DecodedResults | None = None, *, links: bool = False
    ) -> None:
        super().__init__(directory, links=links)
        self._recall = decoded or DecodedResults()
        self._looked_at: dict[str, list[tuple[str, float]]] = {}

    def results(self, key: str, scopes: tuple[str, ...]) -> tuple[Result, ...]:
        """All results for a key, by scope in order. What cannot be read is as if it were not."""
        folders = (layout.results_of(self._top, scope, key) for scope in scopes)
        found = [one for folder in folders for one in self._recall.results(folder)]
        self._looked_at[key] = [(path, used) for path, used, _ in found]
        return tuple(result for _, _, result in found if result.key == key)

    @property
    def has_earlier(self) -> bool:
        """True if results were found for a key that an earlier version made, and this one cannot
        read.
        """
        return self._recall.earlier

    def further(
        self,
        key: str,  # noqa: ARG002 - for those below
        scopes: tuple[str, ...] | None = None,  # noqa: ARG002
    ) -> Iterator[tuple[Result, ...]]:
        """More results for a key, from farther and farther away; a local store has none.

        `scopes`: only those of these.
        """
        yield from ()

    def at_hand(self, key: str, scopes: tuple[str, ...]) -> tuple[Result, ...]:
        """Results of a key as far as they are known without asking for them elsewhere."""
        found: list[Result] = []
        for scope in scopes:
            folder = layout.results_of(self._top, scope, key)
            with suppress(OSError):
                paths = [f"{folder}/{name}" for name in os.listdir(folder)]
                found += filter(None, map(_read_result, paths))
        return tuple(one for one in found if one.key == key)

    def used(self, result: Result) -> None:
        """A result is reused: with those of its key it is among the last to be collected."""
        for path, used in self._looked_at.get(result.key, ()):
            if time.time() - used > DAY:
                with suppress(OSError):
                    os.utime(path)

    def of_step(self, name: str, scopes: tuple[str, ...]) -> Iterator[Result]:
        """Results of the step of this name, whatever their key; the newest first, of the last few.

        To explain: all of a large cache is not looked at.
        """
        yield from (result for result in self._newest(scopes) if result.step == name)

    def recent(self, scopes: tuple[str, ...]) -> Iterator[Result]:
        """The last few results of all, as far as they are known without asking for each."""
        yield from self._newest(scopes)

    def latest(self, scopes: tuple[str, ...]) -> dict[str, Result]:
        """The newest result of each step, by its name, among the last few of all."""
        found: dict[str, Result] = {}
        for result in self._newest(scopes):
            if result.parts:
                found[result.step] = max(result, found.get(result.step, result), key=_finished)
        return found

    def _newest(self, scopes: tuple[str, ...]) -> Iterator[Result]:
        """The last few results of all, the newest first."""
        found: list[tuple[float, Path]] = []
        for scope in scopes:
            for path in Path(f"{self._top}/{layout.RESULTS}/{scope}").glob("*/*/*.json"):
                with suppress(OSError):
                    found.append((path.stat().st_mtime, path))
        for _, path in sorted(found, reverse=True)[:MOST_EXPLAINED]:
            if result := _read_result(str(path)):
                yield result

    def mentioning(self, digest: str) -> Iterator[Result]:
        """Results of any scope that have to do with a content: they wrote it, or read it."""
        wanted = digest.encode("ascii")
        for path in Path(f"{self._top}/{layout.RESULTS}").rglob("*.json"):
            with suppress(OSError):
                data = path.read_bytes()
                if wanted in data and (result := decode_result(data)):
                    yield result

    def written(self, name: str) -> set[str]:
        """Digests of all that the known results of a step wrote."""
        try:
            scopes = tuple(os.listdir(f"{self._top}/{layout.RESULTS}"))
        except OSError:
            return set()
        return {output.digest for one in self.of_step(name, scopes) for output in one.outputs}

    def add(self, result: Result, scope: str, *, instead: bool = False) -> Result | None:
        """Keep a result. Returns the one that was there first, if it has the same inputs.

        The first writer wins (a link is created only where there is none), unless the user wants
        this one `instead`. Raises OSError.
        """
        path = layout.result_path(self._top, scope, result.key, name_of(result))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary, index = self._temporary()
        try:
            with open(index, "wb") as file:
                file.write(encode_result(result))
            os.link(temporary, path)
        except FileExistsError:
            earlier = _read_result(path)
            whole = earlier and all(self.holds(output) for output in earlier.outputs)
            if instead or not whole:
                os.replace(temporary, path)
            return earlier if whole else None
        finally:
            Path(temporary).unlink(missing_ok=True)
        return None

    def finish(self, seconds: float | None = None) -> None:
        """The run is over: what is still to be done, in so many seconds."""

    def transfers(self) -> Transfers | None:
        """What went to and came from elsewhere; None where there is no such place."""
        return None


def _finished(result: Result) -> float:
    return result.finished


def name_of(result: Result) -> str:
    """The name of a result among those of its key: 16 hexadecimal digits for discovered inputs."""
    text = repr(result.discovered).encode("utf-8", "surrogateescape")
    return blake3(text).hexdigest()[:16]


def _read_result(path: str) -> Result | None:
    try:
        return decode_result(Path(path).read_bytes())
    except OSError:
        return None


def sweep(store: Store, older_than: float) -> None:
    """Remove what killed processes left unfinished before `older_than` (seconds since 1970)."""
    folder = layout.unfinished(store.directory)
    with suppress(OSError):  # a read-only or vanishing store is no reason to stop
        for path in folder.iterdir():
            if path.stat().st_mtime < older_than:
                path.unlink(missing_ok=True)
