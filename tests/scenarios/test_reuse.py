"""What is reused, what comes back from the cache, and what never does."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


def stored(kind: str) -> list[Path]:
    """Files of the cache."""
    return [p for p in Path(os.environ["MLPIPE_CACHE_DIR"]).glob(f"v1/{kind}/**/*") if p.is_file()]


A, B = step("a", "cp raw x", "raw", "x"), step("b", "cat x code > y", "x code", "y")


def test_another_branch_and_back(lab: Lab) -> None:
    lab.start(A, B, files="raw code")
    assert lab.ran() == ["a", "b"]
    assert len(stored("results")) == 2
    lab.repo.git("checkout", "-q", "-b", "topic")
    lab.repo.commit({"raw": "2\n"})
    assert lab.ran() == ["a", "b"]
    lab.repo.git("checkout", "-q", "main")
    assert lab.ran() == []
    assert lab.repo.read("y") == "raw\ncode\n"
    lab.repo.git("checkout", "-q", "topic")
    assert lab.ran() == []
    assert lab.repo.read("y") == "2\ncode\n"
    assert len(stored("results")) == 4


def test_what_was_run_before_the_commit_is_not_run_after_it(lab: Lab) -> None:
    lab.start(A, B, files="raw code")
    lab.repo.write({"raw": "edited\n", "code": "new\n"})
    assert lab.ran() == ["a", "b"]
    for do in (["add", "raw"], ["commit", "-qam", "both"], ["stash"], ["gc", "-q"]):
        lab.repo.git(*do)
        assert lab.ran() == []


def test_a_step_that_is_taken_out_and_put_back(lab: Lab) -> None:
    lab.start(A, B, files="raw code")
    lab.ran()
    before = lab.repo.git("status", "--porcelain")
    lab.file(A)
    assert lab.ran() == []
    lab.repo.git("clean", "-qfdX")
    lab.file(A, B)
    assert lab.ran() == []
    assert lab.repo.read("y") == "raw\ncode\n"
    assert lab.repo.git("status", "--porcelain") == before == ""


def test_only_the_cache_decides(lab: Lab) -> None:
    """What mlpipe keeps in the repository explains; without it nothing is run again."""
    lab.start(A, B, files="raw code")
    lab.ran()
    shutil.rmtree(lab.repo.root / ".git/mlpipe")
    assert lab.ran() == []
    shutil.rmtree(os.environ["MLPIPE_CACHE_DIR"])
    assert lab.ran() == ["a", "b"]


@pytest.mark.parametrize("keys", [{}, {"outputs": "x"}], ids=["nothing", "outputs"])
def test_without_inputs_a_step_runs_each_time_says_so_and_is_not_stored(
    lab: Lab, keys: dict[str, str]
) -> None:
    lab.start(step("s", "date +%N > x", **keys), step("t", "cp raw y", "raw", "y"))
    lab.ran()
    first = lab.repo.read("x")
    assert lab.ran() == ["s"]
    assert "▶ s  declares no inputs, and MLPIPE_TRACER is off, so it runs each time" in lab.said
    assert lab.repo.read("x") != first
    assert len(stored("results")) == 1


def test_with_inputs_and_no_outputs_a_step_is_reused(lab: Lab) -> None:
    lab.start(step("check", "grep raw raw", "raw"))
    assert lab.ran() == ["check"]
    assert lab.ran() == []
    assert "↺ check  reused  same inputs as" in lab.said


def test_a_step_with_cache_false_runs_each_time_and_others_only_for_new_bytes(lab: Lab) -> None:
    def file(run: str) -> None:
        lab.file(step("get", run, "raw", "x", cache=False), step("use", "cp x y", "x", "y"))

    lab.start()
    file("cp raw x")
    assert lab.ran() == ["get", "use"]
    assert lab.ran() == ["get"]
    assert "▶ get  cache: false" in lab.said
    file("date +%N > x")
    assert lab.ran() == ["get", "use"]
    assert lab.ran() == ["get", "use"]


def test_a_file_that_came_out_of_the_cache_is_as_it_was(lab: Lab) -> None:
    run = "mkdir -p o/empty; cp raw o/tool; chmod +x o/tool; ln -s tool o/link; : > o/nothing"
    lab.start(step("s", run, "raw", "o/"))
    lab.ran()
    shutil.rmtree(lab.repo.root / "o")
    assert lab.ran() == []
    top = lab.repo.root / "o"
    assert os.access(top / "tool", os.X_OK)
    assert (top / "link").readlink() == Path("tool")
    assert (top / "empty").is_dir()
    assert (top / "nothing").read_bytes() == b""
    (top / "tool").write_text("appended by hand")
    (top / "tool").chmod(0o644)
    assert lab.ran() == []
    assert "1 file(s) restored from the cache" in lab.said
    assert lab.repo.read("o/tool") == "raw\n"
    assert os.access(top / "tool", os.X_OK)


def test_an_output_directory_holds_what_the_last_run_wrote_and_nothing_older(lab: Lab) -> None:
    lab.start(step("s", "mkdir o; for n in $(cat raw); do echo $n > o/$n; done", "raw", "o/"))
    for names in ("a b", "b c", "a b"):
        lab.repo.write({"raw": names})
        lab.ran()
        assert {path.name for path in (lab.repo.root / "o").iterdir()} == set(names.split())


def test_a_content_that_is_gone_from_the_cache_runs_its_step_once(lab: Lab) -> None:
    lab.start(A, B, files="raw code")
    lab.ran()
    lab.repo.git("clean", "-qfdX")
    for path in stored("objects"):
        if path.read_bytes() == b"raw\n":
            path.unlink()
    assert lab.ran() == ["a"]
    assert "its stored result lacks x" in lab.said
    assert lab.repo.read("y") == "raw\ncode\n"
    assert lab.ran() == []


def test_two_clones_share_the_cache_and_the_first_result(
    lab: Lab, make_repo: Callable[[str], Repo]
) -> None:
    lab.start(step("a", "date +%N > x", "raw", "x"))
    lab.ran()
    second = Lab(Repo(make_repo("second").root / "clone"))
    lab.repo.git("clone", "-q", ".", str(second.repo.root))
    assert second.ran("--force") == ["a"]
    assert "not deterministic: x differs from an earlier run's" in second.said


def test_no_file_of_git_and_no_ignore_file_is_written(lab: Lab) -> None:
    lab.start(A, step("bad", "cp x y; [ -e fixed ]", "x", "y"))
    ignored, head = lab.repo.read(".gitignore"), lab.repo.git("rev-parse", "HEAD")
    lab.ran(code=1)
    lab.repo.write({"fixed": ""})
    lab.ran()
    (lab.repo.root / "fixed").unlink()
    assert lab.repo.read(".gitignore") == ignored
    assert lab.repo.git("rev-parse", "HEAD") == head
    assert lab.repo.git("status", "--porcelain") == ""


def test_a_variable_that_is_not_declared_reaches_the_command_and_changes_nothing(
    lab: Lab,
) -> None:
    lab.start(step("s", 'echo "${FOO-none}" > x', "raw", "x"))
    assert lab.ran(FOO="1") == ["s"]
    assert lab.repo.read("x") == "1\n"
    assert lab.ran(FOO="2") == []
    assert lab.ran() == []


def test_a_file_that_stands_for_the_environment_is_an_input_of_all_that_declare_any(
    lab: Lab,
) -> None:
    steps = (A, step("b", "cp x y", "x", "y"))
    lab.start(*steps, files="raw uv.lock", inputs=["uv.lock"])
    assert lab.ran() == ["a", "b"]
    lab.repo.write({"uv.lock": "newer"})
    assert lab.ran() == ["a", "b"]
    assert "▶ b  uv.lock changed" in lab.said
