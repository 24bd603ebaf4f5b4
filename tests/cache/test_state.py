"""The state explains; it never stands in the way."""

import sqlite3
from pathlib import Path

from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.cache.state import Failure, LocalState
from mlpipe_ci.core.cache_key import Input, key_parts, step_key
from tests.support.fakes import step

PARTS = key_parts(step("train", inputs=("a",)), (Input(path="a", digest="git:1"),))


def test_the_last_success_and_failure_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.db"
    state = LocalState(path)
    assert state.previous("w", "train") is None
    state.succeeded("w", "train", PARTS, 1.0, LastTrace())
    failure = Failure(parts=PARTS, seen=(Input(path="train.py", digest="git:1"),))
    state.fail("w", "train", failure)
    state.close()
    again = LocalState(path)
    assert again.previous("w", "train") == PARTS
    assert again.failed("w", "train") == failure
    assert again.failed("w", "other") is None
    assert LocalState(path, "linked").failed("w", "train") is None, "of another work tree"
    assert again.previous("other", "train") is None
    again.succeeded("w", "train", PARTS, 1.0, LastTrace())
    assert again.failed("w", "train") is None
    again.fail("w", "never succeeded", failure)
    assert again.previous("w", "never succeeded") is None
    again.close()


def test_what_was_seen_of_a_step_without_a_result_is_news(tmp_path: Path) -> None:
    state, key = LocalState(tmp_path / "state.db"), step_key(PARTS)
    first = LastTrace(reads=("a",), shared=("x",), unstored="it removes a")
    state.succeeded("w", "train", PARTS, 1.0, first)
    assert state.knows("w", "train", key, LastTrace(reads=("a",), unstored="it removes a"))
    assert not state.knows("w", "train", key, LastTrace(reads=("b",), unstored="it removes a"))
    assert not state.knows("w", "train", key, LastTrace(reads=("a",), unstored="it removes b"))
    assert not state.knows("w", "train", key, LastTrace(made=2.0))
    state.succeeded("w", "train", PARTS, 1.0, LastTrace(made=2.0, reads=("a",)))
    assert state.knows("w", "train", key, LastTrace(made=2.0))
    assert not state.knows("w", "train", key, LastTrace(made=3.0, reads=("a",)))
    assert not state.knows("w", "other", key, LastTrace(made=2.0))


def test_a_state_that_cannot_be_used_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("this is no database" * 100)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "state.db", tmp_path / "file" / "state.db"):
        state = LocalState(path)
        assert state.warning
        assert "reasons will be less exact" in state.warning
        state.succeeded("w", "train", PARTS, 1.0, LastTrace())
        assert state.previous("w", "train") == PARTS
        state.close()


def test_a_readonly_state_is_read_and_never_made(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    LocalState(path, readonly=True).close()
    assert not path.exists()
    state = LocalState(path)
    state.succeeded("w", "train", PARTS, 1.0, LastTrace())
    reader = LocalState(path, readonly=True)
    assert reader.previous("w", "train") == PARTS
    reader.close()
    state.close()


def test_damaged_parts_are_as_if_not_there(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = LocalState(path)
    state.succeeded("w", "train", PARTS, 1.0, LastTrace())
    with sqlite3.connect(path) as db:
        db.execute("UPDATE steps SET parts='{\"run\": 1'")
    db.close()
    state.close()
    again = LocalState(path)
    assert again.previous("w", "train") is None
    again.close()
