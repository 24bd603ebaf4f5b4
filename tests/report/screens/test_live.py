"""The live view: what it shows at any width, without colour, and of any output."""

import io
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.run import Execution, Status, StepOutcome
from mlpipe_ci.report.screens.live import LiveScreen, Running
from tests.support.fakes import step, workflow
from tests.support.repository import Repo

TRAIN = step("train", name="train a model with a very long name, as people do")
NEXT = step("next", name="evaluate")


def picture(screen: LiveScreen, width: int, height: int = 24) -> list[str]:
    """The lines that would be drawn on a terminal of this size."""
    out = io.StringIO()
    screen._console = Console(file=out, width=width, height=height, no_color=True)
    screen._console.print(screen._picture())
    return [line.rstrip() for line in out.getvalue().splitlines()]


def begun(screen: LiveScreen, *steps: str, seconds: float | None = None) -> None:
    for name in steps or ("train",):
        of = TRAIN if name == "train" else step(name)
        decision = Decision(step=of, action=Action.RUN, reasons=("train.py changed",))
        screen.start(decision, seconds)
        screen.close()  # it is drawn here by hand


@pytest.fixture
def screen() -> LiveScreen:
    one = LiveScreen(io.StringIO(), {})
    one.head(workflow(TRAIN, NEXT), Comparison(how="no commit yet"))
    return one


def since(screen: LiveScreen, seconds: float) -> None:
    for one in screen._running.values():
        one.since = time.monotonic() - seconds


def test_it_says_what_runs_how_far_it_is_and_what_comes(screen: LiveScreen) -> None:
    begun(screen, seconds=100)
    since(screen, 41.5)
    screen.output("train", b"epoch 1\r\x1b[32mepoch 2\x1b[0m  loss 0.4\n")
    name = "▶ train a model with a very long name, as people do"
    assert picture(screen, 110) == [
        f"{name}  [━━━━━━━━━               ] 41 %  0:41 of about 1:40",
        "  epoch 2  loss 0.4",
        "· 1 to come: evaluate",
    ]
    assert picture(screen, 40)[0] == "▶ train a mo…  41 %  0:41 of about 1:40"


@pytest.mark.parametrize("name", ["train", "evaluate (model=forest, seed=1)", "数据" * 20])
@pytest.mark.parametrize(("seconds", "took"), [(100, 41), (3700, 1800), (30, 41), (None, 5)])
@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_names_and_times_stay_apart(
    name: str, seconds: float | None, took: float, width: int
) -> None:
    one = LiveScreen(io.StringIO(), {})
    of = step("s", name=name)
    one.head(workflow(of), Comparison(how="no commit yet"))
    one.start(Decision(step=of, action=Action.RUN, reasons=("x",)), seconds)
    one.close()
    since(one, took + 0.1)
    line = picture(one, width)[0]
    assert cell_len(line) < width
    time_ = re.search(
        r"  (?:\[.*\] )?(?:\d+ %  )?\d+:\d+(, last time 0:30| of about [0-9:]+)?$", line
    )
    assert time_, line
    assert bool(time_[1]) == (seconds is not None)
    shown = line[: time_.start()]
    assert shown == f"▶ {name}" or shown.endswith("…")


@pytest.mark.parametrize(
    ("seconds", "took", "wanted"),
    [
        (None, 3, "0:03"),
        (0.2, 3, "0:03"),
        (60, 90, "1:30, last time 1:00"),
        (9000, 4000, "1:06:40"),
    ],
)
def test_without_an_estimate_there_is_the_time(
    screen: LiveScreen, seconds: float | None, took: float, wanted: str
) -> None:
    begun(screen, seconds=seconds)
    since(screen, took)
    assert wanted in picture(screen, 120)[0]


def test_before_it_prints_anything_it_says_why_it_runs(screen: LiveScreen) -> None:
    begun(screen)
    assert picture(screen, 80)[1] == "  train.py changed"


@given(st.binary(max_size=300), st.integers(12, 200), st.integers(1, 60))
def test_no_output_gets_out_of_its_line(data: bytes, width: int, height: int) -> None:
    screen = LiveScreen(io.StringIO(), {})
    screen.head(workflow(TRAIN, NEXT), Comparison(how="no commit yet"))
    begun(screen, "train", "b", "c", seconds=5)
    for one in ("train", "b", "c"):
        screen.output(one, data)
    lines = picture(screen, width, height)
    assert all(cell_len(line) <= width for line in lines)
    assert len(lines) <= max(5, height)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", "".join(lines))


def test_of_a_gigabyte_without_a_newline_little_is_kept() -> None:
    one = LiveScreen(io.StringIO(), {})
    begun(one)
    for _ in range(100):
        one.output("train", b"x" * (1 << 16))
    assert len(one._running["train"].output) <= 1 << 12
    assert Running("a", "why", None).last_line() == "why"


def test_all_states_differ_without_colour(screen: LiveScreen) -> None:
    out = io.StringIO()
    screen._console = Console(file=out, width=80, no_color=True)
    for status in Status:
        screen.end(
            StepOutcome(step=NEXT, status=status, reasons=("r",), execution=Execution(exit_code=1))
        )
    lines = out.getvalue().splitlines()
    assert len({line.split()[2] for line in lines}) == len(Status)
    assert {line[0] for line in lines} == set("✔↺–✖")


WORKFLOW = """
steps:
  - name: good
    run: for i in 1 2 3; do echo line $i; echo $i > o; sleep 0.2; done
    inputs: [in]
    outputs: [o]
  - {name: bad, run: echo the reason; exit 1, inputs: [in], outputs: [p]}
"""


@pytest.mark.parametrize("more", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_on_a_terminal(repo: Repo, more: dict[str, str]) -> None:
    """Drawn while steps run, and gone at the end; the reason of the failure stays."""
    repo.commit({"mlpipe.yml": WORKFLOW, "in": "1\n"})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"],
        cwd=repo.root,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"} | more,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    assert process.wait() == 1
    said = shown.decode()
    live = more.get("TERM") != "dumb"
    assert "line 2" in said
    assert ("\x1b[?25l" in said) is live
    assert ("\x1b[32m" in said) is (not more)
    assert "│ the reason" in said if live else "\nthe reason" in said
    assert "✖ bad" in said
    assert "mlpipe logs bad" in said
    if live:
        assert said.index("\x1b[?25h") < said.index("✖ work tree")


def test_a_terminal_that_is_lost_does_not_end_the_run(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    one = LiveScreen(Gone(), {})
    one.head(workflow(TRAIN), Comparison(how="no commit yet"))
    one.start(Decision(step=TRAIN, action=Action.RUN, reasons=("r",)), None)
    one.output("train", b"x\n")
    time.sleep(0.5)
    one.end(StepOutcome(step=TRAIN, status=Status.SUCCEEDED))
    one.close()
