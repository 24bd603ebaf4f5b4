"""Which results a remote store has: those of the last run in one request, the rest by their key."""

import json
from collections.abc import Iterator

from mlpipe_ci.cache.codec import decode_result, is_earlier
from mlpipe_ci.cache.layout import RESULTS
from mlpipe_ci.cache.remote import compression, layout
from mlpipe_ci.cache.remote.client import RemoteClient
from mlpipe_ci.cache.remote.errors import ErrorKind, RemoteError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.result import Result

VERSION = 1
PAGE = 1000
"""Entries of a listing that one request brings."""
MOST_RESULT, MOST_RECENT = 64 << 20, 256 << 20
"""Bytes that a result, and the results of a run together, may have."""
TRIES = 2


@frozen
class Found:
    """A result in a store. `data`: its file, as the local store has it."""

    scope: str
    name: str
    data: bytes
    result: Result


class ResultIndex:
    """The results in some scopes of a store. `workflow`: path of the file whose runs are recent."""

    def __init__(self, client: RemoteClient, scopes: tuple[str, ...], workflow: str) -> None:
        self._client, self._scopes, self._workflow = client, scopes, workflow
        self._recent: dict[str, tuple[Found, ...]] = {}
        self._listed: dict[str, dict[str, list[str]] | None] = {}
        self._read_before: dict[str, Found | None] = {}
        self._broken: set[str] = set()
        self._at_hand: dict[str, list[Result]] = {}
        self._by_key_of = 0
        self.earlier = False
        """True once a result was met that an earlier version of mlpipe made."""

    def batches(self, key: str) -> Iterator[tuple[Found, ...]]:
        """Results of a key: first those that recent runs used, then all. Nothing where it fails."""
        known: set[tuple[str, str]] = set()
        for scope in self._scopes:
            found = tuple(one for one in self.recent(scope) if one.result.key == key)
            known |= {(scope, one.name) for one in found}
            if found:
                yield found
        for scope in self._scopes:
            names = [name for name in self._names(scope, key) if (scope, name) not in known]
            read = (self._read(scope, key, name) for name in names)
            found = tuple(one for one in read if one is not None)
            if found:
                yield found

    def has(self, scope: str, key: str, name: str) -> bool:
        """True if a scope has this result."""
        recent = self.recent(scope)
        if any(one.result.key == key and one.name == name for one in recent):
            return True
        return name in self._names(scope, key)

    def recent(self, scope: str) -> tuple[Found, ...]:
        """What the last run of the workflow used that wrote to a scope. One request, once."""
        if scope not in self._recent:
            data = self._get(layout.recent_path(scope, self._workflow), MOST_RECENT)
            self._recent[scope] = tuple(decode_recent(scope, data)) if data else ()
            found = {one.data for one in self._recent[scope]}
            rest = (text for _, _, text in _rows(data or b"") if text not in found)
            self.earlier |= any(map(is_earlier, rest))
        return self._recent[scope]

    def at_hand(self, key: str) -> tuple[Result, ...]:
        """Results of a key among what was already asked for."""
        if self._by_key_of != len(self._recent):
            self._by_key_of = len(self._recent)
            self._at_hand = {}
            for found in self._recent.values():
                for one in found:
                    self._at_hand.setdefault(one.result.key, []).append(one.result)
        return tuple(self._at_hand.get(key, ()))

    def _names(self, scope: str, key: str) -> list[str]:
        """Names of a key's results; from the listing of all, if that is one page."""
        prefix = layout.all_of(scope, RESULTS)
        try:
            if scope not in self._listed:
                self._listed[scope] = None
                paths = [entry.path for entry in self._client.entries(prefix, PAGE)]
                if len(paths) < PAGE:
                    self._listed[scope] = _by_key(paths)
            listed = self._listed[scope]
            if listed is not None:
                return listed.get(key, [])
            paths = [
                entry.path for entry in self._client.entries(layout.results_of(scope, key), PAGE)
            ]
            return _by_key(paths).get(key, [])
        except RemoteError:
            return []

    def is_broken(self, scope: str, key: str, name: str) -> bool:
        """True if a result was there, and could not be read: the next one takes its place."""
        return layout.result_path(scope, key, name) in self._broken

    def _read(self, scope: str, key: str, name: str) -> Found | None:
        path = layout.result_path(scope, key, name)
        if path not in self._read_before:
            data = self._get(path, MOST_RESULT)
            result = decode_result(data) if data else None
            self.earlier |= result is None and is_earlier(data or b"")
            if data is None or result is None or result.key != key:
                self._read_before[path] = None
                self._broken |= {path} if data is not None else set()
            else:
                self._read_before[path] = Found(scope=scope, name=name, data=data, result=result)
        return self._read_before[path]

    def _get(self, path: str, most: int) -> bytes | None:
        """A small object, read twice if it comes damaged; None if it cannot be had."""
        for _ in range(TRIES):
            try:
                return compression.unpacked(self._client.get(path), most)
            except compression.FrameError:
                self._broken.add(path)
            except RemoteError as error:
                if error.kind is not ErrorKind.FAILED:
                    return None
        return None


def encode_recent(found: list[Found]) -> bytes:
    """Results of a run as one text."""
    rows = [[one.result.key, one.name, one.data.decode("ascii")] for one in found]
    return json.dumps({"version": VERSION, "results": rows}).encode("ascii")


def decode_recent(scope: str, data: bytes) -> Iterator[Found]:
    """The results in such a text; what is wrong with it is left out."""
    for key, name, content in _rows(data):
        result = decode_result(content)
        if result is not None and result.key == key:
            yield Found(scope=scope, name=name, data=content, result=result)


def _rows(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Key, name and bytes of each result."""
    try:
        record = json.loads(data)
        rows = record["results"] if record["version"] == VERSION else []
        for key, name, text in rows:
            yield key, str(name), str(text).encode("ascii")
    except (ValueError, KeyError, TypeError, RecursionError):
        return


def _by_key(paths: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        if path.count("/") > 3:  # noqa: PLR2004 - what is not ours has no key
            key, name = layout.key_of(path)
            found.setdefault(key, []).append(name)
    return found
