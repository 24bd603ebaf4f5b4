"""What each step left, in a file that survives kills and damage."""

from pathlib import Path
from typing import Any

import pytest

from mlpipe_ci.cache.left_record import Left, LeftRecord, history_of, place_of
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step, StepInstance
from tests.support.fakes import step, workflow

A, B = step("a", outputs=("o/",)), step("b")


def left(of: Step, *paths: str, besides: tuple[str, ...] = (), **more: Any) -> Left:
    """What a step left; `more`: further fields."""
    digests = dict.fromkeys(paths, "blake3:1")
    return Left(step=of.group, name=of.name, paths=digests, besides=besides, **more)


def item(number: int, path: str) -> Step:
    """An instance for a file; its id counts."""
    return step(f"each-{number}", strategy=StepInstance(group="each", values=(), each=path))


def test_it_is_read_as_it_was_written_and_the_last_word_counts(tmp_path: Path) -> None:
    path = tmp_path / "left" / "x.jsonl"
    record = LeftRecord(path)
    assert not record.exists
    record.put(A, left(A, "x"))
    record.put(B, left(B, "y", unfinished=("z",), besides=("y",), state={"s": "blake3:2"}))
    record.put(A, left(A, "x", "o/1", "q"))
    again = LeftRecord(path)
    assert again.of(A) == left(A, "x", "o/1", "q")
    assert again.of(B) == left(B, "y", unfinished=("z",), besides=("y",), state={"s": "blake3:2"})
    assert again.undeclared(A) == ["x", "q"]
    assert len(path.read_text().splitlines()) == 3
    again.finish()
    assert len(path.read_text().splitlines()) == 2
    assert LeftRecord(path).of(B) == again.of(B)


def test_a_line_that_a_kill_cut_short_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    record = LeftRecord(path)
    record.put(A, left(A, "x"))
    record.put(B, left(B, "y"))
    text = path.read_text()
    path.write_text(text[:-9])
    assert LeftRecord(path).of(A) == left(A, "x")
    assert B not in LeftRecord(path)
    path.write_text('[1]\n["b", 5]\n["b", {"step": 1}]\nnull\n' + text)
    assert LeftRecord(path).of(B) == left(B, "y")


def test_what_is_gone_is_known_until_it_is_forgotten(tmp_path: Path) -> None:
    record = LeftRecord(tmp_path / "x.jsonl")
    record.put(A, left(A, "x"))
    record.put(B, left(B, "x", "y"))
    assert record.left_by("x") == {"a": left(A, "x"), "b": left(B, "x", "y")}
    assert record.gone(workflow(A)) == {"b": left(B, "x", "y")}
    record.forget(("b",))
    assert record.gone(workflow(A)) == {}
    assert list(record.left_by("x")) == ["a"]
    assert record.left_by("z") == {}
    assert B not in LeftRecord(tmp_path / "x.jsonl")


def test_an_item_is_known_by_its_file_whatever_its_number(tmp_path: Path) -> None:
    record = LeftRecord(tmp_path / "x.jsonl")
    record.put(item(1, "data/b"), left(item(1, "data/b"), "out/b"))
    assert record.of(item(2, "data/b")).paths == {"out/b": "blake3:1"}
    assert item(1, "data/a") not in record


def test_a_record_without_a_file_is_kept_in_memory() -> None:
    record = LeftRecord()
    record.put(A, left(A, "x"))
    assert record.of(A) == left(A, "x")
    record.finish()


def test_a_history_is_told_by_names_alone() -> None:
    def wrote(*paths: str) -> tuple[Output, ...]:
        return tuple(Output(path=path, kind="file", digest="", size=1) for path in paths)

    before = left(B, "m/1", "m/2", "d", besides=("m/1", "m/2"))
    assert history_of(before, B, wrote("m/3"), ())
    assert not history_of(before, B, wrote("m/3", "m/1"), ())
    assert not history_of(before, B, (), ())
    assert not history_of(left(B), B, wrote("m/3"), ())
    assert not history_of(before, A, wrote("o/3"), ()), "declared outputs are none"
    assert not history_of(before, B, wrote("n/3"), ()), "another form of name: another program"
    both = left(B, "r/2026-01-02/x", "o", besides=("r/2026-01-02/x", "o"))
    assert history_of(both, B, wrote("r/2026-01-03/x", "o"), ()) == ("r/2026-01-02/x",)
    assert not history_of(left(B, "p/1", "o", besides=("p/1", "o")), B, wrote("p/2", "o"), ())
    assert history_of(before, B, wrote("m/3"), ("m/1",)) == ("m/2",), "it looked for the other"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("models/m_1.pt", "models/m_2.pt", "models/"),
        ("outputs/2026-01-02/10-00-00/a.yaml", "outputs/2026-01-02/11-30-00/a.yaml", "outputs/"),
        ("exp1/runs/7/x", "exp1/runs/8/x", "exp1/runs/"),
        ("c/f/d3ffa92536e9b2aeb96c/out.pkl", "c/f/fb65b1dace3932d1e665/out.pkl", "c/f/"),
        ("20260102/x", "20260102/y/3", "20260102/"),
        ("m_1.pt", "m_2.pt", "m_1.pt"),
    ],
)
def test_the_place_of_a_history_is_not_that_of_one_run(old: str, new: str, place: str) -> None:
    assert place_of((old,), (new, "report.txt")) == place
