"""Links, leftovers, and settings of git: what is rare, and must be right all the same."""

import os
import sys
import time

import pytest

from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


def test_what_was_forced_is_what_the_next_run_finds(lab: Lab) -> None:
    """Who forces a step wants what it writes now, and not to lose it with the next run."""
    remote = lab.repo.root.parent / "remote"
    remote.write_text("old\n")
    lab.start(step("get", f"cat '{remote}' > x", "raw", "x"), step("use", "cp x y", "x", "y"))
    lab.ran()
    remote.write_text("new\n")
    assert lab.ran("--force", "get") == ["get", "use"]
    assert lab.ran() == []
    assert lab.repo.read("y") == "new\n"


def test_a_step_that_reads_an_output_that_is_a_link_is_reused(lab: Lab) -> None:
    lab.start(
        step("a", "ln -s data.txt x", "raw", "x"),
        step("b", "cat x > y", "x", "y"),
        files="raw data.txt",
    )
    assert lab.ran() == ["a", "b"]
    assert lab.ran() == []
    lab.repo.write({"data.txt": "2\n"})
    assert lab.ran() == ["b"]
    assert lab.repo.read("y") == "2\n"


@pytest.mark.parametrize("given", ["v/current/f", "v/current/", "v/current/*"])
def test_an_input_behind_a_link_that_a_step_writes(lab: Lab, given: str) -> None:
    lab.start(
        step("a", "mkdir -p v/1; cp raw v/1/f; ln -s 1 v/current", "raw", "v/"),
        step("b", "cat v/current/f > y", given, "y"),
    )
    assert lab.ran() == ["a", "b"]
    assert lab.ran() == []
    lab.repo.git("clean", "-qfdX")
    assert lab.ran() == []
    assert lab.repo.read("y") == "raw\n"


def test_an_empty_directory_that_comes_out_of_the_cache_is_an_input(lab: Lab) -> None:
    lab.start(step("a", "mkdir o", "raw", "o/"), step("b", "ls -A o > y", "o", "y"))
    assert lab.ran() == ["a", "b"]
    lab.repo.git("clean", "-qfdX")
    assert lab.ran() == []


def test_a_metric_that_was_an_output_before_may_be_asked_for(lab: Lab) -> None:
    score = step("score", "echo '{\"auc\": 0.9}' > m.json", "raw", "m.json")
    lab.start(score)
    lab.ran()
    as_metric = {**score, "outputs": [], "metrics": ["m.json"]}
    deploy = step("deploy", "true", "raw", **{"if": "steps.score.metrics.auc > 0.5"})
    lab.file(as_metric, deploy)
    assert [s["action"] for s in lab.steps()] == ["reuse", "run"]
    assert lab.ran() == ["deploy"]


@pytest.mark.parametrize(("name", "value"), [("trustctime", "false"), ("checkStat", "minimal")])
def test_no_setting_of_git_hides_an_edit(lab: Lab, name: str, value: str) -> None:
    lab.start(step("s", "cp raw x", "raw", "x"))
    path = lab.repo.root / "raw"
    os.utime(path, (1e9, 1e9))
    lab.repo.git("config", f"core.{name}", value)
    lab.repo.git("status")
    assert lab.ran() == ["s"]
    time.sleep(1.01 - time.time() % 1)  # git compares these times by whole seconds
    path.write_text("RAW\n")
    os.utime(path, (1e9, 1e9))
    assert lab.ran() == ["s"]


@pytest.mark.parametrize(
    ("run", "output"), [("mkdir -p m; cp raw m/f", "m/"), ("mkdir -p m; cp raw m/f", "m/f")]
)
def test_a_file_where_a_directory_belongs_now(lab: Lab, run: str, output: str) -> None:
    """As on two branches, of which one writes a file where the other writes a directory."""
    old, new = step("s", "cp raw m", "raw", "m"), step("s", run, "raw", output)
    lab.start(new)
    lab.repo.write({".gitignore": "m\n"})
    lab.ran()
    for one in (old, new, old, new):
        lab.file(one)
        lab.ran()
    assert lab.repo.read("m/f") == "raw\n"


def test_what_was_read_while_an_input_was_another_is_not_stored(lab: Lab) -> None:
    """As when another branch is checked out for a moment while a step runs."""
    lab.start(step("s", "echo other > raw; cp raw x; git checkout -q raw", "raw", "x"))
    lab.ran()
    assert lab.repo.read("x") == "other\n"
    assert lab.ran() == ["s"]


def test_a_directory_that_a_pattern_means_counts_with_all_in_it(lab: Lab) -> None:
    """The shell makes `data/sub` of `data/*`, and the command reads what is in that."""
    lab.start(
        step("s", "mkdir o; cp -r data/* o", "data/*", "o/"), files="data/a.csv data/sub/b.csv"
    )
    lab.ran()
    lab.repo.write({"data/sub/b.csv": "2\n"})
    assert lab.ran() == ["s"]


def test_a_step_of_which_all_outputs_are_excluded_is_not_waited_for(lab: Lab) -> None:
    lab.start(
        step("a", "cp raw a.csv", "raw", "a.csv"),
        step("b", "cat d.csv > y", "*.csv !a.csv", "y"),
        files="raw d.csv",
    )
    lab.ran()
    lab.repo.write({"raw": "2\n"})
    assert [s["action"] for s in lab.steps()] == ["run", "reuse"]


def test_an_input_in_an_output_directory_that_its_step_does_not_write_is_missing(
    lab: Lab,
) -> None:
    lab.start(
        step("a", "mkdir -p o; cp raw o/f", "raw", "o/"), step("b", "cat o/* > y", "o/notes", "y")
    )
    lab.ran(code=2)
    lab.repo.write({"o/notes": "by hand"})
    assert lab.ran(code=2) == []
    assert "input 'o/notes' is missing" in lab.said


def test_what_a_step_that_is_gone_has_written_goes_and_counts_no_more(lab: Lab) -> None:
    """As with a combination that is taken out of a matrix; what the user made of it stays."""
    one, two = (step(name, f"mkdir -p m; cp raw m/{name}", "raw", f"m/{name}") for name in "ab")
    both = step("both", "ls m > y", "m/*", "y")
    lab.start(one, two, both)
    assert lab.ran() == ["a", "b", "both"]
    lab.file(two, both)
    assert lab.ran() == ["both"]
    assert "▶ both  m/a removed" in lab.said
    assert lab.repo.read("y") == "b\n"
    assert lab.ran() == []
    lab.repo.write({"m/b": "by hand"})
    lab.file(both)
    assert lab.ran() == ["both"]
    assert lab.repo.read("m/b") == "by hand"


def test_a_file_of_the_user_behind_a_link_of_a_step_makes_no_wrong_result(lab: Lab) -> None:
    lab.start(
        step("a", "mkdir v; cp raw v/f; ln -s f v/link", "raw", "v/"),
        step("b", "cat v/* > y", "v/", "y"),
    )
    lab.ran()
    lab.repo.write({"v/stray": "by hand"})
    lab.ran()
    assert lab.repo.read("y") == "raw\nraw\n"
    assert lab.ran() == []
    assert lab.repo.read("y") == "raw\nraw\n"


def test_files_that_were_moved_out_of_the_way_are_all_kept(lab: Lab) -> None:
    lab.start(step("a", "mkdir -p o; cp raw o/f", "raw", "o/"))
    lab.ran()
    kept = lab.repo.root / ".git/mlpipe/aside/replaced"
    for name, path in (("notes", "a"), ("more", "a.2"), ("notes", "a.3")):
        lab.repo.write({f"o/{name}": f"years of work {path}"})
        lab.ran()
        assert f"aside/replaced/{path}: o/{name}" in lab.said
    for name, path in (("notes", "a"), ("more", "a.2"), ("notes", "a.3")):
        assert (kept / path / "o" / name).read_text() == f"years of work {path}"


def test_an_output_that_was_edited_by_hand_is_kept_and_told(lab: Lab) -> None:
    lab.start(step("a", "cp raw x", "raw", "x"))
    lab.ran()
    lab.repo.write({"x": "corrected by hand"})
    lab.ran()
    assert lab.repo.read("x") == "raw\n"
    kept = lab.repo.root / ".git/mlpipe/aside/replaced/a/x"
    assert kept.read_text() == "corrected by hand"
    assert "aside/replaced/a: x" in lab.said


def test_a_run_inside_of_a_step_does_not_wait_for_itself(lab: Lab) -> None:
    again = f"timeout 3 {sys.executable} -m mlpipe_ci run --file mlpipe.yml || echo $? > code"
    lab.start(step("a", again, "raw"))
    lab.ran()
    assert lab.repo.read("code") == "2\n", "124: it had to be ended"
