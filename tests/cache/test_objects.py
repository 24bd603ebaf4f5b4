"""Contents in the local store: read-only, kept once, verified."""

from pathlib import Path

import pytest

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.store import Store
from tests.support.stored import saved


def objects(store: Store) -> list[Path]:
    return [path for path in (store.directory / "v1" / "objects").rglob("*") if path.is_file()]


def test_every_flipped_byte_is_found_and_the_object_removed(store: Store, tmp_path: Path) -> None:
    data = b"a model of ten trees"
    for position in range(len(data)):
        digest = saved(store, data, tmp_path / "in")
        (path,) = objects(store)
        path.chmod(0o644)
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(changed)
        (tmp_path / "out").write_text("what was there before")
        with pytest.raises(DamagedError, match="not what was stored"):
            store.restore(digest, tmp_path / "out")
        assert (tmp_path / "out").read_text() == "what was there before"
        assert objects(store) == []
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_missing_object_is_damage(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="not in the cache"):
        store.restore("blake3:" + "0" * 64, tmp_path / "out")
    with pytest.raises(DamagedError):
        store.read("blake3:" + "0" * 64)


def test_objects_are_read_only_and_kept_once(store: Store, tmp_path: Path) -> None:
    saved(store, b"x", tmp_path / "one")
    saved(store, b"x", tmp_path / "two")
    (path,) = objects(store)
    assert path.stat().st_mode & 0o777 == 0o400, "what it holds may be private"
    assert (store.directory / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d17")
