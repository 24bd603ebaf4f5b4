"""The benchmark script: a small work, done by mlpipe and make through its own functions."""

import dataclasses
from pathlib import Path

import pytest
import report
import store
from catalog import WORKS
from measure import MeasureError, Sample, measure
from places import Place, Tool, plain_environment
from rivals import TOOLS, Plain
from session import Work, again, anew, leaf, places, sample, take_turns, warm_up
from works import chain_tree, count, folder_tree, payload_tree, write_shared

TOOL_NAMES = ("mlpipe", "make")


@pytest.fixture
def columns(tmp_path: Path) -> dict[str, tuple[Tool, Place]]:
    """Three steps in a chain, up to date in each tool."""
    tools = [TOOLS[name] for name in TOOL_NAMES]
    made = places(chain_tree(3), tools, tmp_path / "base")
    for place in made.values():
        warm_up(place)
    return {name: (place.tool, place) for name, place in made.items()}


def small(**changes: object) -> Work:
    tools = tuple(TOOLS[name] for name in TOOL_NAMES)
    work = Work("small", "Nothing to do, 3 steps", chain_tree(3), tools, target="no time")
    return dataclasses.replace(work, **changes)  # type: ignore[arg-type]


def test_a_work_is_measured_kept_and_reported(
    columns: dict[str, tuple[Tool, Place]], tmp_path: Path
) -> None:
    session = take_turns(small(), columns, 2, print)
    assert [sorted(done) for done in session.rounds] == [["make", "mlpipe"]] * 2
    assert not session.wrong
    versions = {"mlpipe": "1.2", "make": "4.3"}
    store.keep("small", store.dressed(session, versions, {"dvc": "no such package"}), tmp_path)
    text = report.table(small(), store.load("small", tmp_path))
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["| tool", "| make", "| **mlpipe**", "| dvc"]
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {9}
    assert rows[2][1] == "1.2"
    assert rows[2][-2:] == ["1.00", "2 |"]
    assert float(rows[2][3]) > float(rows[1][3]) > 0
    assert "Not measured: dvc. no such package" in text


def test_a_wrong_number_of_steps_is_refused(columns: dict[str, tuple[Tool, Place]]) -> None:
    assert sample(small(moment=leaf, expected=1), *columns["make"], 0).wall > 0
    with pytest.raises(MeasureError, match="1 steps ran, not 0"):
        sample(small(moment=leaf), *columns["mlpipe"], 1)
    with pytest.raises(MeasureError, match="0 steps ran, not 3"):
        sample(small(moment=again, expected=3), *columns["mlpipe"], 2)
    session = take_turns(small(moment=anew, expected=2), columns, 1, print)
    assert session.rounds == [{}]
    assert session.wrong == dict.fromkeys(TOOL_NAMES, "3 steps ran, not 2")


def test_missing_output_is_refused(tmp_path: Path) -> None:
    idle = Plain("idle", "true", own=True)
    tree = payload_tree(files=3)
    made = places(tree, [idle], tmp_path / "base")
    with pytest.raises(MeasureError, match="1 outputs are missing, such as steps/one/out/"):
        sample(small(tree=tree, tools=(idle,)), idle, made["idle"], 0)


def test_a_tool_that_does_not_see_a_change_is_refused(tmp_path: Path) -> None:
    tool = TOOLS["make"]
    place = places(folder_tree(3), [tool], tmp_path / "base")[tool.name]
    makefile = place.repo / "Makefile"
    makefile.write_text(makefile.read_text().replace("$(DATA)", ""))
    with pytest.raises(MeasureError, match="0 steps ran, not 1"):
        warm_up(place)


def test_a_program_that_fails_is_refused_with_what_it_said(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo this went wrong; exit 3"]
    with pytest.raises(MeasureError, match="exit code 3\nthis went wrong"):
        measure(command, tmp_path, plain_environment(), tmp_path / "said.txt")


def test_time_and_memory_of_children_count(tmp_path: Path) -> None:
    use = "x = bytearray(60_000_000)\nfor _ in range(3_000_000): pass"
    command = ["sh", "-c", f"python3 -c '{use}'; true"]
    taken = measure(command, tmp_path, plain_environment(), tmp_path / "said.txt")
    assert taken.cpu > 0.02
    assert 60 < taken.peak < 200


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shared(folder_tree(1001), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.bin"))
    assert len(files) == count(tmp_path / "a")[0] == 1001
    assert all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )


def test_a_part_that_is_measured_again_says_so(tmp_path: Path) -> None:
    def session(commit: str, *names: str) -> store.Kept:
        done = {name: Sample(1.0, 0.5, 20.0, 0.0) for name in names}
        return store.Kept(commit, "a machine", [done])

    store.keep("small", session("aaa", "mlpipe", "make", "dvc"), tmp_path)
    store.keep("small", session("bbb", "mlpipe", "make"), tmp_path)
    text = report.table(small(), store.load("small", tmp_path))
    assert "dvc is of an earlier run, beside mlpipe aaa, which needed 0.500 s CPU then." in text
    assert "make is of an earlier run" not in text
    store.keep("small", session("ccc", "mlpipe", "make", "dvc"), tmp_path)
    assert [kept.commit for kept in store.load("small", tmp_path)] == ["ccc"]


def test_names_of_works_are_names_of_files() -> None:
    names = [work.name for work in WORKS]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)
