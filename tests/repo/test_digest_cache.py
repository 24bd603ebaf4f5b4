"""Digests remembered by stat: a file is read again whenever it could have changed."""

import os
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.repo import digest_cache as module
from mlpipe_ci.repo.digest_cache import DigestCache
from mlpipe_ci.repo.file_digest import file_digest
from tests.support.random_cases import cases

Reads = list[str]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The files that were really read."""
    seen: Reads = []

    def counted(path: str) -> str:
        seen.append(path)
        return file_digest(path)

    monkeypatch.setattr(module, "file_digest", counted)
    return seen


class Kept:
    """Rows in memory."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.listings: dict[str, tuple[bytes, str]] = {}

    def read(self, directory: str) -> str | None:
        return self.texts.get(directory)

    def seen(self, directory: str) -> tuple[bytes, str] | None:
        return self.listings.get(directory)

    def write(self, rows: list[tuple[str, str, bytes | None, str]]) -> None:
        for directory, text, seen, listing in rows:
            self.texts[directory] = text
            if seen:
                self.listings[directory] = seen, listing


def settled(path: Path, content: bytes) -> Path:
    """A file that was written a while ago: the tests wait for it."""
    path.write_bytes(content)
    time.sleep(module.FINE / 1e9 + 0.05)
    return path


def test_a_file_is_read_once(tmp_path: Path, reads: Reads) -> None:
    path, kept = settled(tmp_path / "a", b"one"), Kept()
    digest_cache = DigestCache(kept)
    assert digest_cache.digest(str(path)) == digest_cache.digest(str(path)) == file_digest(path)
    digest_cache.save()
    assert DigestCache(kept).digest(str(path)) == file_digest(path)
    assert reads == [str(path)]


def test_a_file_just_written_is_not_believed(tmp_path: Path, reads: Reads) -> None:
    path, digest_cache = tmp_path / "a", DigestCache(Kept())
    for content in (b"one", b"two", b"six"):
        path.write_bytes(content)
        assert digest_cache.digest(str(path)) == file_digest(path)
    assert len(reads) == 3


def test_an_edit_that_hides_itself_is_seen(tmp_path: Path, reads: Reads) -> None:
    path, digest_cache = settled(tmp_path / "a", b"one"), DigestCache(Kept())
    digest_cache.digest(str(path))
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest_cache.digest(str(path)) == file_digest(path)
    other = settled(tmp_path / "b", b"six")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert digest_cache.digest(str(path)) == file_digest(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 5}', '{"a": [["x"], "y"]}', '{"a": [[1], "blake3:x"]}']
)
def test_what_is_damaged_is_forgotten(tmp_path: Path, text: str) -> None:
    path, kept = settled(tmp_path / "a", b"one"), Kept()
    kept.texts[str(tmp_path)] = text
    assert DigestCache(kept).digest(str(path)) == file_digest(path)


def test_the_state_keeps_it_and_a_plan_does_not(tmp_path: Path, reads: Reads) -> None:
    path, file = settled(tmp_path / "a", b"one"), tmp_path / "state.db"
    for readonly, count in ((False, 1), (True, 1)):
        state = LocalState(file, readonly=readonly)
        state.digest_cache.digest(str(path))
        state.close()
        assert len(reads) == count
    other = settled(tmp_path / "b", b"two")
    for _ in range(2):
        state = LocalState(file, readonly=True)
        state.digest_cache.digest(str(other))
        state.close()
    assert reads == [str(path), str(other), str(other)]
    with sqlite3.connect(file) as db:
        db.execute("DROP TABLE memo")
    state = LocalState(file, readonly=True)
    assert state.digest_cache.digest(str(path)) == file_digest(path)
    state.close()


@cases(15)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["write", "copy", "ask", "wait", "save"])
        ),
        max_size=12,
    )
)
def test_it_always_says_what_is_there(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    kept = Kept()
    digest_cache = DigestCache(kept)
    for number, (name, what) in enumerate(steps):
        path = tmp_path / name
        if what == "write":
            path.write_bytes(b"%03d" % number)
        elif what == "copy" and path.exists():
            keep = path.stat()
            path.write_bytes(b"%03d" % (number + 500))
            os.utime(path, ns=(keep.st_atime_ns, keep.st_mtime_ns))
        elif what == "wait":
            time.sleep(module.FINE / 1e9 / 4)
        elif what == "save":
            digest_cache.save()
            digest_cache = DigestCache(kept)
        for other in "abc":
            if (tmp_path / other).exists():
                assert digest_cache.digest(str(tmp_path / other)) == file_digest(tmp_path / other)
