"""An output that names the directory of its work tree, and a step that reads it in another."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
STEPS = """
steps:
  - name: collect
    run: echo "{word}=$(pwd)/src" > where.txt; cat data > all.txt
  - {{name: count, run: wc -l < all.txt > count.txt}}
  - name: report
    run: cat script; ls "$(cut -d= -f2 where.txt)" > report.txt
"""


@pytest.fixture
def desk(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    files = {"src/a.py": "", "data": "1\n2\n", "script": "1\n", ".gitignore": "*.txt\n"}
    repo.commit({"mlpipe.yml": STEPS.format(word="in"), **files})
    assert ran(repo) == ["collect", "count", "report"]
    return repo


def ran(repo: Repo, *words: str) -> list[str]:
    out = repo.mlpipe("run", *words, code=0).stdout
    return [line.split()[1] for line in out.splitlines() if line.startswith("▶")]


def clone(repo: Repo, name: str = "clone") -> Repo:
    other = Repo(repo.root.with_name(name))
    shutil.rmtree(other.root, ignore_errors=True)
    repo.git("clone", "-q", ".", str(other.root))
    return other


def test_it_is_reused_as_long_as_no_step_runs_that_reads_it(desk: Repo) -> None:
    other = clone(desk)
    assert ran(other) == []
    assert str(desk.root) in other.read("where.txt")
    other.write({"data": "1\n2\n3\n"})
    assert ran(other) == ["collect", "count", "report"], "where.txt is another one now"


def test_who_runs_and_reads_it_finds_its_own_directory(desk: Repo) -> None:
    other = clone(desk)
    desk.root.rename(desk.root.with_name("gone"))
    other.write({"script": "2\n", "src/b.py": ""})
    done = other.mlpipe("run", code=0).stdout
    assert "▶ collect  report reads where.txt, which names the directory where it was made" in done
    assert "count  reused" in done
    assert other.read("where.txt") == f"in={other.root}/src\n"
    assert other.read("report.txt") == "a.py\nb.py\n"
    assert ran(other) == []
    third = clone(other, "third")
    third.write({"script": "3\n"})
    assert ran(third) == ["collect", "report"]
    third.write({"script": "4\n"})
    assert ran(third) == ["report"], "it was made here"


def test_also_where_outputs_are_left_in_the_cache(desk: Repo) -> None:
    other = clone(desk)
    other.write({"script": "2\n"})
    assert ran(other, "--outputs", "needed") == ["collect", "report"]
    assert other.read("where.txt") == f"in={other.root}/src\n"


def test_where_it_fails_in_this_directory_who_reads_it_is_blocked(desk: Repo) -> None:
    """Nothing that was seen differs: the step fails by the name of the directory alone."""
    fails = STEPS.format(word="in").replace(
        "; cat data", '; [ "$(pwd)" != "$(cat bad)" ]; cat data'
    )
    desk.write({"mlpipe.yml": fails, "bad": f"{desk.root.with_name('bad')}\n"})
    desk.commit({}, "A directory in which it fails")
    assert ran(desk) == ["collect"]
    other = clone(desk, "bad")
    assert ran(other) == []
    other.write({"script": "2\n"})
    done = other.mlpipe("run", code=1).stdout
    assert "▶ collect  report reads where.txt" in done
    assert "collect  failed" in done
    assert "report  blocked" in done


def test_a_path_that_only_begins_like_it_is_another(desk: Repo, tmp_path: Path) -> None:
    desk.write({"mlpipe.yml": STEPS.format(word="in").replace("$(pwd)/src", "$(pwd)-src/x")})
    desk.mlpipe("run", "collect")
    explained = desk.mlpipe("explain", "collect").stdout
    assert "names the directory" not in explained
    desk.write({"mlpipe.yml": STEPS.format(word="out")})
    desk.mlpipe("run", "collect")
    explained = desk.mlpipe("explain", "collect").stdout
    assert "where.txt  names the directory of the work tree: counts for who reads it" in explained
