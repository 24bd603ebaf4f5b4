"""Moves what later steps have left out of sight while an earlier one runs, and back.

In a fresh clone a step runs before there is anything of the steps after it. What they left here
would be news to a step that lists a directory or looks for a file.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache.file_ops import move, plain_path
from mlpipe_ci.cache.transaction import OutputTransaction
from mlpipe_ci.core.paths import above

JOURNAL = "journal.json"


class HiddenOutputs:
    """What is out of sight now, by the id of the step that left it.

    `hidden/<step>` in the directory of `transaction` holds it, with a journal: if mlpipe is killed,
    `bring_back_all` of the next run finds both.
    """

    def __init__(self, root: Path, transaction: OutputTransaction) -> None:
        self._root, self._transaction = root, transaction
        self._top = transaction.directory / "hidden"
        self._hidden: set[str] = set()

    def __contains__(self, step: str) -> bool:
        return step in self._hidden

    def hide(self, step: str, paths: Sequence[str]) -> bool:
        """Move what a step has left out of sight. Returns whether there was anything.

        Directories that are empty then go as well. Raises OSError.
        """
        there = [path for path in paths if os.path.lexists(plain_path(self._root / path))]
        if not there:
            return False
        own = self._top / step
        own.mkdir(parents=True, exist_ok=True)
        temporary = own / f"{JOURNAL}.tmp"
        temporary.write_text(json.dumps([*self._journal(step), *there]), "ascii")
        temporary.replace(own / JOURNAL)
        self._hidden.add(step)
        for path in there:
            move(self._root / path, own / "kept" / path)
        self._drop_empty(there)
        return True

    def bring_back(self, step: str) -> bool:
        """Move it back. Returns whether there was anything. Raises OSError.

        Where an earlier step has written the same path, that stays, and the other is kept aside.
        """
        if step not in self._hidden:
            return False
        self._bring_back(step)
        return True

    def bring_back_all(self) -> None:
        """Move back what this run, or one that was killed, has moved out of sight. OSError."""
        found = self._hidden.copy()
        with suppress(OSError):
            found.update(os.listdir(self._top))
        for step in sorted(found):
            self._bring_back(step)

    def _bring_back(self, step: str) -> None:
        own = self._top / step
        for path in self._journal(step):
            kept = plain_path(own / "kept" / path)
            taken = os.path.lexists(plain_path(self._root / path))
            if os.path.lexists(kept):
                move(kept, self._transaction.replaced(step) / path if taken else self._root / path)
        (own / JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(own, ignore_errors=True)
        self._hidden.discard(step)

    def _journal(self, step: str) -> list[str]:
        try:
            return [str(path) for path in json.loads((self._top / step / JOURNAL).read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def _drop_empty(self, paths: Iterable[str]) -> None:
        for path in paths:
            for folder in above(path.rstrip("/")):
                if self._transaction.keeps(folder):
                    break
                try:
                    os.rmdir(self._root / folder)
                except OSError:
                    break  # there is something else in it
