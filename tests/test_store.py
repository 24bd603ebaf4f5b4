"""The local store: what goes in comes out, or it is a miss."""

import os
import time
from pathlib import Path

import pytest
from blake3 import blake3
from fakes import result, step
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_ci.cache.codec import decode_result, encode_result
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.store import Store, sweep
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Output, Producer, Result

TRAIN = step("train", inputs=("a",), outputs=("model",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def saved(store: Store, data: bytes, path: Path) -> str:
    path.write_bytes(data)
    digest, size = store.save(path)
    assert size == len(data)
    return digest


@given(data=st.binary(max_size=200), executable=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_restored(
    store: Store, tmp_path: Path, data: bytes, executable: bool
) -> None:
    digest = saved(store, data, tmp_path / "in")
    store.restore(digest, tmp_path / "out", executable=executable)
    assert (tmp_path / "out").read_bytes() == data == store.read(digest)
    assert os.access(tmp_path / "out", os.X_OK) is executable
    assert store.has(digest, len(data))
    assert not store.has(digest, len(data) + 1)


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
            store.restore(digest, tmp_path / "out", executable=False)
        assert (tmp_path / "out").read_text() == "what was there before"
        assert objects(store) == []
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_missing_object_is_damage(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="not in the cache"):
        store.restore("blake3:" + "0" * 64, tmp_path / "out", executable=False)
    with pytest.raises(DamagedError):
        store.read("blake3:" + "0" * 64)


def test_objects_are_read_only_and_kept_once(store: Store, tmp_path: Path) -> None:
    saved(store, b"x", tmp_path / "one")
    saved(store, b"x", tmp_path / "two")
    (path,) = objects(store)
    assert path.stat().st_mode & 0o777 == 0o444
    assert (store.directory / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d17")


def test_editing_a_restored_file_leaves_the_store_alone(store: Store, tmp_path: Path) -> None:
    digest = saved(store, b"x", tmp_path / "in")
    store.restore(digest, tmp_path / "out", executable=False)
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


def sealed(text: bytes) -> bytes:
    """The text below the line that vouches for it: what is wrong with it must be found anyway."""
    return blake3(text).hexdigest().encode() + b"\n" + text


@pytest.mark.parametrize(
    "change",
    [
        (b'"version": 3', b'"version": 2'),
        (b'"path": "model"', b'"path": "/etc/passwd"'),
        (b'"path": "model"', b'"path": "../x"'),
        (b'"path": "model"', b'"path": ".git/hooks/x"'),
        (b'"kind": "file"', b'"kind": "device"'),
        (b'"blake3:0000', b'"../../0000'),
        (b'"seconds": 100.0', b'"minutes": 100.0'),
        (b'"seconds": 100.0', b'"seconds": "100"'),
        (b'"seconds": 100.0', b'"seconds": 1' + b"0" * 400),
        (b'"seconds": 100.0', b'"seconds": NaN'),
        (b'"seconds": 100.0', b'"seconds": ' + b"[" * 100_000),
        (b'"ref": "refs/heads/main"', b'"ref": 5'),
        (b'"metrics": []', b'"metrics": [["auc", Infinity]]'),
        (b'"path": "model"', b'"path": "model/../x"'),
        (b'"path": "model"', b'"path": 5'),
    ],
)
def test_a_hostile_result_is_a_miss(change: tuple[bytes, bytes]) -> None:
    good = encode_result(result(TRAIN)).partition(b"\n")[2]
    assert change[0] in good
    assert decode_result(sealed(good)) is not None
    assert decode_result(sealed(good.replace(*change))) is None


finite = st.floats(allow_nan=False, allow_infinity=False)
paths = st.text(st.sampled_from("azAZ09é\udce9"), min_size=1, max_size=8)
outputs = st.builds(
    Output,
    path=paths,
    kind=st.just("link"),
    digest=st.text(max_size=5),
    size=st.integers(0),
    executable=st.booleans(),
)


@given(st.lists(outputs, max_size=3).map(tuple), finite, st.text(max_size=5))
def test_a_result_survives_its_encoding(
    found: tuple[Output, ...], seconds: float, ref: str
) -> None:
    made: Result = result(
        TRAIN,
        outputs=found,
        seconds=seconds,
        metrics=(("auc", seconds),),
        producer=Producer(ref=ref),
        discovered=(Input(path="x", digest="y"),),
    )
    assert decode_result(encode_result(made)) == made


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
