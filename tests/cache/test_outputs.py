"""Outputs in the work tree: saved, restored, set aside; also by a process that is killed."""

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_ci.cache import outputs
from mlpipe_ci.cache.left_record import Left, history_of
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import MissingOutputError
from mlpipe_ci.cache.restore import Restorer
from mlpipe_ci.cache.store import Store
from mlpipe_ci.cache.transaction import OutputTransaction, SetAside
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step
from tests.support.fakes import step

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
def transaction(root: Path, tmp_path: Path) -> OutputTransaction:
    return OutputTransaction(root, tmp_path / "aside")


def restore(
    root: Path, step: Step, found: tuple[Output, ...], store: Store, transaction: OutputTransaction
) -> tuple[int, tuple[str, ...]]:
    return Restorer(root, store, transaction).all(step, found)


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


def test_everything_comes_back_and_nothing_else(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    found = outputs.save(root, STEP, store)
    before = listing(root)
    for name in ("plots", "model.pkl", "m.json"):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert restore(root, STEP, found, store, transaction) == (len(found), ())
    assert listing(root) == before
    assert restore(root, STEP, found, store, transaction) == (0, ())


def test_what_is_right_is_not_touched_and_what_is_not_is_put_right(
    root: Path, store: Store, transaction: OutputTransaction
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
    (root / "m.json" / "deep" / "empty").mkdir(parents=True)
    count, moved = restore(root, STEP, found, store, transaction)
    assert (count, set(moved)) == (4, {"plots/stale.svg", "m.json", "model.pkl", "plots/latest"})
    assert listing(root) == before
    replaced = listing(transaction.directory / "replaced" / "train")
    assert replaced["m.json/mine"] == "mine"
    assert replaced["plots/stale.svg"] == "from an earlier run"
    assert replaced["model.pkl"] == "mode!"
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
        (Output(path="../x", kind="file", digest="blake3:" + "0" * 64, size=1), "leaves the repo"),
        (Output(path="plots/l", kind="link", digest="link:../../x", size=0), "leaves the repo"),
        (Output(path="plots/l", kind="link", digest="link:/etc/passwd", size=0), "leaves the repo"),
        (Output(path="m.json", kind="file", digest="blake3:" + "0" * 64, size=1), "not in the"),
    ],
)
def test_a_result_that_cannot_be_restored_is_damage(
    root: Path, store: Store, transaction: OutputTransaction, output: Output, message: str
) -> None:
    before = listing(root)
    with pytest.raises(DamagedError, match=message):
        restore(root, STEP, (output,), store, transaction)
    assert listing(root) == before, "nothing is touched before all contents are there"


def test_one_damaged_object_among_many_leaves_the_work_tree_as_it_is(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    found = outputs.save(root, STEP, store)
    (root / "model.pkl").write_text("newer")
    (root / "plots/roc.svg").write_text("newer")
    (root / "plots/more.svg").write_text("newer")
    before = listing(root)
    damaged = next(o for o in found if o.path == "plots/roc.svg")
    path = Path(store._object(damaged.digest))
    path.chmod(0o644)
    path.write_text("<gvs>")
    with pytest.raises(DamagedError):
        restore(root, STEP, found, store, transaction)
    assert listing(root) == before


@pytest.mark.parametrize("declared", ["a/b/x", "a/", "a/b/"])
def test_nothing_is_written_or_removed_through_a_link(
    root: Path, store: Store, transaction: OutputTransaction, tmp_path: Path, declared: str
) -> None:
    deep = step("s", outputs=(declared,))
    (tmp_path / "outside" / "b").mkdir(parents=True)
    (tmp_path / "outside" / "b" / "mine").write_text("mine")
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(PathError, match="leads through the link 'a'"):
        restore(root, deep, (), store, transaction)
    assert listing(tmp_path / "outside") == {"b": "/", "b/mine": "mine"}


class Killed(BaseException):
    """As if the process had been killed at this moment."""


def test_a_success_drops_what_it_wrote_again_and_keeps_the_rest(
    root: Path, tmp_path: Path, transaction: OutputTransaction
) -> None:
    (root / "plots" / "notes.md").write_text("years of work")
    transaction.set_aside(STEP)
    assert listing(root) == {}
    for name in ("model.pkl", "m.json"):
        (root / name).write_text("new")
    (root / "plots").mkdir()
    (root / "plots" / "roc.svg").write_text("new")
    left = {"plots/run.sh": "x", "plots/notes.md": "another text"}

    def is_own(path: str, kept: Path) -> bool:
        return left.get(path) == kept.read_text()

    moved = transaction.commit(STEP, outputs.save(root, STEP, None), is_own=is_own)
    assert moved.replaced == ("plots/latest", "plots/notes.md")
    assert moved.previous == ("plots/run.sh",)
    assert (transaction.previous("train") / "plots/run.sh").read_text() == "x"
    replaced = tmp_path / "aside" / "replaced" / "train"
    assert (replaced / "plots" / "notes.md").read_text() == "years of work"
    assert listing(root)["plots/roc.svg"] == "new"
    assert transaction.roll_back("train") is None
    assert list((tmp_path / "aside" / "running").iterdir()) == []


def again(root: Path, transaction: OutputTransaction, *more: str, **files: str) -> SetAside:
    """The step runs once more, and writes files (`_` is a slash) that it does not declare."""
    alone = step("alone")
    transaction.set_aside(alone, more)
    for name, text in files.items():
        path = root / name.replace("_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    paths = tuple(name.replace("_", "/") for name in files)
    found = outputs.describe(root, alone, paths)
    left = Left(step="alone", name="alone", paths={}, besides=more)
    added = history_of(left, alone, found, ())
    return transaction.commit(alone, found, more, added)


def test_files_that_are_only_added_to_are_a_history(
    root: Path, transaction: OutputTransaction
) -> None:
    again(root, transaction, runs_1="first")
    assert again(root, transaction, "runs/1", runs_2="second").history == ("runs/1",)
    assert sorted(one.name for one in (root / "runs").iterdir()) == ["1", "2"]


def test_what_is_rewritten_in_part_is_none_and_of_the_rest_there_is_one_copy(
    root: Path, transaction: OutputTransaction
) -> None:
    previous = transaction.previous("alone")
    again(root, transaction, runs_1="first", runs_all="1")
    for number in range(3):
        moved = again(root, transaction, "runs/1", "runs/all", runs_2="second", runs_all="2")
        assert moved == SetAside(previous=("runs/1",))
        assert sorted(one.name for one in (root / "runs").iterdir()) == ["2", "all"]
        assert [one.name for one in previous.rglob("*") if one.is_file()] == ["1"]
        (root / "runs/1").write_text(f"again {number}")
    (root / "runs/1").unlink()
    (root / "runs/1").mkdir()
    (root / "runs/1/deep").write_text("x")
    assert transaction.retire("alone", ("runs/1/deep",)) == ("runs/1/deep",)
    assert (previous / "runs/1/deep").read_text() == "x", "a directory takes the place of a file"


def test_nothing_new_is_no_history(root: Path, transaction: OutputTransaction) -> None:
    again(root, transaction, runs_1="first")
    assert again(root, transaction, "runs/1") == SetAside(previous=("runs/1",))
    assert not (root / "runs").exists()


def test_a_failure_puts_the_old_outputs_back_and_keeps_the_new_ones_to_look_at(
    root: Path, tmp_path: Path
) -> None:
    before, transaction = listing(root), OutputTransaction(root, tmp_path / "aside")
    transaction.set_aside(STEP)
    (root / "model.pkl").write_text("half")
    (root / "plots").mkdir()
    (root / "plots/new.svg").write_text("half")
    assert transaction.roll_back_all() == {"train": STEP.writes}
    assert listing(root) == before
    failed = listing(tmp_path / "aside" / "failed" / "train")
    assert failed == {"model.pkl": "half", "plots": "/", "plots/new.svg": "half"}


def test_parents_of_outputs_are_made(tmp_path: Path) -> None:
    deep = step("s", outputs=("a/b/x", "c/d/"))
    root = tmp_path / "root"
    root.mkdir()
    OutputTransaction(root, tmp_path / "aside").set_aside(deep)
    assert listing(root) == {"a": "/", "a/b": "/", "c": "/"}


@pytest.mark.parametrize("method", ["rename", "replace", "unlink", "write_text", "mkdir"])
def test_killed_at_any_moment_the_old_outputs_come_back(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Every call that changes the disk is one moment: before it, the process dies."""
    before, original = listing(root), getattr(Path, method)

    def life(transaction: OutputTransaction, of: Step) -> None:
        transaction.set_aside(of)
        Path.write_text(root / "model.pkl", "half")
        transaction.roll_back(of.id)

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
                life(OutputTransaction(root, tmp_path / "aside"), STEP)
                finished = True
            except Killed:
                pass
        OutputTransaction(root, tmp_path / "aside").roll_back_all()
        assert listing(root) == before, f"{method}, call {moment}"
        moment += 1
    assert moment > 1


def test_a_damaged_journal_is_no_journal(root: Path, tmp_path: Path) -> None:
    before, transaction = listing(root), OutputTransaction(root, tmp_path / "aside")
    (tmp_path / "aside/running/train").mkdir(parents=True)
    for text in ("", "[]", "{", json.dumps({"step": "x"})):
        (tmp_path / "aside/running/train/journal.json").write_text(text)
        assert transaction.roll_back("train") is None
        assert listing(root) == before


MANY = step("many", inputs=("a",), outputs=("parts/", "one.txt"))


@pytest.fixture
def many(root: Path) -> Path:
    """Many small files, a large one, a link, an executable one, an empty directory."""
    for number in range(outputs.MANY + 20):
        path = root / "parts" / f"{number % 3}"
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{number:03}").write_text(f"part {number}\n" * number)
    (root / "parts/0/000").chmod(0o755)
    (root / "parts/large").write_bytes(b"x" * outputs.SMALL)
    (root / "parts/link").symlink_to("0/000")
    (root / "parts/empty").mkdir()
    (root / "one.txt").write_text("one")
    return root


def objects(store: Store) -> list[Path]:
    return [path for path in (store.directory / "v1/objects").rglob("*") if path.is_file()]


def test_many_small_files_are_one_object(
    many: Path, store: Store, transaction: OutputTransaction
) -> None:
    found, before = outputs.save(many, MANY, store), listing(many)
    assert len(objects(store)) == 2, "the pack and the large one"
    assert outputs.save(many, MANY, None) == tuple(replace(o, pack="", offset=0) for o in found)
    for gone in ("parts", "parts/1", "parts/2/002", "one.txt"):
        path = many / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert restore(many, MANY, found, store, transaction)[0] > 0
        assert listing(many) == before
        assert restore(many, MANY, found, store, transaction) == (0, ())
    assert all(store.holds(output) for output in found)


def test_a_pack_ends_when_it_is_large(
    many: Path, store: Store, transaction: OutputTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "PACK", 4000)
    found, before = outputs.save(many, MANY, store), listing(many)
    assert len({output.pack for output in found if output.pack}) > 5
    shutil.rmtree(many / "parts")
    restore(many, MANY, found, store, transaction)
    assert listing(many) == before


def test_damage_in_a_pack_is_found_and_nothing_is_changed(
    many: Path, store: Store, transaction: OutputTransaction
) -> None:
    found = outputs.save(many, MANY, store)
    (pack,) = (path for path in objects(store) if path.stat().st_size != outputs.SMALL)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(content)
    (many / "one.txt").unlink()
    shutil.rmtree(many / "parts/1")
    before = listing(many)
    with pytest.raises(DamagedError, match="is not what was stored"):
        restore(many, MANY, found, store, transaction)
    assert listing(many) == before
    assert not pack.exists(), "and it is not asked again"
    assert not all(store.holds(output) for output in found)
    pack.write_bytes(content[:-1])
    assert not all(store.holds(output) for output in found), "one that is cut short is seen at once"


def test_links_to_the_store_only_where_that_is_asked_for(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    found, before = outputs.save(root, STEP, store), listing(root)
    for linking in (False, True):
        shutil.rmtree(root / "plots")
        (root / "model.pkl").unlink()
        restore(root, STEP, found, Store(store.directory, links=linking), transaction)
        assert listing(root) == before
        assert (root / "model.pkl").stat().st_nlink == (2 if linking else 1)
        assert (root / "plots/run.sh").stat().st_nlink == (2 if linking else 1)
    (path,) = (path for path in objects(store) if path.read_bytes() == b"model")
    assert path.samefile(root / "model.pkl")
    path.chmod(0o644)
    path.write_text("spoilt")
    (root / "model.pkl").unlink()
    with pytest.raises(DamagedError):
        restore(root, STEP, found, Store(store.directory, links=True), transaction)


def test_what_a_step_did_not_declare_comes_back_too(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    for path in ("notes.txt", "more/deep/a"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    (root / "void").mkdir()
    found = outputs.keep(
        root, outputs.describe(root, STEP, ("notes.txt", "more/deep/a", "void")), store
    )
    before = listing(root)
    shutil.rmtree(root / "more")
    (root / "notes.txt").unlink()
    (root / "void").rmdir()
    restore(root, STEP, found, store, transaction)
    assert listing(root) == before


def test_a_socket_and_a_pipe_are_no_outputs(root: Path) -> None:
    os.mkfifo(root / "plots/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "plots/socket"))
        paths = {output.path for output in outputs.save(root, STEP, None)}
    assert "plots/roc.svg" in paths
    assert not paths & {"plots/pipe", "plots/socket"}


def test_outputs_that_name_their_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "names").write_bytes(b"\0" + os.fsencode(root) + b"/src\0")
    (root / "other").write_text(f"{root}2/src")
    (root / "late").write_bytes(bytes(100) + os.fsencode(root))
    found = tuple(
        Output(path=path, kind="file", digest="", size=1)
        for path in ("names", "other", "late", "gone")
    )
    assert outputs.naming(root, found) == ("names", "late")
    monkeypatch.setattr(outputs, "MOST_SEARCHED", 100)
    assert outputs.naming(root, found[2:]) == (), "not among the first bytes"
    link = root.with_name("link")
    link.symlink_to(root)
    assert outputs.naming(link, found[:2]) == ("names",), "as the system spells it"


def test_links_to_what_another_clone_does_not_have(root: Path) -> None:
    links = {
        "plots/in": "../model.pkl",
        "plots/soon": "not-yet",
        "plots/out": "../../elsewhere",
        "plots/log": "/var/log/x",
        "plots/here": str(root / "model.pkl"),
        "plots/through": "out/a",
    }
    for path, text in links.items():
        (root / path).symlink_to(text)
    found = outputs.leaving(root, outputs.save(root, STEP, None))
    assert {path for path, _ in found} == {f"plots/{n}" for n in ("out", "log", "here", "through")}
    assert dict(found)["plots/log"] == "/var/log/x"


def test_permission_bits_come_back_and_count(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    modes = {
        "model.pkl": 0o600,
        "plots/roc.svg": 0o640,
        "plots/run.sh": 0o711,
        "plots/empty": 0o700,
    }
    for path, mode in modes.items():
        (root / path).chmod(mode)
    found = outputs.save(root, STEP, store)
    shutil.rmtree(root / "plots")
    (root / "model.pkl").chmod(0o644)
    assert restore(root, STEP, found, store, transaction)[0] == len(found) - 1
    assert {p: (root / p).stat().st_mode & 0o777 for p in modes} == modes
    assert all(path.stat().st_mode & 0o077 == 0 for path in objects(store))


def test_files_of_one_content_and_other_bits_share_no_object(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    (root / "plots/roc.svg").write_text("model")
    (root / "model.pkl").chmod(0o600)
    found = outputs.save(root, STEP, store)
    (root / "plots/roc.svg").unlink()
    (root / "model.pkl").unlink()
    linked = Store(store.directory, links=True)
    restore(root, STEP, found, linked, transaction)
    modes = {(root / p).stat().st_mode & 0o777 for p in ("model.pkl", "plots/roc.svg")}
    assert modes in ({0o400, 0o644}, {0o600, 0o444})
    assert restore(root, STEP, found, linked, transaction) == (0, ())


def test_the_order_in_which_outputs_were_written_is_kept(root: Path) -> None:
    for number, path in enumerate(("plots/run.sh", "model.pkl", "plots/roc.svg", "m.json")):
        os.utime(root / path, ns=(0, 10**18 + (number - number % 2)))
    order = {output.path: output.order for output in outputs.save(root, STEP, None)}
    assert order["plots/run.sh"] == order["model.pkl"] < order["plots/roc.svg"] == order["m.json"]


def test_a_directory_of_which_all_was_moved_away_goes_too(
    root: Path, store: Store, transaction: OutputTransaction
) -> None:
    found, before = outputs.save(root, STEP, store), listing(root)
    (root / "plots/mine/deep").mkdir(parents=True)
    (root / "plots/mine/deep/notes").write_text("mine")
    assert restore(root, STEP, found, store, transaction) == (0, ("plots/mine/deep/notes",))
    assert listing(root) == before
