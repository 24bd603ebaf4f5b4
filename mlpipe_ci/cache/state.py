"""What this repository remembers: each step's last success and last failure, in SQLite.

It explains (`train.py changed`), it never decides: without it every decision is the same.
"""

import json
import sqlite3
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.cache.codec import decode_parts, encode_parts
from mlpipe_ci.cache.memo import Memo
from mlpipe_ci.keys import KeyParts

SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (
    workflow TEXT, step TEXT, parts TEXT, seconds REAL, failed_key TEXT,
    PRIMARY KEY (workflow, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memo (directory TEXT PRIMARY KEY, files TEXT) WITHOUT ROWID;
"""


class State:
    """One repository's memory. Where it cannot be opened or written, it is kept in memory.

    `readonly`: nothing is written, and no file is made.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.warning: str | None = None
        try:
            self._db = _open_readonly(path) if readonly else _open(str(path))
        except (sqlite3.Error, OSError) as error:
            self.warning = f"{path} cannot be used ({error}); reasons will be less exact"
            self._db = _open(":memory:")
        self.memo = Memo(_Rows(self._db, readonly=readonly))

    def previous(self, workflow: str, step: str) -> KeyParts | None:
        """The parts of the key of the step's last success here."""
        row = self._row("SELECT parts FROM steps WHERE workflow=? AND step=?", workflow, step)
        try:
            return decode_parts(json.loads(row[0])) if row and row[0] else None
        except (ValueError, TypeError, KeyError):
            return None

    def failed(self, workflow: str, step: str, key: str | None) -> bool:
        """True if the last that was heard of the step is a failure with this key."""
        row = self._row("SELECT failed_key FROM steps WHERE workflow=? AND step=?", workflow, step)
        return bool(row and row[0] and row[0] == key)

    def succeeded(self, workflow: str, step: str, parts: KeyParts, seconds: float) -> None:
        """Remember a success (run or reused)."""
        text = encode_parts(parts)
        row = self._row(
            "SELECT parts, failed_key FROM steps WHERE workflow=? AND step=?", workflow, step
        )
        if row == (text, None):
            return
        self._write(
            "INSERT INTO steps VALUES (?,?,?,?,NULL) ON CONFLICT DO UPDATE SET "
            "parts=excluded.parts, seconds=excluded.seconds, failed_key=NULL "
            "WHERE parts IS NOT excluded.parts OR failed_key IS NOT NULL",
            (workflow, step, text, seconds),
        )

    def fail(self, workflow: str, step: str, key: str) -> None:
        """Remember a failure; the last success stays."""
        self._write(
            "INSERT INTO steps VALUES (?,?,NULL,NULL,?) ON CONFLICT DO UPDATE SET "
            "failed_key=excluded.failed_key",
            (workflow, step, key),
        )

    def close(self) -> None:
        """Write what was remembered, and close the file."""
        self.memo.save()
        self._db.close()

    def _row(self, query: str, *values: str) -> tuple[str | None, ...] | None:
        try:
            row: tuple[str | None, ...] | None = self._db.execute(query, values).fetchone()
        except sqlite3.Error:
            return None
        return row

    def _write(self, statement: str, values: tuple[str | float, ...]) -> None:
        try:
            with self._db:
                self._db.execute(statement, values)
        except sqlite3.Error as error:
            self.warning = f"the state of this repository was not written ({error})"


class _Rows:
    """What `Memo` keeps, in the table `memo`."""

    def __init__(self, db: sqlite3.Connection, *, readonly: bool) -> None:
        self._db, self._readonly = db, readonly

    def read(self, directory: str) -> str | None:
        query = "SELECT files FROM memo WHERE directory=?"
        try:
            row = self._db.execute(query, (directory,)).fetchone()
        except (sqlite3.Error, UnicodeEncodeError):
            return None
        return str(row[0]) if row else None

    def write(self, rows: list[tuple[str, str]]) -> None:
        if self._readonly:
            return
        with suppress(sqlite3.Error, UnicodeEncodeError), self._db:
            self._db.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?)", rows)


def _open_readonly(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return _open(":memory:")
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", timeout=10, uri=True)
    db.execute("SELECT 1 FROM steps").fetchone()
    return db


def _open(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=10)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.executescript(SCHEMA)
    return db
