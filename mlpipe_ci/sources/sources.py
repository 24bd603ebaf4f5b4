"""Data that git does not have: asked once in a run for its version, fetched when it is needed."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import PathError, SourceChangedError, SourceError
from mlpipe_ci.core.external_url import identity, redacted, scheme_of
from mlpipe_ci.core.import_path import load_object
from mlpipe_ci.core.paths import is_glob, normal, path_fault
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import MARK, Failure, Reader, ReaderError, SourceItem, SourceKind
from mlpipe_ci.sources.fetch import fetch, found_content
from mlpipe_ci.sources.fetched import FetchedFiles

AT_ONCE = 16
"""Sources that are asked at the same time."""
PATIENCE = 4
"""How many time-outs a source has for all its answers together."""
SourceKey = tuple[str, str]
"""URL and path."""


class Memory(Protocol):
    """What is remembered of sources from run to run."""

    def source(self, address: str) -> str | None:
        """The text that was saved for an address."""

    def save_source(self, address: str, text: str) -> None:
        """Save a text."""


class Sources:
    """The sources of one run. `say` gets warnings, `progress` how far a transfer is.

    `recall`: what the cache knows of the version of a source that was used last.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        cache: Path,
        memory: Memory,
        say: Callable[[str], None],
        progress: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._env, self._memory, self._say, self._progress = env, memory, say, progress
        self.contents = FetchedFiles(cache)
        self.recall: Callable[[ExternalInput], tuple[Input, ...]] = lambda _external: ()
        self._wanted: dict[SourceKey, ExternalInput] = {}
        self._found: dict[SourceKey, tuple[SourceItem, ...] | SourceError] = {}
        self._stale: dict[SourceKey, str] = {}
        self._by_path: dict[SourceKey, tuple[tuple[SourceItem, ...], dict[str, SourceItem]]] = {}
        self._readers: dict[str, Reader] = {}
        self._lock = threading.Lock()

    def expect(self, externals: Iterable[ExternalInput]) -> None:
        """These will be asked for: so all of them are asked at once."""
        self._wanted |= {_key(one): one for one in externals}

    def items(self, external: ExternalInput) -> tuple[SourceItem, ...]:
        """What a source has now, sorted by path. Raises SourceError."""
        key = _key(external)
        if key not in self._found:
            self._look({**self._wanted, key: external})
        found = self._found[key]
        if isinstance(found, SourceError):
            raise found
        return found

    def meant(self, external: ExternalInput, pattern: str) -> tuple[SourceItem, ...]:
        """Those items that a pattern means. Raises SourceError."""
        found = self.items(external)
        if not is_glob(pattern):  # the one item of a step, of perhaps many thousand
            key = _key(external)
            if self._by_path.get(key, ((), {}))[0] is not found:
                self._by_path[key] = found, {item.path: item for item in found}
            if item := self._by_path[key][1].get(pattern):
                return (item,)
        return tuple(item for item in found if matches(pattern, item.path))

    def stale(self, external: ExternalInput) -> str:
        """Why what the source had last is used; empty if it was asked."""
        return self._stale.get(_key(external), "")

    def forget(self, external: ExternalInput) -> None:
        """It has changed since it was asked: it is asked again."""
        self._found.pop(_key(external), None)

    def bring(self, external: ExternalInput, item: SourceItem) -> Output:
        """The content of an item, in the local cache. Raises SourceError, PathError.

        Raises SourceMovedError if the source has another version by now.
        """
        there = self.contents.find(item)
        if there is not None:
            return there
        if why := self.stale(external):
            raise SourceError(f"{why}, and what it had last is not in this cache")
        name = redacted(external.url)
        try:
            output = fetch(self._reader(external), item, self.contents, name, self._progress)
        except ReaderError as fault:
            raise SourceError(f"{name} cannot be fetched: {fault}") from None
        except SourceChangedError:
            self.forget(external)
            raise
        if item.kind is SourceKind.CONTENT and output.digest != item.value:
            self.forget(external)
            raise SourceChangedError(f"{name} has changed since this run began")
        return output

    def _look(self, wanted: Mapping[SourceKey, ExternalInput]) -> None:
        """Ask all that were not asked yet, at the same time, and not for ever."""
        asked = [one for key, one in wanted.items() if key not in self._found]
        answers: dict[SourceKey, tuple[SourceItem, ...] | ReaderError | Exception] = {}
        limit, slots = from_env(self._env).remote_timeout, threading.Semaphore(AT_ONCE)
        last = {_key(one): self._last(one) for one in asked}  # SQLite is for one thread

        def ask(one: ExternalInput) -> None:
            with slots:
                try:
                    answers[_key(one)] = self._reader(one).look(one, last[_key(one)])
                except Exception as error:  # noqa: BLE001 - raised below, for who asked
                    answers[_key(one)] = error

        threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in asked]
        for thread in threads:
            thread.start()
        rounds = 1 + len(threads) // AT_ONCE
        for thread in threads:
            thread.join(limit * PATIENCE * rounds)
        late = ReaderError(Failure.BROKEN, "no answer in time")
        for one in asked:
            self._found[_key(one)] = self._judged(one, answers.get(_key(one), late))

    def _judged(
        self, external: ExternalInput, answer: tuple[SourceItem, ...] | Exception
    ) -> tuple[SourceItem, ...] | SourceError:
        name = redacted(external.url)
        if isinstance(answer, ReaderError):
            return self._unreachable(external, answer)
        if isinstance(answer, Exception):
            raise answer
        try:
            found = tuple(self._known(external, item) for item in answer)
        except ReaderError as fault:
            return self._unreachable(external, fault)
        except PathError as error:
            return SourceError(f"{name} cannot be used: {error}")
        except OSError as error:
            return SourceError(f"{name} cannot be saved in the cache: {error.strerror}")
        if not found:
            return SourceError(f"{name}: nothing matches")
        paths = [item.path for item in found]
        if wrong := next(filter(None, map(_path_fault, paths)), "") or _collision(paths):
            return SourceError(f"{name} cannot be used: {wrong}")
        found = tuple(sorted(found, key=lambda item: item.path))
        self._remember(external, found)
        return found

    def _known(self, external: ExternalInput, item: SourceItem) -> SourceItem:
        """The item; where its source has no versions, it is read, and its content counts."""
        if item.kind is not SourceKind.CONTENT or item.value:
            return item
        name = redacted(external.url)
        self._say(
            f"warning: {name} says neither ETag nor Last-Modified with its size, so it is read "
            "as a whole in each run"
        )
        reader = self._reader(external)
        output = fetch(reader, item, self.contents, name, self._progress)
        known = found_content(item, output)
        self.contents.note(known, output, name)
        return known

    def _unreachable(
        self, external: ExternalInput, fault: ReaderError
    ) -> tuple[SourceItem, ...] | SourceError:
        name = redacted(external.url)
        if fault.failure is Failure.MISSING or not external.use_last:
            return SourceError(f"{name} cannot be had: {fault}")
        last = self._last(external) or tuple(map(_as_item, self.recall(external)))
        if not last:
            text = f"{name} cannot be had: {fault}; nothing is known of what it had last"
            return SourceError(text)
        self._stale[_key(external)] = f"{name} cannot be had ({fault}); what it had last is used"
        return last

    def _reader(self, external: ExternalInput) -> Reader:
        scheme = scheme_of(external.url)
        if scheme is None:
            raise RuntimeError("a URL of no known scheme is refused before")
        with self._lock:
            # Each is imported only where it is needed: requests takes 0.1 s.
            if scheme.reader not in self._readers:
                self._readers[scheme.reader] = load_object(scheme.reader)(self._env)
            return self._readers[scheme.reader]

    def _last(self, external: ExternalInput) -> tuple[SourceItem, ...]:
        try:
            records: list[dict[str, Any]] = json.loads(
                self._memory.source(_address(external)) or "[]"
            )
            items = [SourceItem(**(one | {"kind": SourceKind(one["kind"])})) for one in records]
        except (ValueError, TypeError, KeyError, AttributeError):
            return ()
        return tuple(replace(i, key=external.url) if i.key == "" else i for i in items)

    def _remember(self, external: ExternalInput, found: tuple[SourceItem, ...]) -> None:
        """All but the URL itself, which may be signed."""
        plain = [vars(i) | {"key": "" if i.key == external.url else i.key} for i in found]
        if len(plain) <= MOST_REMEMBERED:
            self._memory.save_source(_address(external), json.dumps(plain))


MOST_REMEMBERED = 10_000
"""Items of one source that are remembered."""


def _key(external: ExternalInput) -> SourceKey:
    return external.url, external.path


def _address(external: ExternalInput) -> str:
    return f"{identity(external.url)} {external.path}"


def _as_item(known: Input) -> SourceItem:
    version, _, owner = known.digest.removeprefix(MARK).rpartition(":")
    kind, _, value = version.partition(":")
    return SourceItem(path=known.path, owner=owner, key="", kind=SourceKind(kind), value=value)


def _path_fault(path: str) -> str:
    """Why an object may not be written to the path that its name asks for."""
    if not path.isprintable() or normal(path) != path:
        return f"{path!r} is no name of a file"
    return path_fault(path) or ""


def _collision(paths: list[str]) -> str:
    known = set(paths)
    if len(known) < len(paths):
        return "two objects have the same name"
    above = (
        (path, "/".join(path.split("/")[:n]))
        for path in paths
        for n in range(1, path.count("/") + 1)
    )
    return next(
        (f"'{top}' is an object, and holds '{path}'" for path, top in above if top in known), ""
    )
