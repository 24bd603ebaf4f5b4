"""The local store: what goes in comes out, or it is a miss."""

import os
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.cache.store import Store, sweep
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Output, Producer
from tests.support.fakes import result, step
from tests.support.stored import saved, sealed

TRAIN = step("train", inputs=("a",), outputs=("model",))


@given(
    data=st.binary(max_size=200), mode=st.sampled_from((None, 0o600, 0o640, 0o644, 0o755, 0o777))
)
def test_what_is_saved_is_restored(
    store: Store, tmp_path: Path, data: bytes, mode: int | None
) -> None:
    digest = saved(store, data, tmp_path / "in")
    store.restore(digest, tmp_path / "out", mode)
    assert (tmp_path / "out").read_bytes() == data == store.read(digest)
    assert mode is None or (tmp_path / "out").stat().st_mode & 0o777 == mode
    assert store.has(digest, len(data))
    assert not store.has(digest, len(data) + 1)


def test_editing_a_restored_file_leaves_the_store_alone(store: Store, tmp_path: Path) -> None:
    digest = saved(store, b"x", tmp_path / "in")
    store.restore(digest, tmp_path / "out")
    with (tmp_path / "out").open("ab") as file:
        file.write(b"edited")
    assert store.read(digest) == b"x"


def test_results_come_back_by_scope_in_order(store: Store) -> None:
    ours = result(TRAIN, producer=Producer(ref="ours"))
    mains = result(TRAIN, producer=Producer(ref="main's"))
    assert store.add(ours, "pr/7") is None
    assert store.add(mains, "main") is None
    assert store.results(ours.key, ("pr/7", "main")) == (ours, mains)
    assert store.results(ours.key, ("main",)) == (mains,)
    assert store.results(ours.key, ("pr/8",)) == ()
    assert store.results("0" * 64, ("main",)) == ()


def test_the_first_result_wins(store: Store, tmp_path: Path) -> None:
    digest = saved(store, b"1", tmp_path / "in")
    first = result(TRAIN, outputs=(Output(path="model", kind="file", digest=digest, size=1),))
    second = result(TRAIN)
    assert store.add(first, "main") is None
    assert store.add(second, "main") == first
    assert store.results(first.key, ("main",)) == (first,)


def test_a_result_whose_contents_are_lost_is_replaced(store: Store) -> None:
    lost, made = result(TRAIN), result(TRAIN, seconds=5.0)
    store.add(lost, "main")
    assert store.add(made, "main") is None
    assert store.results(made.key, ("main",)) == (made,)


def test_results_with_other_discovered_inputs_stand_side_by_side(store: Store) -> None:
    one = result(TRAIN, discovered=(Input(path="x", digest="1"),))
    other = result(TRAIN, discovered=(Input(path="x", digest="2"),))
    store.add(one, "main")
    store.add(other, "main")
    assert len(store.results(one.key, ("main",))) == 2


def test_every_damaged_result_is_a_miss(store: Store) -> None:
    made = result(TRAIN)
    store.add(made, "main")
    (path,) = (store.directory / "v1" / "results").rglob("*.json")
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert store.results(made.key, ("main",)) == ()
    path.write_bytes(b"\xff" + whole)
    assert store.results(made.key, ("main",)) == ()
    text = whole.partition(b"\n")[2]
    path.write_bytes(sealed(text))
    assert store.results(made.key, ("main",)) == (made,)
    path.write_bytes(sealed(text.replace(made.key.encode(), b"0" * 64)))
    assert store.results(made.key, ("main",)) == ()


def test_what_killed_processes_left_is_swept(store: Store, tmp_path: Path) -> None:
    saved(store, b"x", tmp_path / "in")
    old, new = (store.directory / "v1" / "tmp" / name for name in ("old", "new"))
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (1, 1))
    sweep(store, time.time() - 3600)
    assert not old.exists()
    assert new.exists()
    sweep(Store(tmp_path / "nowhere"), time.time())
