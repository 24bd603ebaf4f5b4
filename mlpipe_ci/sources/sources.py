"""Data that git does not have: asked once in a run for its version, fetched when it is needed."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from mlpipe_ci.cache.remote.connect import timeout
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.errors import PathError, SourceError, SourceMovedError
from mlpipe_ci.core.external_url import identity, kind_of, shown
from mlpipe_ci.core.paths import is_glob, normal, path_fault
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import External
from mlpipe_ci.sources.base import MARK, Failure, Item, Kind, Reader, ReaderError
from mlpipe_ci.sources.fetch import fetch, found_content
from mlpipe_ci.sources.fetched import Contents

AT_ONCE = 16
"""Sources that are asked at the same time."""
PATIENCE = 4
"""How many time-outs a source has for all its answers together."""
Place = tuple[str, str]
"""URL and path."""


class Memory(Protocol):
    """What is remembered of sources from run to run."""

    def source(self, address: str) -> str | None:
        """The text that was kept for an address."""

    def keep_source(self, address: str, text: str) -> None:
        """Keep a text."""


class Sources:
    """The sources of one run. `say` is told warnings, `tell` how far a transfer is.

    `recall`: what the cache knows of the version of a source that was used last.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        cache: Path,
        memory: Memory,
        say: Callable[[str], None],
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._env, self._memory, self._say, self._tell = env, memory, say, tell
        self.contents = Contents(cache)
        self.recall: Callable[[External], tuple[Input, ...]] = lambda _external: ()
        self._wanted: dict[Place, External] = {}
        self._found: dict[Place, tuple[Item, ...] | SourceError] = {}
        self._stale: dict[Place, str] = {}
        self._by_path: dict[Place, tuple[tuple[Item, ...], dict[str, Item]]] = {}
        self._readers: dict[str, Reader] = {}
        self._lock = threading.Lock()

    def expect(self, externals: Iterable[External]) -> None:
        """These will be asked for: so all of them are asked at once."""
        self._wanted |= {_place(one): one for one in externals}

    def items(self, external: External) -> tuple[Item, ...]:
        """What a source has now, sorted by path. Raises SourceError."""
        place = _place(external)
        if place not in self._found:
            self._look({**self._wanted, place: external})
        found = self._found[place]
        if isinstance(found, SourceError):
            raise found
        return found

    def meant(self, external: External, pattern: str) -> tuple[Item, ...]:
        """Those items that a pattern means. Raises SourceError."""
        found = self.items(external)
        if not is_glob(pattern):  # the one item of a step, of perhaps many thousand
            place = _place(external)
            if self._by_path.get(place, ((), {}))[0] is not found:
                self._by_path[place] = found, {item.path: item for item in found}
            if item := self._by_path[place][1].get(pattern):
                return (item,)
        return tuple(item for item in found if matches(pattern, item.path))

    def stale(self, external: External) -> str:
        """Why what the source had last is used; empty if it was asked."""
        return self._stale.get(_place(external), "")

    def forget(self, external: External) -> None:
        """It has changed since it was asked: it is asked again."""
        self._found.pop(_place(external), None)

    def bring(self, external: External, item: Item) -> Output:
        """The content of an item, in the local cache. Raises SourceError, PathError.

        Raises SourceMovedError if the source has another version by now.
        """
        there = self.contents.find(item)
        if there is not None:
            return there
        if why := self.stale(external):
            raise SourceError(f"{why}, and what it had last is not in this cache")
        name = shown(external.url)
        try:
            output = fetch(self._reader(external), item, self.contents, name, self._tell)
        except ReaderError as fault:
            raise SourceError(f"{name} cannot be fetched: {fault}") from None
        except SourceMovedError:
            self.forget(external)
            raise
        if item.kind is Kind.CONTENT and output.digest != item.value:
            self.forget(external)
            raise SourceMovedError(f"{name} has changed since this run began")
        return output

    def _look(self, wanted: Mapping[Place, External]) -> None:
        """Ask all that were not asked yet, at the same time, and not for ever."""
        asked = [one for place, one in wanted.items() if place not in self._found]
        answers: dict[Place, tuple[Item, ...] | ReaderError | Exception] = {}
        limit, slots = timeout(self._env), threading.Semaphore(AT_ONCE)
        last = {_place(one): self._last(one) for one in asked}  # SQLite is for one thread

        def ask(one: External) -> None:
            with slots:
                try:
                    answers[_place(one)] = self._reader(one).look(one, last[_place(one)])
                except Exception as error:  # noqa: BLE001 - told below, by who asked
                    answers[_place(one)] = error

        threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in asked]
        for thread in threads:
            thread.start()
        rounds = 1 + len(threads) // AT_ONCE
        for thread in threads:
            thread.join(limit * PATIENCE * rounds)
        late = ReaderError(Failure.BROKEN, "no answer in time")
        for one in asked:
            self._found[_place(one)] = self._judged(one, answers.get(_place(one), late))

    def _judged(
        self, external: External, answer: tuple[Item, ...] | Exception
    ) -> tuple[Item, ...] | SourceError:
        name = shown(external.url)
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
            return SourceError(f"{name} cannot be kept in the cache: {error.strerror}")
        if not found:
            return SourceError(f"{name}: nothing matches")
        paths = [item.path for item in found]
        if wrong := next(filter(None, map(_path_fault, paths)), "") or _collision(paths):
            return SourceError(f"{name} cannot be used: {wrong}")
        found = tuple(sorted(found, key=lambda item: item.path))
        self._remember(external, found)
        return found

    def _known(self, external: External, item: Item) -> Item:
        """The item; where its source tells no version, it is read, and its content tells."""
        if item.kind is not Kind.CONTENT or item.value:
            return item
        name = shown(external.url)
        self._say(
            f"warning: {name} says neither ETag nor Last-Modified with its size, so it is read "
            "as a whole in each run"
        )
        reader = self._reader(external)
        output = fetch(reader, item, self.contents, name, self._tell)
        known = found_content(item, output)
        self.contents.note(known, output, name)
        return known

    def _unreachable(
        self, external: External, fault: ReaderError
    ) -> tuple[Item, ...] | SourceError:
        name = shown(external.url)
        if fault.failure is Failure.MISSING or not external.use_last:
            return SourceError(f"{name} cannot be had: {fault}")
        last = self._last(external) or tuple(map(_as_item, self.recall(external)))
        if not last:
            text = f"{name} cannot be had: {fault}; nothing is known of what it had last"
            return SourceError(text)
        self._stale[_place(external)] = f"{name} cannot be had ({fault}); what it had last is used"
        return last

    def _reader(self, external: External) -> Reader:
        kind = kind_of(external.url)
        with self._lock:
            if kind not in self._readers:
                self._readers[kind] = _open(kind, self._env)
            return self._readers[kind]

    def _last(self, external: External) -> tuple[Item, ...]:
        try:
            told: list[dict[str, Any]] = json.loads(self._memory.source(_address(external)) or "[]")
            items = [Item(**(one | {"kind": Kind(one["kind"])})) for one in told]
        except (ValueError, TypeError, KeyError, AttributeError):
            return ()
        return tuple(replace(i, key=external.url) if i.key == "" else i for i in items)

    def _remember(self, external: External, found: tuple[Item, ...]) -> None:
        """All but the URL itself, which may be signed."""
        plain = [vars(i) | {"key": "" if i.key == external.url else i.key} for i in found]
        if len(plain) <= MOST_REMEMBERED:
            self._memory.keep_source(_address(external), json.dumps(plain))


MOST_REMEMBERED = 10_000
"""Items of one source that are remembered."""


def _open(kind: str, env: Mapping[str, str]) -> Reader:
    """Each is imported only where it is needed: requests takes 0.1 s."""
    if kind == "http":
        from mlpipe_ci.sources.http import Http  # noqa: PLC0415 - see above

        return Http(timeout(env))
    if kind == "file":
        from mlpipe_ci.sources.local import Local  # noqa: PLC0415 - see above

        return Local()
    from mlpipe_ci.sources.buckets import Buckets  # noqa: PLC0415 - see above

    return Buckets(env)


def _place(external: External) -> Place:
    return external.url, external.path


def _address(external: External) -> str:
    return f"{identity(external.url)} {external.path}"


def _as_item(known: Input) -> Item:
    told, _, owner = known.digest.removeprefix(MARK).rpartition(":")
    kind, _, value = told.partition(":")
    return Item(path=known.path, owner=owner, key="", kind=Kind(kind), value=value)


def _path_fault(path: str) -> str:
    """Why an object may not be written to the place that its name asks for."""
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
