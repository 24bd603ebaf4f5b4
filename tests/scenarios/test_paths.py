"""Directories, patterns and odd files as inputs."""

import os
import shutil

import pytest

from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


ALL = "find data -type f -name '*.csv' | sort | xargs cat > x"


@pytest.mark.parametrize("given", ["data", "data/", "./data", "data/**"])
def test_any_file_below_a_directory_counts(lab: Lab, given: str) -> None:
    lab.start(step("s", ALL, given, "x"), files="data/a.csv data/deep/er/b.csv")
    lab.ran()
    lab.repo.write({"data/deep/er/b.csv": "2"})
    assert lab.ran() == ["s"]
    assert "▶ s  data/deep/er/b.csv changed" in lab.said
    lab.repo.write({"data/deep/new.csv": "3"})
    assert lab.ran() == ["s"]
    (lab.repo.root / "data/deep/new.csv").unlink()
    assert lab.ran() == []
    (lab.repo.root / "data/deep/er").rename(lab.repo.root / "data/deep/other")
    assert lab.ran() == ["s"]


def test_of_a_directory_a_step_may_read_one_file(lab: Lab) -> None:
    lab.start(
        step("one", "cat data/a.csv > x", "data/a.csv", "x"),
        step("all", "cat data/*.csv > y", "data", "y"),
        files="data/a.csv data/b.csv",
    )
    lab.ran()
    lab.repo.write({"data/b.csv": "2"})
    assert lab.ran() == ["all"]
    lab.repo.write({"data/a.csv": "2"})
    assert lab.ran() == ["one", "all"]


def test_a_directory_of_which_a_step_writes_a_part(lab: Lab) -> None:
    lab.start(
        step("part", "cp raw data/part.csv", "raw", "data/part.csv"),
        step("all", "cat data/*.csv > x", "data", "x"),
        files="raw data/a.csv",
    )
    assert lab.ran() == ["part", "all"]
    assert [s["action"] for s in lab.steps()] == ["reuse", "reuse"]
    lab.repo.write({"raw": "2\n"})
    assert [s["action"] for s in lab.steps()] == ["run", "maybe"]
    assert lab.ran() == ["part", "all"]
    assert lab.repo.read("x") == "data/a.csv\n2\n"
    lab.repo.write({"data/a.csv": "3\n"})
    assert lab.ran() == ["all"]


def test_what_programs_leave_behind_does_not_count(lab: Lab) -> None:
    lab.start(step("s", "cat src/*.py > x", "src", "x"), files="src/a.py")
    lab.repo.write({".gitignore": "x\n*.log\n"})
    lab.ran()
    lab.repo.write(
        {
            "src/__pycache__/a.cpython-311.pyc": b"\0",
            "src/.ipynb_checkpoints/a-checkpoint.ipynb": "{}",
            "src/deep/__pycache__/b.pyc": b"\0",
            "src/debug.log": "1",
        }
    )
    assert lab.ran() == []
    assert "does not count what git ignores in it (src/debug.log)" in lab.said


def test_the_content_of_a_file_counts_and_no_time_or_link_count_does(lab: Lab) -> None:
    lab.start(step("s", "cat data/*.csv > x", "data/*.csv", "x"), files="data/a.csv")
    lab.ran()
    path = lab.repo.root / "data/a.csv"
    os.link(path, lab.repo.root / "elsewhere")
    os.utime(path, (1, 1))
    assert lab.ran() == []
    shutil.copy(path, lab.repo.root / "copy")
    (lab.repo.root / "copy").replace(path)
    assert lab.ran() == []
    (lab.repo.root / "elsewhere").write_text("no more the same file")
    assert lab.ran() == []


def test_a_pattern_that_means_nothing_stops_before_any_command(lab: Lab) -> None:
    lab.start(step("a", "cp raw y", "raw", "y"), step("s", "cat d/* > x", "d/*.csv", "x"))
    lab.repo.write({"d/notes": ""})
    assert lab.ran(code=2) == []
    assert "step 's': input no file matches 'd/*.csv', and no earlier step" in lab.said
    lab.repo.write({"d/first.csv": "1"})
    assert lab.ran() == ["a", "s"]
    lab.repo.write({"d/second.csv": "2"})
    assert lab.ran() == ["s"]
    assert "▶ s  d/second.csv added" in lab.said


def test_an_empty_directory_is_not_a_missing_one(lab: Lab) -> None:
    lab.start(step("s", "ls -A d | wc -l > x", "raw d", "x"))
    assert lab.ran(code=2) == []
    assert "input 'd' is missing" in lab.said
    (lab.repo.root / "d").mkdir()
    assert lab.ran() == ["s"]
    lab.repo.write({"d/a": ""})
    assert lab.ran() == ["s"]
    assert lab.repo.read("x") == "1\n"
    (lab.repo.root / "d/a").unlink()
    assert lab.ran() == []
    assert lab.repo.read("x") == "0\n"


def test_what_is_excluded_does_not_count(lab: Lab) -> None:
    lab.start(
        step("s", "cat data/a.csv > x", "data !data/draft-* !data/old/", "x"),
        files="data/a.csv data/draft-1.csv data/old/b.csv",
    )
    lab.ran()
    lab.repo.write({"data/draft-1.csv": "2", "data/old/b.csv": "2", "data/draft-2.csv": ""})
    assert lab.ran() == []
    lab.repo.write({"data/older.csv": "2"})
    assert lab.ran() == ["s"]


def test_line_ends_that_git_turns_are_the_same_to_git(lab: Lab) -> None:
    """The same commit has the same keys, whatever line ends its files were checked out with."""
    lab.start(step("s", "wc -l < raw > x", "raw", "x"))
    lab.repo.commit({".gitattributes": "raw text\n", "raw": "1\n2\n"})
    lab.ran()
    lab.repo.git("config", "core.autocrlf", "true")
    (lab.repo.root / "raw").unlink()
    lab.repo.git("checkout", "raw")
    assert (lab.repo.root / "raw").read_bytes() == b"1\r\n2\r\n"
    assert lab.ran() == []
    lab.repo.write({"raw": "1\r\n2\r\n3\r\n"})
    assert lab.ran() == ["s"]


def test_a_file_that_becomes_a_directory_or_a_link_counts(lab: Lab) -> None:
    lab.start(step("s", "find -L in -type f | xargs cat > x", "in", "x"), files="in other")
    lab.ran()
    (lab.repo.root / "in").unlink()
    lab.repo.write({"in/a": "1"})
    assert lab.ran() == ["s"]
    shutil.rmtree(lab.repo.root / "in")
    (lab.repo.root / "in").symlink_to("other")
    assert lab.ran() == ["s"]
    assert lab.repo.read("x") == "other\n"
    lab.repo.write({"other": "2"})
    assert lab.ran() == ["s"]


def test_data_outside_of_the_repository_is_refused(lab: Lab) -> None:
    outside = lab.repo.root.parent / "outside.csv"
    outside.write_text("1")
    lab.start(step("s", "cat data.csv > x", "data.csv", "x"))
    (lab.repo.root / "data.csv").symlink_to(outside)
    assert lab.ran(code=2) == []
    assert "out of the repository; copy the data into the repository in an earlier step" in lab.said


def test_a_workflow_file_that_git_ignores_is_read_all_the_same(lab: Lab) -> None:
    lab.start(step("s", "cp raw x", "raw", "x"))
    lab.repo.git("rm", "-q", "--cached", "mlpipe.yml")
    lab.repo.write({".gitignore": "x\nmlpipe.yml\n"})
    assert lab.ran() == ["s"]


def test_a_submodule_that_is_not_here_counts_by_its_commit(lab: Lab) -> None:
    lab.start(step("s", "git ls-files -s sub > x", "raw sub", "x"))
    (lab.repo.root / "sub").mkdir()
    for commit in ("1" * 40, "2" * 40):
        lab.repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
        assert lab.ran() == ["s"]
        assert lab.ran() == []
        assert commit in lab.repo.read("x")
    lab.repo.git("update-index", "--add", "--cacheinfo", f"160000,{'3' * 40},sub")
    assert lab.steps()[0]["reasons"] == ["sub changed since the last run here"]
