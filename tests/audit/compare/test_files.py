"""How files differ, by their kind, as a person reads it; what cannot be read is said."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from mlpipe_ci.audit.compare.files import how_they_differ

Pair = tuple[bytes, bytes]


def said(tmp_path: Path, name: str, old: bytes, new: bytes) -> str:
    one, other = tmp_path / "old", tmp_path / "new"
    one.write_bytes(old)
    other.write_bytes(new)
    return how_they_differ(one, other, name)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("a.txt", b"1\n2\n3\n", b"1\nx\n3\n", ["line 2: 2 → x"]),
        ("a.txt", b"1\n2\n", b"1\n2\n3\n", ["line 3 is new: 3", "2 lines, now 3"]),
        ("a.txt", b"1\n2\n3", b"3\n2\n1", ["the same lines in another order"]),
        ("a", b"one\n", b"two\n", ["line 1: one → two"]),
        ("a.txt", b"1\n2\n", b"1\n", ["line 2 is not there any more: 2"]),
        ("a.txt", b"1\n", b"1", ["only ends of lines differ"]),
        ("a.csv", b"x\n1\n2\n", b"x\n1\n", ["row 3 is not there any more: 2"]),
        ("a", b"\0\1\2", b"\0\1\3", ["first differing byte at offset 2", "it is not text"]),
        ("a.txt", b"\xff\xfe", b"\xff\xfd", ["offset 1", "not text in UTF-8"]),
        ("a.csv", b"x,y\n1,2\n", b"x,y\n1,2.5\n", ["row 2, column 2 (y): 2 → 2.5", "distance 0.5"]),
        ("a.csv", b"x\n1\n", b"x\n1\n2\n", ["2 rows, now 3"]),
        ("a.csv", b"x,y\n1,2\n", b"x,y\n1\n", ["row 2 has 2 columns, now 1"]),
        ("a.csv", b"x\n1\n2\n", b"x\n2\n1\n", ["the same rows in another order"]),
        ("a.csv", b'x\n"1"\n', b"x\n1\n", ['line 2: "1" → 1']),
        ("a.tsv", b"x\ty\n1\t2\n", b"x\ty\n1\t3\n", ["column 2 (y): 2 → 3"]),
        ("a.json", b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', ["key a.b[1]: 2 → 3"]),
        ("a.json", b'{"a": 1}', b'{"b": 1}', ["key a: 1 → nothing", "2 values differ"]),
        ("a.json", b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', ["keys stand in another order"]),
        ("a.json", b'{"a": 1}', b'{"a":  1}', ["only blanks"]),
        ("a.json", b'{"a": NaN}', b'{"a":  NaN}', ["only blanks"]),
        ("a.json", b"{", b"[", ["offset 0", "cannot be read as JSON"]),
        ("a.json", b"[" * 100_000, b"[" * 100_001, ["cannot be read as JSON"]),
        ("a.yaml", b"a: {b: 1}\n", b"a: {b: 2}\n", ["key a.b: 1 → 2"]),
        ("a.yaml", b"a: [", b"a: {", ["cannot be read as YAML"]),
        ("a.pkl", b"no pickle", b"No pickle", ["it is no pickle"]),
        ("a.npy", b"1", b"2", ["it is no file of NumPy"]),
        ("a.npz", b"1", b"2", ["cannot be read as an archive"]),
        ("a.png", b"1", b"2", ["it is no PNG"]),
        ("a.jpg", b"1", b"2", ["it is no JPEG"]),
        ("a.parquet", b"1", b"2", ["cannot be read as Parquet"]),
        (
            "a.gz",
            gzip.compress(b"1", mtime=0)[:-9],
            gzip.compress(b"2", mtime=0)[:-9],
            ["ends before"],
        ),
    ],
)
def test_words(tmp_path: Path, name: str, old: bytes, new: bytes, words: list[str]) -> None:
    found = said(tmp_path, name, old, new)
    for word in words:
        assert word in found


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    assert "cannot be read" in how_they_differ(tmp_path / "directory", tmp_path, "a.csv")


def archive(*files: tuple[str, bytes], day: int = 1) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        for name, content in files:
            made.writestr(zipfile.ZipInfo(name, (2026, 1, day, 0, 0, 0)), content)
    return data.getvalue()


def test_archives(tmp_path: Path) -> None:
    one = gzip.compress(b"1" * 100, mtime=1)
    assert "only the time in its header" in said(
        tmp_path, "a.gz", one, gzip.compress(b"1" * 100, mtime=2)
    )
    assert "what is compressed in it differs" in said(
        tmp_path, "a.gz", one, gzip.compress(b"2", mtime=0)
    )
    two = one + gzip.compress(b"more", mtime=1)
    assert "what is compressed in it differs" in said(tmp_path, "a.gz", one, two)
    plain = archive(("x", b"1"), ("y", b"2"))
    later = archive(("x", b"1"), ("y", b"2"), day=2)
    assert "only their times" in said(tmp_path, "a.zip", plain, later)
    assert "in the archive y differs" in said(
        tmp_path, "a.zip", plain, archive(("x", b"1"), ("y", b"3"))
    )
    assert "only their times" in said(tmp_path, "without an ending", plain, later)


class Evil:
    """What must never be unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it was unpickled')",)


def test_pickles_are_read_and_never_opened(tmp_path: Path) -> None:
    one, other = pickle.dumps([Evil(), {"rate": 1.5}]), pickle.dumps([Evil(), {"rate": 2.5}])
    found = said(tmp_path, "m.pkl", one, other)
    assert found.startswith("1.5 → 2.5 at byte ")
    assert "after rate" in found
    assert "distance 1" in found


def test_pickles_of_moments_sets_and_lengths(tmp_path: Path) -> None:
    one = pickle.dumps({"at": datetime(2026, 1, 2, 3, 4, 5)})  # noqa: DTZ001 - as people write it
    other = pickle.dumps({"at": datetime(2026, 1, 2, 3, 4, 6)})  # noqa: DTZ001
    assert "2026-01-02 03:04:05 → 2026-01-02 03:04:06" in said(tmp_path, "m.pkl", one, other)
    assert "bytes, now" in said(tmp_path, "m.pkl", pickle.dumps([1]), pickle.dumps([1, 2, 3]))
    assert "→" in said(tmp_path, "m.pkl", pickle.dumps("ab"), pickle.dumps("ac"))


@pytest.mark.parametrize("pack", [zlib.compress, bz2.compress, lzma.compress, gzip.compress])
def test_pickles_that_are_compressed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    one, other = pickle.dumps({"w": 1.0}), pickle.dumps({"w": 3.0})
    found = said(tmp_path, "m.joblib", pack(one), pack(other))
    assert found.startswith("1.0 → 3.0")
    levels = zlib.compress(one * 9, 1), zlib.compress(one * 9, 9)
    assert "equal once decompressed" in said(tmp_path, "m.joblib", *levels)


def test_a_bomb_is_not_opened(tmp_path: Path) -> None:
    bomb = zlib.compress(b"\0" * (300 << 20))
    found = said(tmp_path, "m.joblib", bomb, bomb[:-1] + b"\0")
    assert "holds more than 256 MiB" in found


def test_json_of_many_differences_names_the_largest(tmp_path: Path) -> None:
    one, other = json.dumps({"a": 1.0, "b": 2.0}), json.dumps({"a": 1.5, "b": 4.0})
    found = said(tmp_path, "a.json", one.encode(), other.encode())
    assert "2 values differ" in found
    assert "largest distance 2 (relative 0.5)" in found
