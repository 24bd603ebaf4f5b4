"""Outputs in the work tree: saved, restored, set aside; also by a process that is killed."""

import json
import os
import shutil
from pathlib import Path

import pytest
from fakes import step

from mlpipe_ci.cache import outputs
from mlpipe_ci.cache.aside import Aside
from mlpipe_ci.cache.outputs import MissingOutputError
from mlpipe_ci.cache.store import DamagedError, Store
from mlpipe_ci.errors import PathError
from mlpipe_ci.result import Output
from mlpipe_ci.workflow import Step

STEP = step("train", inputs=("a",), outputs=("model.pkl", "plots/"), metrics=("m.json",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "plots" / "empty").mkdir(parents=True)
    (root / "model.pkl").write_text("model")
    (root / "m.json").write_text("{}")
    (root / "plots" / "roc.svg").write_text("<svg>")
    (root / "plots" / "run.sh").write_text("x")
    (root / "plots" / "run.sh").chmod(0o755)
    (root / "plots" / "latest").symlink_to("roc.svg")
    return root


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def aside(root: Path, tmp_path: Path) -> Aside:
    return Aside(root, tmp_path / "aside")


def listing(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): (
            f"-> {path.readlink()}"
            if path.is_symlink()
            else path.read_text() + ("*" if os.access(path, os.X_OK) else "")
            if path.is_file()
            else "/"
        )
        for path in sorted(root.rglob("*"))
    }


def test_everything_comes_back_and_nothing_else(root: Path, store: Store, aside: Aside) -> None:
    found = outputs.save(root, STEP, store)
    before = listing(root)
    for name in ("plots", "model.pkl", "m.json"):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert outputs.restore(root, STEP, found, store, aside) == (len(found), ())
    assert listing(root) == before
    assert outputs.restore(root, STEP, found, store, aside) == (0, ())


def test_what_is_right_is_not_touched_and_what_is_not_is_put_right(
    root: Path, store: Store, aside: Aside
) -> None:
    found = outputs.save(root, STEP, store)
    before, kept = listing(root), (root / "plots/roc.svg").stat()
    (root / "model.pkl").write_text("mode!")
    (root / "plots/stale.svg").write_text("from an earlier run")
    (root / "plots/run.sh").chmod(0o644)
    (root / "plots/latest").unlink()
    (root / "plots/latest").write_text("no link any more")
    (root / "m.json").unlink()
    (root / "m.json").mkdir()
    (root / "m.json" / "mine").write_text("mine")
    moved = ("plots/stale.svg", "m.json/mine")
    assert outputs.restore(root, STEP, found, store, aside) == (4, moved)
    assert listing(root) == before
    replaced = listing(aside.directory / "replaced" / "train")
    assert replaced["m.json/mine"] == "mine"
    assert replaced["plots/stale.svg"] == "from an earlier run"
    after = (root / "plots/roc.svg").stat()
    assert (after.st_ino, after.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)


@pytest.mark.parametrize(
    ("declared", "make", "message"),
    [
        ("x", lambda path: None, "did not write 'x'"),
        ("x", lambda path: path.mkdir(), "is a directory; declare it as 'x/'"),
        ("x/", lambda path: path.write_text(""), "is not a directory"),
        ("x", os.mkfifo, "neither a file"),
    ],
)
def test_an_output_of_the_wrong_kind_is_told(
    root: Path, declared: str, make: object, message: str
) -> None:
    make(root / "x")  # type: ignore[operator]
    with pytest.raises(MissingOutputError, match=message):
        outputs.save(root, step("s", outputs=(declared,)), None)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (Output(path="other", kind="file", digest="blake3:" + "0" * 64, size=1), "not declared"),
        (Output(path="plots/l", kind="link", digest="link:../../x", size=0), "leaves the repo"),
        (Output(path="plots/l", kind="link", digest="link:/etc/passwd", size=0), "leaves the repo"),
        (Output(path="m.json", kind="file", digest="blake3:" + "0" * 64, size=1), "not in the"),
    ],
)
def test_a_result_that_cannot_be_restored_is_damage(
    root: Path, store: Store, aside: Aside, output: Output, message: str
) -> None:
    before = listing(root)
    with pytest.raises(DamagedError, match=message):
        outputs.restore(root, STEP, (output,), store, aside)
    assert listing(root) == before, "nothing is touched before all contents are there"


def test_one_damaged_object_among_many_leaves_the_work_tree_as_it_is(
    root: Path, store: Store, aside: Aside
) -> None:
    found = outputs.save(root, STEP, store)
    (root / "model.pkl").write_text("newer")
    (root / "plots/roc.svg").write_text("newer")
    (root / "plots/more.svg").write_text("newer")
    before = listing(root)
    damaged = next(o for o in found if o.path == "plots/roc.svg")
    path = store._object(damaged.digest)
    path.chmod(0o644)
    path.write_text("<gvs>")
    with pytest.raises(DamagedError):
        outputs.restore(root, STEP, found, store, aside)
    assert listing(root) == before


@pytest.mark.parametrize("declared", ["a/b/x", "a/", "a/b/"])
def test_nothing_is_written_or_removed_through_a_link(
    root: Path, store: Store, aside: Aside, tmp_path: Path, declared: str
) -> None:
    deep = step("s", outputs=(declared,))
    (tmp_path / "outside" / "b").mkdir(parents=True)
    (tmp_path / "outside" / "b" / "mine").write_text("mine")
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(PathError, match="leads through the link 'a'"):
        outputs.restore(root, deep, (), store, aside)
    assert listing(tmp_path / "outside") == {"b": "/", "b/mine": "mine"}


class Killed(BaseException):
    """As if the process had been killed at this moment."""


def test_a_success_drops_what_it_wrote_again_and_keeps_the_rest(
    root: Path, tmp_path: Path, aside: Aside
) -> None:
    (root / "plots" / "notes.md").write_text("years of work")
    aside.move(STEP)
    assert listing(root) == {}
    for name in ("model.pkl", "m.json"):
        (root / name).write_text("new")
    (root / "plots").mkdir()
    (root / "plots" / "roc.svg").write_text("new")
    moved = aside.drop(STEP, outputs.save(root, STEP, None))
    assert moved == ("plots/latest", "plots/notes.md", "plots/run.sh")
    replaced = tmp_path / "aside" / "replaced" / "train"
    assert (replaced / "plots" / "notes.md").read_text() == "years of work"
    assert listing(root)["plots/roc.svg"] == "new"
    assert aside.put_back() is None
    assert not (tmp_path / "aside" / "kept").exists()


def test_a_failure_puts_the_old_outputs_back_and_keeps_the_new_ones_to_look_at(
    root: Path, tmp_path: Path
) -> None:
    before, aside = listing(root), Aside(root, tmp_path / "aside")
    aside.move(STEP)
    (root / "model.pkl").write_text("half")
    (root / "plots").mkdir()
    (root / "plots/new.svg").write_text("half")
    assert aside.put_back() == ("train", STEP.writes)
    assert listing(root) == before
    failed = listing(tmp_path / "aside" / "failed" / "train")
    assert failed == {"model.pkl": "half", "plots": "/", "plots/new.svg": "half"}


def test_parents_of_outputs_are_made(tmp_path: Path) -> None:
    deep = step("s", outputs=("a/b/x", "c/d/"))
    root = tmp_path / "root"
    root.mkdir()
    Aside(root, tmp_path / "aside").move(deep)
    assert listing(root) == {"a": "/", "a/b": "/", "c": "/"}


@pytest.mark.parametrize("method", ["rename", "replace", "unlink", "write_text", "mkdir"])
def test_killed_at_any_moment_the_old_outputs_come_back(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Every call that changes the disk is one moment: before it, the process dies."""
    before, original = listing(root), getattr(Path, method)

    def life(aside: Aside, of: Step) -> None:
        aside.move(of)
        Path.write_text(root / "model.pkl", "half")
        aside.put_back()

    moment, finished = 0, False
    while not finished:
        calls = 0

        def dying(self: Path, *args: object, moment: int = moment, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if calls > moment:
                raise Killed
            return original(self, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Path, method, dying)
            try:
                life(Aside(root, tmp_path / "aside"), STEP)
                finished = True
            except Killed:
                pass
        Aside(root, tmp_path / "aside").put_back()
        assert listing(root) == before, f"{method}, call {moment}"
        moment += 1
    assert moment > 1


def test_a_damaged_journal_is_no_journal(root: Path, tmp_path: Path) -> None:
    before, aside = listing(root), Aside(root, tmp_path / "aside")
    (tmp_path / "aside").mkdir()
    for text in ("", "[]", "{", json.dumps({"step": "x"})):
        (tmp_path / "aside" / "journal.json").write_text(text)
        assert aside.put_back() is None
        assert listing(root) == before
