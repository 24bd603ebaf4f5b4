"""What this repository remembers, in SQLite: each step's last success and failure, and digests.

It explains (`train.py changed`) and saves time, it never decides: without it every decision is the
same.
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mlpipe_ci.cache.codec import decode_parts, encode_parts
from mlpipe_ci.cache.decoded_results import DecodedResults
from mlpipe_ci.cache.last_trace import LastTrace, decode_last_trace, encode_last_trace
from mlpipe_ci.core.cache_key import Input, KeyParts, as_record, step_key
from mlpipe_ci.core.directory_listing import KIND
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.repo.digest_cache import DigestCache
from mlpipe_ci.repo.file_digest import md5_digest
from mlpipe_ci.tracing.discovery import record

VERSION = 5
SCHEMA = f"""
BEGIN;
DROP TABLE IF EXISTS memo;
DROP TABLE IF EXISTS steps;
DROP TABLE IF EXISTS listings;
DROP TABLE IF EXISTS results;
DROP TABLE IF EXISTS sources;
CREATE TABLE steps (
    workflow TEXT, step TEXT, key TEXT, parts TEXT, seconds REAL, failed TEXT, traced TEXT,
    PRIMARY KEY (workflow, step)
) WITHOUT ROWID;
CREATE TABLE memo (directory TEXT PRIMARY KEY, seen BLOB, listing TEXT, files TEXT);
CREATE TABLE listings (digest TEXT PRIMARY KEY, text TEXT);
CREATE TABLE results (workflow TEXT PRIMARY KEY, text TEXT);
CREATE TABLE sources (address TEXT PRIMARY KEY, text TEXT);
PRAGMA user_version={VERSION};
COMMIT;
"""
Row = tuple[str | None, str | None, str | None, str | None]
"""Key and parts of the last success, a failure since, and what was traced."""


@frozen
class Failure:
    """A failure of a step. `seen`: files that git tracks and that it read, with their digests."""

    parts: KeyParts
    seen: tuple[Input, ...] = ()


class LocalState:
    """One repository's memory. Where it cannot be opened or written, it is kept in memory.

    `tree`: the name of the work tree if it is a linked one: what is remembered of steps is its own.
    `readonly`: nothing is written, and no file is made.
    """

    def __init__(self, path: Path, tree: str = "", *, readonly: bool = False) -> None:
        self.warning: str | None = None
        self._readonly = readonly
        self._tree = f"{tree}:" if tree else ""
        try:
            self._db = _open_readonly(path) if readonly else _open(str(path))
        except (sqlite3.Error, OSError) as error:
            self.warning = f"{path} cannot be used ({error}); reasons will be less exact"
            self._db = _open(":memory:")
        rows = _Rows(self._db, readonly=readonly)
        self.digest_cache = DigestCache(rows)
        self.md5 = DigestCache(rows, md5_digest, "md5 ")
        self.records = DigestCache(rows, record.summary, f"record {record.VERSION} ")
        self._steps: dict[str, dict[str, Row]] = {}
        self._recalls: dict[str, DecodedResults] = {}
        self._new_listings = False

    def previous(self, workflow: str, step: str) -> KeyParts | None:
        """The parts of the key of the step's last success here."""
        row = self._of(workflow).get(step)
        try:
            return decode_parts(json.loads(row[1])) if row and row[1] else None
        except (ValueError, TypeError, KeyError):
            return None

    def failed(self, workflow: str, step: str) -> Failure | None:
        """The step's last run here, if it has failed."""
        row = self._of(workflow).get(step)
        try:
            found = json.loads(row[2]) if row and row[2] else None
            return found and Failure(
                parts=decode_parts(found["parts"]),
                seen=tuple(
                    Input(path=str(path), digest=str(digest), executable=bool(executable))
                    for path, digest, executable in found["seen"]
                ),
            )
        except (ValueError, TypeError, KeyError):
            return None

    def knows(self, workflow: str, step: str, key: str, last: LastTrace) -> bool:
        """True if the last that was heard of the step is a success with this key, seen like this.

        Of a result the time when it was made says that.
        """
        row = self._of(workflow).get(step)
        if row is None or row[0] != key or row[2] is not None:
            return False
        known = self.last_trace(workflow, step)
        if known.made or last.made:
            return known.made == last.made
        return known == replace(last, shared=known.shared)

    def durations(self, workflow: str) -> dict[str, float]:
        """Seconds that each step's last success took."""
        query = "SELECT step, seconds FROM steps WHERE workflow=? AND seconds IS NOT NULL"
        try:
            rows = self._db.execute(query, (self._tree + workflow,))
            return {str(step): float(took) for step, took in rows}
        except (sqlite3.Error, ValueError, TypeError):
            return {}

    def last_trace(self, workflow: str, step: str) -> LastTrace:
        """What is known of the step's last success by watching it."""
        row = self._of(workflow).get(step)
        return decode_last_trace(row[3]) if row and row[3] else LastTrace()

    def share(self, workflow: str, step: str, path: str) -> None:
        """Remember that the step used a path while another one wrote it."""
        row = self._of(workflow).get(step) or (None, None, None, None)
        last = decode_last_trace(row[3]) if row[3] else LastTrace()
        shared = tuple(sorted({*last.shared, path}))
        seen = encode_last_trace(replace(last, shared=shared))
        self._of(workflow)[step] = (*row[:3], seen)
        self._write(
            "INSERT INTO steps VALUES (?,?,NULL,NULL,NULL,NULL,?) ON CONFLICT DO UPDATE SET "
            "traced=excluded.traced",
            (self._tree + workflow, step, seen),
        )

    def succeeded(
        self, workflow: str, step: str, parts: KeyParts, seconds: float, last: LastTrace
    ) -> None:
        """Remember a success (run or reused)."""
        key, text, seen = step_key(parts), encode_parts(parts), encode_last_trace(last)
        self._of(workflow)[step] = key, text, None, seen
        self._write(
            "INSERT INTO steps VALUES (?,?,?,?,?,NULL,?) ON CONFLICT DO UPDATE SET "
            "key=excluded.key, parts=excluded.parts, seconds=excluded.seconds, failed=NULL, "
            "traced=excluded.traced",
            (self._tree + workflow, step, key, text, seconds, seen),
        )

    def fail(self, workflow: str, step: str, failure: Failure) -> None:
        """Remember a failure; the last success stays."""
        row = self._of(workflow).get(step) or (None, None, None, None)
        seen = [[one.path, one.digest, one.executable] for one in failure.seen]
        text = json.dumps({"parts": as_record(failure.parts), "seen": seen})
        self._of(workflow)[step] = row[0], row[1], text, row[3]
        self._write(
            "INSERT INTO steps VALUES (?,?,NULL,NULL,NULL,?,NULL) ON CONFLICT DO UPDATE SET "
            "failed=excluded.failed",
            (self._tree + workflow, step, text),
        )

    def listing(self, digest: str) -> str | None:
        """The text of a listing that is part of a step's last success."""
        row = self._row("SELECT text FROM listings WHERE digest=?", digest)
        return row[0] if row else None

    def save_listings(self, texts: Iterable[tuple[str, str]]) -> None:
        """Keep listings, by digest, as long as a step's last success has them."""
        if self._readonly:
            return
        self._new_listings = True
        with suppress(sqlite3.Error, UnicodeEncodeError), self._db:  # they only explain
            self._db.executemany("INSERT OR IGNORE INTO listings VALUES (?,?)", texts)

    def source(self, address: str) -> str | None:
        """What was saved of data outside of git, by its address."""
        row = self._row("SELECT text FROM sources WHERE address=?", address)
        return row[0] if row else None

    def save_source(self, address: str, text: str) -> None:
        """Keep a text, if it is another one."""
        if self.source(address) != text:
            self._write("INSERT OR REPLACE INTO sources VALUES (?,?)", (address, text))

    def decoded_results(self, workflow: str) -> DecodedResults:
        """The stored results that this workflow looked at last time."""
        if workflow not in self._recalls:
            row = self._row("SELECT text FROM results WHERE workflow=?", workflow)
            self._recalls[workflow] = DecodedResults(row[0] if row else None)
        return self._recalls[workflow]

    def close(self) -> None:
        """Write what was remembered, and close the file."""
        if not self._readonly:
            self.digest_cache.save()
            self.md5.save()
            self.records.save()
            for workflow, decoded in self._recalls.items():
                text = decoded.text()
                if text is not None:
                    self._write("INSERT OR REPLACE INTO results VALUES (?,?)", (workflow, text))
            if self._new_listings:
                self._drop_listings()
        self._db.close()

    def _drop_listings(self) -> None:
        """Those that no success needs any more."""
        with suppress(sqlite3.Error):
            query = f"SELECT parts FROM steps WHERE parts LIKE '%{KIND}%'"  # noqa: S608 - a constant
            texts = [str(row[0]) for row in self._db.execute(query)]
            digests = [str(row[0]) for row in self._db.execute("SELECT digest FROM listings")]
            unused = [(one,) for one in digests if not any(one in text for text in texts)]
            with self._db:
                self._db.executemany("DELETE FROM listings WHERE digest=?", unused)

    def _of(self, workflow: str) -> dict[str, Row]:
        if workflow not in self._steps:
            query = "SELECT step, key, parts, failed, traced FROM steps WHERE workflow=?"
            found: dict[str, Row] = {}
            with suppress(sqlite3.Error):
                rows = self._db.execute(query, (self._tree + workflow,))
                found = {step: (*row,) for step, *row in rows}
            self._steps[workflow] = found
        return self._steps[workflow]

    def _row(self, query: str, *values: str) -> tuple[str, ...] | None:
        try:
            row: tuple[str, ...] | None = self._db.execute(query, values).fetchone()
        except (sqlite3.Error, UnicodeEncodeError):
            return None
        return row

    def _write(self, statement: str, values: tuple[str | float | None, ...]) -> None:
        if self._readonly:
            return
        try:
            with self._db:
                self._db.execute(statement, values)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            self.warning = f"the state of this repository was not written ({error})"


class _Rows:
    """The rows of `repo.digest_cache.DigestCache`, in the table `memo`."""

    def __init__(self, db: sqlite3.Connection, *, readonly: bool) -> None:
        self._db, self._readonly = db, readonly

    def read(self, directory: str) -> str | None:
        row = self._one("SELECT files FROM memo WHERE directory=?", directory)
        return str(row[0]) if row else None

    def seen(self, directory: str) -> tuple[bytes, str] | None:
        row = self._one("SELECT seen, listing FROM memo WHERE directory=?", directory)
        if row and isinstance(row[0], bytes) and isinstance(row[1], str):
            return row[0], row[1]
        return None

    def write(self, rows: list[tuple[str, str, bytes | None, str]]) -> None:
        if self._readonly:
            return
        ordered = [(path, seen, listing, text) for path, text, seen, listing in rows]
        with suppress(sqlite3.Error, UnicodeEncodeError), self._db:
            self._db.executemany("INSERT OR REPLACE INTO memo VALUES (?,?,?,?)", ordered)

    def _one(self, query: str, directory: str) -> tuple[object, ...] | None:
        try:
            row: tuple[object, ...] | None = self._db.execute(query, (directory,)).fetchone()
        except (sqlite3.Error, UnicodeEncodeError):
            return None
        return row


def _open_readonly(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return _open(":memory:")
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", timeout=10, uri=True)
    if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
        db.close()
        return _open(":memory:")
    db.execute("SELECT 1 FROM steps").fetchone()
    return db


def _open(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=10)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
        _create(db)
    return db


def _create(db: sqlite3.Connection) -> None:
    try:
        db.executescript(SCHEMA)
    except sqlite3.OperationalError:
        db.rollback()
        if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
            raise  # else another process was first
