"""What later steps left is out of sight while an earlier one runs, and never lost."""

from pathlib import Path

import pytest

from mlpipe_ci.cache import hidden_outputs
from mlpipe_ci.cache.file_ops import move
from mlpipe_ci.cache.hidden_outputs import HiddenOutputs
from mlpipe_ci.cache.transaction import OutputTransaction


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "out/deep").mkdir(parents=True)
    (root / "out/deep/a").write_text("a")
    (root / "model").mkdir()
    (root / "model/b").write_text("b")
    (root / "own").write_text("own")
    return root


def hidden(root: Path) -> HiddenOutputs:
    return HiddenOutputs(root, OutputTransaction(root, root.parent / "aside"))


def files(root: Path) -> dict[str, str]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_text() for path in found}


PATHS = ("out/deep/a", "model/", "nothing")


def test_out_of_sight_and_back(root: Path) -> None:
    before, one = files(root), hidden(root)
    assert one.hide("later", PATHS)
    assert "later" in one
    assert list(root.iterdir()) == [root / "own"], "empty directories are gone as well"
    assert one.bring_back("later")
    assert files(root) == before
    assert not one.bring_back("later")
    assert not one.hide("later", ("nothing",))


def test_the_next_run_finds_what_a_killed_one_has_hidden(root: Path) -> None:
    before = files(root)
    hidden(root).hide("later", PATHS)
    hidden(root).bring_back_all()
    assert files(root) == before
    hidden(root).bring_back_all()
    assert files(root) == before


@pytest.mark.parametrize("moves", range(3))
def test_killed_at_any_moment(root: Path, moves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(root)
    left = [moves]

    def until(source: Path, destination: Path) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        move(source, destination)

    monkeypatch.setattr(hidden_outputs, "move", until)
    try:
        one = hidden(root)
        one.hide("later", PATHS)
        one.bring_back("later")
    except KeyboardInterrupt:
        pass
    monkeypatch.setattr(hidden_outputs, "move", move)
    hidden(root).bring_back_all()
    assert files(root) == before


def test_where_an_earlier_step_has_written_the_same_path(root: Path) -> None:
    one = hidden(root)
    one.hide("later", ("own",))
    (root / "own").write_text("of the earlier step")
    one.bring_back("later")
    assert (root / "own").read_text() == "of the earlier step"
    assert (root.parent / "aside/replaced/later/own").read_text() == "own"
