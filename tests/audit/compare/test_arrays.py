"""Files of NumPy and joblib, written by these, read without them."""

from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

from mlpipe_ci.audit.compare.arrays import npy, npz
from mlpipe_ci.audit.compare.pickles import pickle_file
from mlpipe_ci.audit.compare.values import UnreadableError


def saved(tmp_path: Path, old: np.ndarray, new: np.ndarray) -> tuple[Path, Path]:
    one, other = tmp_path / "old.npy", tmp_path / "new.npy"
    np.save(one, old)
    np.save(other, new)
    return one, other


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", "<f2", "<i8", "<u2", "|b1", "|i1", ">i4"])
def test_where_values_differ_and_how_far(tmp_path: Path, kind: str) -> None:
    old = np.zeros((3, 4), kind)
    new = old.copy()
    new[1, 2] = 1
    found = npy(*saved(tmp_path, old, new))
    assert found.startswith("the array at (1, 2): ")
    assert "1 of 12 values differ" in found
    assert "largest distance 1 " in found


def test_the_order_of_fortran(tmp_path: Path) -> None:
    old = np.asfortranarray(np.zeros((3, 4)))
    new = old.copy(order="F")
    new[2, 1] = 1
    assert npy(*saved(tmp_path, old, new)).startswith("the array at (2, 1): 0.0 → 1.0")
    assert "another order" in npy(*saved(tmp_path, old, np.zeros((3, 4))))


def test_shapes_kinds_and_orders(tmp_path: Path) -> None:
    shape = npy(*saved(tmp_path, np.zeros(3), np.zeros(4)))
    assert shape == "the array is <f8 (3,), now <f8 (4,)"
    assert "<f8 (3,), now <i8 (3,)" in npy(*saved(tmp_path, np.zeros(3), np.zeros(3, int)))
    assert "same values in another order" in npy(
        *saved(tmp_path, np.array([1.0, 2.0]), np.array([2.0, 1.0]))
    )
    assert "as a whole" in npy(*saved(tmp_path, np.array(1.0), np.array(2.0)))


def test_objects_and_texts_are_not_opened(tmp_path: Path) -> None:
    objects = saved(tmp_path, np.array([{}, 1], object), np.array([{}, 2], object))
    assert "pickled objects, which are not opened" in npy(*objects)
    assert "differs at byte" in npy(*saved(tmp_path, np.array(["a"]), np.array(["b"])))
    fields = [np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]) for _ in range(2)]
    fields[1]["b"] = 3
    assert "differs at byte" in npy(*saved(tmp_path, *fields))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_arrays(tmp_path: Path, save: Callable[..., None]) -> None:
    one, other = tmp_path / "old.npz", tmp_path / "new.npz"
    save(one, w=np.zeros(2), bias=np.ones(1))
    save(other, w=np.zeros(2), bias=np.full(1, 1.25))
    found = npz(one, other)
    assert found.startswith("array bias at (0,): 1.0 → 1.25")
    assert "1 of its 2 arrays differ" in found
    save(other, w=np.zeros(2))
    assert "its arrays are w.npy, bias.npy, now w.npy" in npz(one, other)


def test_a_header_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00" + b"__import__('os')")
    with pytest.raises(UnreadableError, match="header"):
        npy(path, path)


def test_arrays_in_files_of_joblib(tmp_path: Path) -> None:
    one, other = tmp_path / "old.joblib", tmp_path / "new.joblib"
    values = np.linspace(1, 2, 100)
    joblib.dump({"name": "m", "w": values}, one)
    changed = values.copy()
    changed[40] += 0.5
    joblib.dump({"name": "m", "w": changed}, other)
    found = pickle_file(one, other)
    assert found.startswith("the bytes of an array differ, first at byte ")
    assert f"{float(values[40])!r} → {float(changed[40])!r}" in found
    joblib.dump({"name": "n", "w": values}, other)
    assert pickle_file(one, other).startswith("m → n at byte ")
