"""The local store, with a remote one behind it: what is not here is looked for there."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache.decoded_results import DecodedResults
from mlpipe_ci.cache.layout import result_path
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.remote import compression, layout
from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.downloads import bring
from mlpipe_ci.cache.remote.errors import RemoteError
from mlpipe_ci.cache.remote.index import Found, ResultIndex, encode_recent
from mlpipe_ci.cache.remote.uploads import Upload, Uploads
from mlpipe_ci.cache.store import Store, name_of
from mlpipe_ci.core.event import CacheAccess
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Output, Result, needs
from mlpipe_ci.core.run import Transfers

AT_ONCE = 8
"""Contents that are brought at the same time."""
MOST_RECENT = 5000
"""Results that a run's record of what it used may have."""


@frozen
class RemoteCache:
    """A remote store as a run uses it. `workflow`: path of its file; `run`: an id of this run;
    `warn` gets what went wrong, `progress` how far a transfer is.
    """

    client: RemoteClient
    access: CacheAccess
    workflow: str
    run: str
    progress: Callable[[str], None] = lambda _text: None


class SharedStore(Store):
    """A local store that brings what it lacks, and sends what is new. `scopes`: the local ones.

    Nothing is asked of the remote store as long as the local one has what is wanted.
    """

    def __init__(
        self,
        directory: Path,
        decoded: DecodedResults | None,
        remote: RemoteCache,
        scopes: tuple[str, ...],
        *,
        links: bool = False,
    ) -> None:
        super().__init__(directory, decoded, links=links)
        self.remote, self._scopes = remote, scopes
        self._index = ResultIndex(remote.client, remote.access.reads, remote.workflow)
        self._uploads = Uploads(remote.client, self._is_damaged)
        self._found: dict[tuple[str, str], Found] = {}
        self._where: dict[str, list[str]] = {}
        self._damaged: set[str] = set()
        self._used: dict[tuple[str, str], Found] = {}

    def _is_damaged(self, digest: str) -> bool:
        return digest.removeprefix("blake3:") in self._damaged

    @property
    def has_earlier(self) -> bool:
        """As in a local store, here or there."""
        return super().has_earlier or self._index.earlier

    def further(
        self, key: str, scopes: tuple[str, ...] | None = None
    ) -> Iterator[tuple[Result, ...]]:
        """Results of a key in the remote store: first those of recent runs, then all.

        `scopes`: only those of these.
        """
        for batch in self._index.batches(key):
            for one in batch:
                self._found.setdefault((key, one.name), one)
                for digest in needs(one.result):
                    paths = self._where.setdefault(digest, [])
                    if one.scope not in paths:
                        paths.append(one.scope)
            yield tuple(one.result for one in batch if scopes is None or one.scope in scopes)

    def at_hand(self, key: str, scopes: tuple[str, ...]) -> tuple[Result, ...]:
        """As in a local store, and of what recent runs used, if that was asked for already."""
        return (*super().at_hand(key, scopes), *self._index.at_hand(key))

    def recent(self, scopes: tuple[str, ...]) -> Iterator[Result]:
        """As in a local store, and those that recent runs used that wrote to the remote one."""
        yield from super().recent(scopes)
        for scope in self.remote.access.reads:
            yield from (one.result for one in self._index.recent(scope))

    def latest(self, scopes: tuple[str, ...]) -> dict[str, Result]:
        """As in a local store, and among what recent runs used that wrote to this one."""
        found = super().latest(scopes)
        recent = (one.result for s in self.remote.access.reads for one in self._index.recent(s))
        for result in (result for result in recent if result.parts):
            if result.finished > (found[result.step].finished if result.step in found else 0):
                found[result.step] = result
        return found

    def holds(self, output: Output) -> bool:
        """True if the content of an output is here, or there."""
        name = (output.pack or output.digest).removeprefix("blake3:")
        return super().holds(output) or (name in self._where and name not in self._damaged)

    def bring(self, digests: Iterable[str]) -> None:
        """Get contents that are not here. Raises DamagedError if one of them cannot be had."""
        names = dict.fromkeys(digest.removeprefix("blake3:") for digest in digests)
        absent = [name for name in names if not os.path.exists(self._object(name))]
        wanted = [name for name in absent if name in self._where]
        if len(wanted) > 1:
            # 10 ms to import, where something is brought at all.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            progress = _Progress(self.remote.progress, len(wanted))
            with ThreadPoolExecutor(AT_ONCE) as pool:
                tasks = [pool.submit(self._bring, name, progress) for name in wanted]
                errors = [task.exception() for task in tasks]
            self.remote.progress("")
            for error in filter(None, errors):
                raise error
        elif wanted:
            self._bring(wanted[0], _Progress(self.remote.progress, 1))
            self.remote.progress("")

    def _bring(self, name: str, progress: "_Progress") -> None:
        """From the first scope that has it. Raises DamagedError, OSError."""
        digest, reason = f"blake3:{name}", ""
        for scope in self._where[name]:
            path = layout.object_path(scope, digest)
            try:
                bring(self.remote.client, path, digest, self, progress.came)
                progress.done()
                return
            except RemoteError as error:
                reason = (
                    f"{digest[:15]}… could not be fetched from {self.remote.client.shown}: {error}"
                )
            except DamagedError as error:
                self._damaged.add(name)
                reason = str(error)
        raise DamagedError(reason)

    def used(self, result: Result) -> None:
        """A result is reused: it is saved here, and, if it is not there, sent."""
        super().used(result)
        name = name_of(result)
        found = self._found.get((result.key, name))
        if found is not None:
            self._admit(found)
        rights = self.remote.access
        if rights.writes is None:
            return
        here = found or self._here(result, name)
        if here is None:
            return
        self._used[result.key, name] = here
        promoted = found is not None and found.scope != rights.writes and rights.writes == "main"
        lacking = found is None and not self._is_there(result.key, name)
        if promoted or lacking:
            self._send(here, source=found.scope if found else "")

    def _is_there(self, key: str, name: str) -> bool:
        scopes = self.remote.access.reads
        return any(self._index.has(scope, key, name) for scope in scopes)

    def _here(self, result: Result, name: str) -> Found | None:
        """A local result with its file's bytes."""
        for scope in self._scopes:
            with suppress(OSError):
                path = result_path(self._top, scope, result.key, name)
                with open(path, "rb") as file:
                    return Found(scope="", name=name, data=file.read(), result=result)
        return None

    def add(self, result: Result, scope: str, *, instead: bool = False) -> Result | None:
        """As a local store does; then it is sent, while the run goes on."""
        earlier = super().add(result, scope, instead=instead)
        name = name_of(result)
        saved = earlier if earlier is not None and not instead else result
        here = self._here(saved, name) if self.remote.access.writes else None
        if here is not None:
            self._used[result.key, name] = here
            self._send(here, instead=instead or (result.key, name) in self._found)
        return earlier

    def _send(self, here: Found, *, source: str = "", instead: bool = False) -> None:
        scope = self.remote.access.writes
        if scope is None:
            return
        names, key = needs(here.result), here.result.key
        broken = self._index.is_broken(scope, key, here.name)
        contents = tuple((f"blake3:{name}", self._object(name)) for name in names)
        self._uploads.send(
            Upload(
                scope=scope,
                key=key,
                name=here.name,
                data=here.data,
                contents=contents,
                source=source,
                instead=instead or broken,
            )
        )

    def _admit(self, found: Found) -> None:
        """Keep a result of the remote store here as well. A full disk is no fault."""
        path = result_path(self._top, found.scope, found.result.key, found.name)
        if os.path.exists(path):
            return
        with suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            temporary, index = self._temporary()
            with open(index, "wb") as file:
                file.write(found.data)
            os.replace(temporary, path)

    def finish(self, seconds: float | None = None) -> None:
        """Wait until all is sent, `seconds` at most, and write down what this run used."""
        scope = self.remote.access.writes
        if self._wait(seconds) and scope is not None:
            self._record(scope)

    def _wait(self, seconds: float | None) -> bool:
        client, progress = self.remote.client, self.remote.progress
        whole = self._uploads.wait(
            seconds, lambda left: progress(f"sending {left} to {client.shown}")
        )
        progress("")
        if not whole:
            for _ in range(self._uploads.left):
                client.lost()
            client.warn(f"not all was sent to {client.shown} in time")
        return whole

    def _record(self, scope: str) -> None:
        """What this run used, for the next one to find in one request, and for the collection."""
        if not self._used or not self.remote.client.may_write:
            return
        before = self._index.recent(scope)
        mine = {
            pair: one
            for pair, one in self._used.items()
            if one.scope == scope or pair in self._uploads.arrived or self._lies(scope, pair)
        }
        steps = {one.result.step for one in mine.values()}
        others = [one for one in before if one.result.step not in steps]
        now = [*mine.values(), *others][:MOST_RECENT]
        if {one.data for one in now} == {one.data for one in before}:
            return
        client = self.remote.client
        names = "\n".join("/".join(_pair(one)) for one in now).encode("ascii")
        try:
            data = compression.packed(encode_recent(now))
            client.put(layout.recent_path(scope, self.remote.workflow), data, instead=True)
            path = layout.run_path(scope, time.time(), self.remote.run)
            client.put(path, compression.packed(names), instead=True)
        except RemoteError as error:
            client.lost()
            client.warn(f"what this run used was not written to {client.shown}: {error}")

    def _lies(self, scope: str, pair: tuple[str, str]) -> bool:
        return self._used[pair].scope == "" and self._index.has(scope, *pair)

    def transfers(self) -> Transfers:
        """What was transferred."""
        counts, rights = self.remote.client.counts, self.remote.access
        return Transfers(
            remote=self.remote.client.shown,
            scope=rights.writes or "",
            requests=counts.requests,
            fetched=counts.fetched,
            fetched_bytes=counts.received,
            stored=counts.stored,
            stored_bytes=counts.sent,
            failed=counts.failed,
            warnings=tuple(self.remote.client.warnings),
        )


class _Progress:
    """Says how much has come; safe from several threads, as a line too much does no harm."""

    def __init__(self, show: Callable[[str], None], files: int) -> None:
        self._show, self._files, self._done, self._bytes = show, files, 0, 0

    def came(self, count: int) -> None:
        self._bytes += count
        self._show(f"fetching {self._done} of {self._files} · {self._bytes / 1e6:,.1f} MB")

    def done(self) -> None:
        self._done += 1


def _pair(found: Found) -> tuple[str, str]:
    return found.result.key, found.name
