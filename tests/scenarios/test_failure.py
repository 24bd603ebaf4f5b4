"""Steps that fail, and what is left after them."""

import pytest

from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


def test_a_script_that_is_not_there_fails_its_step_by_name(lab: Lab) -> None:
    lab.start(step("train", "bash train.sh", "raw"))
    assert lab.ran(code=1) == ["train"]
    assert "✖ train  failed" in lab.said
    assert "exit code 127" in lab.said
    assert "train.sh: No such file or directory" in lab.said


def test_what_was_finished_before_a_failure_is_not_done_again(lab: Lab) -> None:
    lab.start(
        step("a", "cp raw x", "raw", "x"),
        step("b", "cat x > y; [ -e fixed ]", "x", "y"),
        step("c", "cat y > z", "y", "z"),
    )
    assert lab.ran(code=1) == ["a", "b"]
    assert "– c  blocked  b did not succeed" in lab.said
    assert lab.ran(code=1) == ["b"]
    assert "▶ b  failed last time" in lab.said
    lab.repo.write({"fixed": ""})
    assert lab.ran() == ["b", "c"]
    assert lab.ran() == []


def test_a_failure_stops_also_what_does_not_need_the_step(lab: Lab) -> None:
    lab.start(step("a", "exit 1", "raw", "x"), step("apart", "cp other y", "other", "y"))
    lab.repo.write({"other": "1"})
    assert lab.ran(code=1) == ["a"]
    assert "– apart  blocked  a did not succeed" in lab.said


def test_after_a_failure_that_is_allowed_the_rest_runs(lab: Lab) -> None:
    lab.start(
        step("a", "echo half > x; exit 1", "raw", "x", continue_on_error=True),
        step("apart", "cp raw y", "raw", "y"),
    )
    assert lab.ran() == ["a", "apart"]
    assert not (lab.repo.root / "x").exists()
    assert lab.ran() == ["a"]


def test_what_a_step_reads_of_one_that_failed_is_missing(lab: Lab) -> None:
    lab.start(
        step("a", "echo half > x; exit 1", "raw", "x", continue_on_error=True),
        step("b", "cp x y", "x", "y"),
    )
    assert lab.ran(code=2) == ["a"]
    assert "input 'x' is missing; step 'a' writes it, but was skipped or has failed" in lab.said


@pytest.mark.parametrize("kind", ["outputs", "metrics", "plots"])
def test_an_output_that_was_not_written_fails_the_step(lab: Lab, kind: str) -> None:
    lab.start(step("a", "cp raw x", "raw", "x"))
    lab.ran()
    both = ["x", "new.json"] if kind == "outputs" else ["new.json"]
    lab.file({**step("a", "cp raw x", "raw", "x"), kind: both})
    assert lab.ran(code=1) == ["a"]
    assert "the command ended well, but did not write 'new.json'" in lab.said
    assert lab.repo.read("x") == "raw\n"
    assert lab.ran(code=1) == ["a"]


def test_half_an_output_is_never_read_or_stored(lab: Lab) -> None:
    lab.start(
        step("a", "echo half > x; [ $(cat raw) = good ]; echo whole >> x", "raw", "x"),
        step("b", "cp x y", "x", "y"),
    )
    assert lab.ran(code=1) == ["a"]
    assert not (lab.repo.root / "x").exists()
    assert (lab.repo.root / ".git/mlpipe/aside/failed/a/x").read_text() == "half\n"
    assert lab.ran(code=1) == ["a"]
    lab.repo.write({"raw": "good"})
    assert lab.ran() == ["a", "b"]
    assert lab.repo.read("y") == "half\nwhole\n"


@pytest.mark.parametrize("run", ["false | cat", "false\ntrue", "cat <(echo 1) nothing", "exit 3"])
def test_a_failure_anywhere_in_a_command_is_a_failure(lab: Lab, run: str) -> None:
    lab.start(step("a", run, "raw"))
    assert lab.ran(code=1) == ["a"]


def test_an_input_that_is_edited_while_its_step_runs(lab: Lab) -> None:
    lab.start(step("a", "cp raw x; [ -e done ] || echo edited > raw; touch done", "raw", "x"))
    assert lab.ran() == ["a"]
    assert "the result was not stored: raw changed while the step ran" in lab.said
    assert lab.ran() == ["a"]
    assert lab.repo.read("x") == "edited\n"
    assert lab.ran() == []
    lab.repo.write({"raw": "raw\n"})
    assert lab.ran() == ["a"], "nothing was kept under the key of what was read first"


def test_a_step_that_writes_into_its_own_input_directory_is_never_stored(lab: Lab) -> None:
    lab.start(step("a", "date +%N > src/stamp; cp src/raw x", "src", "x"), files="src/raw")
    for _ in range(2):
        assert lab.ran() == ["a"]
        assert "the result was not stored: src/stamp changed while the step ran" in lab.said


def test_the_next_run_says_why_a_step_that_failed_runs_and_what_changed(lab: Lab) -> None:
    lab.start(step("a", "cp raw x; [ -e fixed ]", "raw", "x"))
    lab.repo.write({"fixed": ""})
    lab.ran()
    (lab.repo.root / "fixed").unlink()
    lab.repo.write({"raw": "2\n"})
    success = "raw changed since its last success here"
    for words in (["raw changed since the last run here"], ["failed last time", success]):
        assert lab.steps()[0]["reasons"] == words
        lab.ran(code=1)
        assert "put back from before, so stale: x" in lab.said
        assert lab.repo.read("x") == "raw\n"
    lab.repo.write({"raw": "raw\n"})
    assert lab.ran() == [], "what was put back is right again"
