"""The time of a run is found in whatever form it was written, and no other time is."""

import pickle
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlpipe_ci.audit.time_stamps import Window, same_stamp

THEN, NOW = 1_790_000_000.25, 1_790_090_061.5
FORMS: dict[str, Callable[[float], bytes]] = {
    "ISO": lambda t: datetime.fromtimestamp(t, UTC).isoformat().encode(),
    "local": lambda t: time.strftime("%Y-%m-%d %H:%M", time.localtime(t)).encode(),
    "compact": lambda t: time.strftime("run_%Y%m%d-%H%M%S", time.gmtime(t)).encode(),
    "ctime": lambda t: time.ctime(t).encode(),
    "seconds": lambda t: f"t={t}".encode(),
    "milliseconds": lambda t: b"%d" % (t * 1000),
    "nanoseconds": lambda t: b"%d" % (t * 1e9),
    "pickled number": lambda t: pickle.dumps({"at": t}),
    "little-endian": lambda t: b"abc" + struct.pack("<d", t) + b"xyz",
    "pickled datetime": lambda t: pickle.dumps(datetime.fromtimestamp(t, UTC)),
    "day": lambda t: time.strftime("made on %Y-%m-%d.", time.gmtime(t)).encode(),
}


def stamp(tmp_path: Path, old: bytes, new: bytes) -> str:
    one, other = tmp_path / "old", tmp_path / "new"
    one.write_bytes(old)
    other.write_bytes(new)
    then, now = Window(start=THEN - 5, end=THEN + 1), Window(start=NOW - 5, end=NOW + 1)
    return same_stamp(one, other, then, now)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_it_is_found(tmp_path: Path, form: str) -> None:
    write = FORMS[form]
    assert "the time of the run is in it" in stamp(tmp_path, write(THEN), write(NOW))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_another_time_is_not(tmp_path: Path, form: str) -> None:
    write = FORMS[form]
    assert stamp(tmp_path, write(THEN - 200_000), write(NOW - 200_000)) == ""
    assert stamp(tmp_path, write(THEN), write(THEN)) == ""
    assert stamp(tmp_path, b"no time", write(NOW)) == ""


def test_numbers_that_are_no_dates(tmp_path: Path) -> None:
    old, new = b"2026-99-99T99:99:99 Mon Xyz 99 99:99:99 2026", b"9999-13-32 25:61"
    assert stamp(tmp_path, old, new) == ""


def test_seconds_in_four_bytes(tmp_path: Path) -> None:
    one, other = (b"BM\0" + struct.pack("<I", int(t)) + b"\0\0" for t in (THEN, NOW))
    assert "s since 1970" in stamp(tmp_path, one, other)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert same_stamp(nowhere, nowhere, Window(start=0, end=1), Window(start=0, end=1)) == ""
