"""The digest of what was there at the first look, and why it may not be known."""

from pathlib import Path

from blake3 import blake3

from mlpipe_ci.tracing.access_log import APPENDED, CHANGED, READ
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.first_look import FirstLook
from tests.support.watched_steps import signature, watched


def blake(text: bytes) -> str:
    return f"blake3:{blake3(text).hexdigest()}"


def test_a_file_that_nobody_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    (tmp_path / "a").chmod(0o755)
    path = str(tmp_path / "a")
    look = FirstLook(
        watched(tmp_path, Trace(paths={path: READ}, first={path: signature(tmp_path / "a")}))
    )
    found = look.content("a")
    assert found.executable
    assert not look.meanwhile + look.unstorable


def test_a_file_that_another_process_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    path, first = str(tmp_path / "a"), signature(tmp_path / "a")
    (tmp_path / "b").write_text("two")
    (tmp_path / "b").replace(tmp_path / "a")
    look = FirstLook(watched(tmp_path, Trace(paths={path: READ}, first={path: first})))
    look.content("a")
    assert look.meanwhile == "a"


def test_a_file_that_the_step_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("two")
    path = str(tmp_path / "a")
    known = Trace(paths={path: READ | CHANGED}, before={path: blake(b"one")})
    look = FirstLook(watched(tmp_path, known))
    assert look.content("a", changed=True).digest == blake(b"one")
    assert not look.unstorable
    look = FirstLook(watched(tmp_path, Trace(paths={path: READ | CHANGED})))
    look.content("a", changed=True)
    assert "changes a in place, and what was there before is not known" in look.unstorable


def test_a_file_to_which_the_step_has_added(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    path, first = str(tmp_path / "a"), signature(tmp_path / "a")
    with (tmp_path / "a").open("a") as file:
        file.write(" two")
    trace = Trace(paths={path: APPENDED}, first={path: first})
    assert FirstLook(watched(tmp_path, trace)).before(path, APPENDED) == blake(b"one")


def test_what_a_later_step_wrote_should_not_have_been_there(tmp_path: Path) -> None:
    (tmp_path / "late").write_text("1")
    path = str(tmp_path / "late")
    trace = Trace(paths={path: READ}, first={path: signature(tmp_path / "late")})
    look = FirstLook(watched(tmp_path, trace, later=["late"]))
    look.content("late")
    assert "it saw late, which a later step writes" in look.unstorable
    look = FirstLook(watched(tmp_path, Trace(names={str(tmp_path): ("late", "x")}), later=["late"]))
    assert look.listing("", (), None).digest == "names:x"
    assert "it saw late" in look.unstorable


def test_state_of_another_step(tmp_path: Path) -> None:
    (tmp_path / "mlruns/1").mkdir(parents=True)
    (tmp_path / "mlruns/1/auc").write_text("0.9")
    trace = Trace(names={str(tmp_path / "mlruns"): ("1", "2")})
    look = FirstLook(watched(tmp_path, trace, kept=["mlruns/1/auc"]))
    assert look.state_content("mlruns/1/auc").digest.startswith("state:blake3:")
    assert look.state_listing("mlruns").digest == "state:names:1/2"
    assert look.state_listing("mlruns").path == "mlruns/"
