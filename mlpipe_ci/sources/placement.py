"""Puts contents of sources into the work tree. Nothing of the user's is lost by it."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.paths import above
from mlpipe_ci.core.workflow import ExternalInput
from mlpipe_ci.sources.base import SourceItem
from mlpipe_ci.sources.sources import Sources

ASIDE = "sources"
"""Where files are moved that lay in the place of a source, below `aside/replaced`."""
SHOWN = 3


class Placement:
    """Knows what it has put where, in one work tree."""

    def __init__(
        self, root: Path, sources: Sources, transaction: OutputTransaction, state: LocalState
    ) -> None:
        self._root, self.sources, self._transaction, self._state = root, sources, transaction, state
        self._tidied: set[str] = set()
        self._address = f"placed {root}"

    @cached_property
    def _placed(self) -> dict[str, str]:
        return _parsed(self._state.source(self._address))

    def place(self, external: ExternalInput, wanted: Sequence[SourceItem]) -> tuple[str, ...]:
        """Bring items of a source; what it has not does not stay at its place. Notes.

        Raises SourceError, SourceMovedError, PathError, DamagedError, OSError.
        """
        moved: list[str] = []
        for item in wanted:
            self._refuse_link(item.path)
            output = self.sources.bring(external, item)
            if self._digest(item.path) != output.digest:
                moved += self._clear(item.path)
                self.sources.contents.restore(output, self._root / item.path)
            self._placed[item.path] = output.digest
        if external.path.endswith("/") and external.path not in self._tidied:
            self._tidied.add(external.path)
            known = {item.path for item in self.sources.items(external)}
            gone = [path for path in self._there(external) if path not in known]
            moved += [one for path in gone for one in self._clear(path)]
        if not moved:
            return ()
        some = ", ".join(moved[:SHOWN]) + (", …" if len(moved) > SHOWN else "")
        where = self._transaction.replaced(ASIDE)
        return (
            f"in the place of data from outside, and not from there, so moved to {where}: {some}",
        )

    def _refuse_link(self, path: str) -> None:
        """Nothing is written through a link: it may lead anywhere. Raises PathError."""
        for parent in above(path):
            if os.path.islink(self._root / parent):
                text = f"'{path}' leads through the link '{parent}'; make that a directory"
                raise PathError(text)

    def save(self) -> None:
        """Remember what was put where. If that is lost, what is ours counts as the user's."""
        self._state.save_source(self._address, json.dumps(self._placed, sort_keys=True))

    def _clear(self, path: str) -> list[str]:
        """Take away what lies at a path: what came from a source goes, all else is moved."""
        full_path = self._root / path
        if not os.path.lexists(full_path):
            return []
        known = self._placed.pop(path, "")
        if known and self._digest(path) == known:
            full_path.unlink()
            return []
        return list(self._transaction.replace(ASIDE, (path,)))

    def _digest(self, path: str) -> str:
        full_path = f"{self._root}/{path}"
        if os.path.islink(full_path) or not os.path.isfile(full_path):
            return ""
        return self._state.digest_cache.digest(full_path)

    def _there(self, external: ExternalInput) -> Iterator[str]:
        """Files at the place of a source of many."""
        for path, _, names in os.walk(self._root / external.path):
            for name in names:
                yield os.path.relpath(os.path.join(path, name), self._root)


def _parsed(text: str | None) -> dict[str, str]:
    with suppress(ValueError, AttributeError):
        return {str(path): str(digest) for path, digest in json.loads(text or "{}").items()}
    return {}
