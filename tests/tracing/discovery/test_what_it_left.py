"""What was made, changed in place, or only added to, told by flags and by what is there now."""

from pathlib import Path

import pytest
from blake3 import blake3

from mlpipe_ci.tracing.access_log import APPENDED, CHANGED, MADE, OURS, READ, TREE
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.first_look import FirstLook
from mlpipe_ci.tracing.discovery.watched_step import WatchedStep
from mlpipe_ci.tracing.discovery.what_it_left import WhatItLeft
from tests.support.watched_steps import signature, watched


def left(step: WatchedStep) -> WhatItLeft:
    return WhatItLeft(step, FirstLook(step))


def test_files_directories_and_moved_trees(tmp_path: Path) -> None:
    step = watched(tmp_path, Trace(), outputs=("told.txt",))
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner/a").write_text("1")
    (tmp_path / "tree/hollow").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "new").write_text("1")
    (tmp_path / "told.txt").write_text("1")
    flags = {"tree": TREE, "empty": MADE, "new": OURS, "told.txt": OURS, "failed": OURS}
    found = sorted(left(step).written(flags))
    assert found == ["empty", "new", "tree/hollow", "tree/inner/a"]


def test_only_added_to(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("1")
    (tmp_path / "touched").touch()
    assert left(watched(tmp_path, Trace())).is_log("log", APPENDED | OURS)
    assert not left(watched(tmp_path, Trace())).is_log("touched", APPENDED | OURS)
    assert not left(watched(tmp_path, Trace(), earlier=["log"])).is_log("log", APPENDED)
    read = watched(tmp_path, Trace())
    read.readers.add(4, ["log"])
    assert not left(read).is_log("log", APPENDED), "another step reads it"
    read.readers.add(1, ["touched"])


@pytest.mark.parametrize(("after", "changed"), [("one", False), ("two", True)])
def test_changed_in_place_by_its_bytes(tmp_path: Path, after: str, changed: bool) -> None:
    path = tmp_path / "a"
    path.write_text(after)
    trace = Trace(before={str(path): f"blake3:{blake3(b'one').hexdigest()}"})
    assert left(watched(tmp_path, trace)).is_changed("a", READ | CHANGED) == changed


def test_changed_in_place_by_what_stat_says(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    trace = Trace(first={str(path): signature(path)})
    assert not left(watched(tmp_path, trace)).is_changed("a", READ | CHANGED)
    path.write_text("two and more")
    assert left(watched(tmp_path, trace)).is_changed("a", READ | CHANGED)
    assert not left(watched(tmp_path, trace)).is_changed("a", READ)
