"""Every byte of what the store keeps: flipped, cut off or appended, it is found when it is read."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_ci.cache import maintenance as care
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.store import Store
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Output, Producer, Result
from tests.support.fakes import result, step
from tests.support.repository import Repo

SCOPE = "main"
DATA = b"a model of ten trees, and their leaves\n" * 4
MODE = 0o750
TRAIN = step("train", inputs=("a",), outputs=("model", "figures/"), env=(("SEED", "1"),))


def damaged(whole: bytes) -> Iterator[bytes]:
    """Each byte with one bit, another bit and all bits flipped; each length; a byte too many."""
    for index, byte in enumerate(whole):
        for bits in (1, 2, 16, 0xFF):
            yield whole[:index] + bytes([byte ^ bits]) + whole[index + 1 :]
    for length in range(len(whole)):
        yield whole[:length]
        yield whole[:length] + bytes(len(whole) - length)  # as a crash of the machine leaves it
    for extra in (b"\0", b" ", b"\n", b"}", whole):
        yield whole + extra
        yield extra + whole


def overwrite(path: Path, content: bytes) -> None:
    """Write a file anew, be it read-only or gone; its directory is there."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Result:
    """A result with something in each of its fields, in the store with its one object."""
    (tmp_path / "in").write_bytes(DATA)
    digest, size = store.save(tmp_path / "in")
    outputs = (
        Output(path="figures/a b", kind="file", digest=digest, size=size, mode=MODE),
        Output(path="figures/é", kind="link", digest="link:a b", size=0),
        Output(path="model", kind="file", digest=digest, size=size),
    )
    whole = result(TRAIN, (Input(path="a", digest="git:12"), Input(path="b", digest="git:34")))
    maker = Producer(repository="o/r", commit="1" * 40, ref="refs/heads/main", version="1.0")
    metrics = (("auc", 0.875), ("recall", 1.0))
    whole = replace(whole, outputs=outputs, metrics=metrics, log=digest, producer=maker)
    store.add(whole, SCOPE)
    return whole


def only(store: Store, kind: str) -> Path:
    (path,) = (p for p in (store.directory / "v1" / kind).rglob("*") if p.is_file())
    return path


def test_each_damage_of_an_object_is_found(store: Store, made: Result, tmp_path: Path) -> None:
    path, digest, out = only(store, "objects"), made.log, tmp_path / "out"
    out.write_text("what was there before")
    for content in damaged(DATA):
        overwrite(path, content)
        with pytest.raises(DamagedError):
            store.read(digest)
        with pytest.raises(DamagedError):
            store.restore(digest, out)
        assert not path.exists(), "it would be tried again each time"
    assert out.read_text() == "what was there before"
    overwrite(path, DATA)
    store.restore(digest, out)
    assert out.read_bytes() == DATA


def test_each_damage_of_a_result_is_a_miss(store: Store, made: Result) -> None:
    path = only(store, "results")
    whole = path.read_bytes()
    for content in damaged(whole):
        overwrite(path, content)
        assert store.results(made.key, (SCOPE,)) == (), content
    overwrite(path, whole)
    assert store.results(made.key, (SCOPE,)) == (made,)


def test_a_damaged_result_gives_way_to_a_new_one(store: Store, made: Result) -> None:
    path = only(store, "results")
    for content in list(damaged(path.read_bytes()))[::97]:
        overwrite(path, content)
        assert store.add(made, SCOPE) is None
        assert store.results(made.key, (SCOPE,)) == (made,)


@pytest.mark.parametrize("kind", ["objects", "results"])
def test_verify_finds_and_removes_each_damage(store: Store, made: Result, kind: str) -> None:
    top, path = store.directory / "v1", only(store, kind)
    whole = path.read_bytes()
    for content in list(damaged(whole))[:: 1 if kind == "objects" else 7]:
        overwrite(path, content)
        told = [place for place, _ in care.verify(top)]
        assert path in told, content
        assert not path.exists()
        overwrite(path, whole)
        store.add(made, SCOPE)  # verify has removed a result without its object
        assert list(care.verify(top)) == []


FILE = """
steps:
  - name: train
    run: echo train >> "$LOG"; cat raw raw > model
    inputs: [raw]
    outputs: [model]
"""


@pytest.mark.parametrize(
    ("kind", "index"), [("objects", 0), ("objects", -2), ("results", 3), ("seconds", 0)]
)
def test_a_run_after_the_damage_is_right(repo: Repo, tmp_path: Path, kind: str, index: int) -> None:
    log = tmp_path / "log"
    repo.commit({"mlpipe.yml": FILE, "raw": "one\n", ".gitignore": "model\n"})
    repo.mlpipe("run", LOG=str(log))
    (repo.root / "model").unlink()
    (path,) = stored("one\none\n" if kind == "objects" else '"seconds"')
    whole = path.read_bytes()
    flipped = bytearray(whole)
    if kind == "seconds":  # another digit of a number: it would parse
        index = whole.index(b'"seconds": ') + len(b'"seconds": ')
    flipped[index] ^= 1
    overwrite(path, bytes(flipped))
    repo.mlpipe("run", LOG=str(log))
    assert repo.read("model") == "one\none\n"
    assert log.read_text() == "train\ntrain\n"
    (repo.root / "model").unlink()
    repo.mlpipe("run", LOG=str(log))
    assert repo.read("model") == "one\none\n"
    assert log.read_text() == "train\ntrain\n", "the store is whole again"


def stored(text: str) -> list[Path]:
    """Files of the store with a text in them."""
    top = Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1"
    return [p for p in top.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]
