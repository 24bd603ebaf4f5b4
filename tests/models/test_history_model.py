"""Random histories of a desk, held against what a fresh clone with an empty cache gives.

After each round of edits a run leaves the same bytes in each path as in that clone; the same run
again does nothing; and a fresh clone with the cache of the desk ends with the same bytes.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_cases import cases
from tests.support.random_history import (
    LOOKING,
    THEMES,
    Desk,
    History,
    RandomStep,
    Theme,
    compared,
    histories,
    lost_of_histories,
    tree,
    words,
    younger,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
KEEP = pytest.mark.random("add its theme and its history to KEPT")
KEPT = [
    pytest.param(
        "names of tools",
        History(
            steps=(
                RandomStep((("there in/gen1", "write out/s0.txt"),) * 2, declared=False),
                RandomStep((("write in/gen1", "write out/s1.txt"),) * 2, declared=False),
                RandomStep((("names .cache", "write .cache/2", "write out/s2.txt"),) * 2, False),
            ),
            rounds=((("lost", 0, 0),),),
        ),
        id="looked for, made by a later step",
    ),
    pytest.param(
        "logs",
        History(
            steps=(
                RandomStep(
                    (("read logs/all.log", "read in/c.txt", "write out/s0.txt"),) * 2, False
                ),
                RandomStep(
                    (("append logs/all.log", "read out/s0.txt", "write out/s1.txt"),) * 2,
                    declared=True,
                ),
            ),
            rounds=((("write", 0, 2),),),
        ),
        id="a log that an earlier step looks for",
    ),
    pytest.param(
        "logs",
        History(
            steps=(
                RandomStep((("read in/c.txt", "write out/s0.txt"),) * 2, declared=True),
                RandomStep(
                    (("read logs/all.log", "append logs/all.log", "write out/s1.txt"),) * 2,
                    declared=True,
                ),
                RandomStep(
                    (("read out/s0.txt", "append logs/all.log", "read logs/all.log"),) * 2,
                    declared=True,
                ),
            ),
            rounds=((("write", 2, 0),),),
        ),
        id="what a later step wrote and one after it changed",
    ),
    pytest.param(
        "updates of others",
        History(
            steps=(
                RandomStep((("read in/c.txt", "write out/s0.txt"),) * 2, declared=False),
                RandomStep(
                    (
                        ("insert out/0.db", "write out/s1.txt"),
                        ("read out/0.db", "write out/1.db", "write out/s1.txt"),
                    ),
                    declared=True,
                ),
                RandomStep((("read out/s0.txt", "write out/s2.txt"),) * 2, declared=False),
            ),
            rounds=((("program", 1, 3),),),
        ),
        id="what a step left is no history if it looks for it by name",
    ),
    pytest.param(
        "histories",
        History(
            steps=(
                RandomStep((("read in/b.txt", "keep runs0", "write out/s0.txt"),) * 2, False),
                RandomStep(
                    (
                        ("read out/s0.txt", "read in/b.txt", "keep runs1", "write out/s1.txt"),
                        ("read out/s0.txt", "write out/s1.txt"),
                    ),
                    declared=True,
                ),
                RandomStep((("keep runs2", "write out/s2.txt"),) * 2, declared=True),
            ),
            rounds=((("write", 1, 2),), (("write", 1, 1),), (("delete", 1, 2), ("delete", 1, 2))),
        ),
        id="a history of a later step",
    ),
    pytest.param(
        "names of tools",
        History(
            steps=(
                RandomStep(
                    (("write .cache/deep/0", "write out/s0.txt"), ("write out/s0.txt",)), False
                ),
                RandomStep((("write .cache/deep/1", "write out/s1.txt"),) * 2, declared=False),
                RandomStep((("write .cache/deep/2", "write out/s2.txt"),) * 2, declared=False),
            ),
            rounds=((("program", 0, 0),),),
        ),
        id="a directory that an earlier step makes no more",
    ),
]
MODULES = frozenset({"tiny", "loose", "outer"})
SLACK = 0.12
"""Seconds: what was written just before a run might have been written in it."""


def check(desk: Desk, theme: Theme) -> None:
    """Run, run again, and run in clones."""
    desk.commit()
    shutil.rmtree(desk.top / "cold-cache", ignore_errors=True)
    desk.make_clone(desk.root, desk.top / "cold")
    wanted = desk.run(desk.top / "cold", "cold-cache", MLPIPE_TRACER="off")
    fresh, before = tree(desk.top / "cold"), tree(desk.root)
    time.sleep(SLACK)
    first = desk.run(desk.root)
    assert first.code == wanted.code, f"another exit code at the desk: {first.text}"
    if first.code or (theme.leftovers and any(first.refused)):
        return
    wrong = compared(desk, tree(desk.root), fresh)
    assert not wrong, f"stale at the desk: {wrong}\n{first.text}"
    lost = lost_of_histories(desk, before, first, fresh)
    assert not lost, f"a history lost {lost}\n{first.text}"
    assert theme.refusals or not any(first.refused), f"not stored: {first.text}"
    again = desk.run(desk.root)
    for number, command in enumerate(again.commands):
        assert not command or any(first.refused[: number + 1]), f"run again: {again.text}"
    wrong = compared(desk, tree(desk.root), fresh)
    assert not wrong, f"stale at the desk, after a run that had nothing to do: {wrong}"
    order = younger(desk.top / "cold")
    assert younger(desk.root) == order, f"another order of times at the desk: {first.text}"
    desk.make_clone(desk.root, desk.top / "warm")
    warm = desk.run(desk.top / "warm")
    wrong = compared(desk, tree(desk.top / "warm"), fresh)
    assert not wrong, f"stale in a clone with the cache: {wrong}\n{warm.text}"
    assert "damage" not in warm.text, warm.text
    assert younger(desk.top / "warm") == order, f"another order of times in a clone: {warm.text}"


def nobody_reads(desk: Desk) -> None:
    """A new file at the root, of which no step has asked for a name, runs nothing."""
    looks = {word for deeds in desk.programs().values() for word in words(deeds, LOOKING)}
    if all("/" in word or word in MODULES for word in looks):
        (desk.root / "NOBODY.md").write_text("nobody reads this\n")
        ran = desk.run(desk.root)
        assert not any(ran.commands), f"run for a file that nobody reads: {ran.text}"


def play(top: Path, history: History, theme: Theme) -> None:
    """Edit, run, compare; from one state to the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPIPE_TRACER", "notify")
        patch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
        desk = Desk(top, history.steps)
        check(desk, theme)
        for changes in history.rounds:
            for change in changes:
                desk.edit(change)
            check(desk, theme)
        if not theme.refusals:
            nobody_reads(desk)


@pytest.mark.parametrize(("theme", "history"), KEPT)
def test_a_history_that_was_wrong_once(theme: str, history: History, tmp_path: Path) -> None:
    play(tmp_path, history, THEMES[theme])


@KEEP
@pytest.mark.parametrize("theme", THEMES)
@cases(3)
@given(data=st.data())
def test_a_desk_is_as_a_fresh_clone(theme: str, data: st.DataObject) -> None:
    history = data.draw(histories(theme))
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), history, THEMES[theme])


@KEEP
@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@cases(10)
@given(data=st.data())
def test_many_desks_are_as_fresh_clones(theme: str, data: st.DataObject) -> None:
    history = data.draw(histories(theme))
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), history, THEMES[theme])
