"""Who writes and who reads what, as the file declares it and as it was seen last time."""

from pathlib import Path

from mlpipe_ci.cache.last_trace import LastTrace
from mlpipe_ci.cache.left_record import LeftRecord
from mlpipe_ci.cache.state import LocalState
from mlpipe_ci.core.cache_key import key_parts
from mlpipe_ci.plan.session import later_writes, readers
from mlpipe_ci.repo.work_tree import WorkTree
from tests.support import fakes

FIRST = fakes.step("first", inputs=("in",), outputs=("out/a",))
SECOND = fakes.step("second")
WORKFLOW = fakes.workflow(FIRST, SECOND)
SEEN = LastTrace(made=1.0, wrote=(("side", "blake3:1"),), reads=("helper.py",), logs=("run.log",))


def state_after_a_run(tmp_path: Path) -> LocalState:
    state = LocalState(tmp_path / "state.db")
    state.succeeded(WORKFLOW.file, SECOND.id, key_parts(SECOND, ()), 1.0, SEEN)
    return state


def test_what_is_declared_and_what_was_seen_to_be_written(tmp_path: Path) -> None:
    tree, state = WorkTree(tmp_path, None, ("out/a",)), state_after_a_run(tmp_path)
    found = later_writes(WORKFLOW, state, tree, LeftRecord())
    assert found.is_earlier("out/a", 1)
    assert found.hides("side", 0)
    assert found.hides("run.log", 0), "a log of a later step as well"
    assert not found.has("in")


def test_who_reads_what(tmp_path: Path) -> None:
    found = readers(WORKFLOW, state_after_a_run(tmp_path))
    assert found.has_other("in", 1)
    assert found.has_other("helper.py", 0)
    assert not found.has_other("helper.py", 1)
