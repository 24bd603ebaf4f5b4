"""What a step left comes back as it was: bits, times, links, what it did not declare, its state."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.repository import Repo
from tests.support.stored import sealed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def plant(repo: Repo, *steps: str, ignored: str = "*.txt\nout/\n", **files: str) -> None:
    """Commit steps, each the inside of a flow mapping, and files (`__` is a dot)."""
    lines = "".join(f"  - {{{step}}}\n" for step in steps)
    named = {name.replace("__", "."): text for name, text in files.items()}
    repo.commit({"mlpipe.yml": f"steps:\n{lines}", ".gitignore": ignored, **named})


def ran(repo: Repo) -> list[str]:
    """Names of the steps whose command ran."""
    done = repo.mlpipe("run", code=0)
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("▶")]


def objects() -> list[Path]:
    top = Path(os.environ["MLPIPE_CACHE_DIR"])
    return [path for path in top.rglob("objects/*/*") if path.is_file()]


def clone(repo: Repo) -> Repo:
    """Another clone of the same repository, with the same cache."""
    other = Repo(repo.root.with_name("clone"))
    shutil.rmtree(other.root, ignore_errors=True)
    repo.git("clone", "-q", ".", str(other.root))
    return other


@pytest.mark.parametrize("declared", [", outputs: [a.txt]", ""])
def test_a_private_file_stays_private(repo: Repo, declared: str) -> None:
    plant(repo, f'name: a, run: "umask 077; echo secret > a.txt"{declared}')
    assert ran(repo) == ["a"]
    assert objects()
    assert not [path for path in objects() if path.stat().st_mode & 0o077]
    (repo.root / "a.txt").unlink()
    assert ran(repo) == []
    assert (repo.root / "a.txt").stat().st_mode & 0o777 == 0o600


def test_bits_that_a_person_changed_are_put_right(repo: Repo) -> None:
    plant(repo, 'name: a, run: "echo 1 > a.txt; chmod 640 a.txt", outputs: [a.txt]')
    assert ran(repo) == ["a"]
    (repo.root / "a.txt").chmod(0o644)
    assert ran(repo) == []
    assert (repo.root / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_build_tool_finds_restored_files_up_to_date(repo: Repo) -> None:
    """The larger file comes first: without new times it would be the newer one."""
    rules = (
        "z.txt: raw\n\thead -c 3000000 /dev/zero > z.txt\na.txt: z.txt\n\twc -c < z.txt > a.txt\n"
        "b.txt: a.txt notes\n\tcat a.txt notes > b.txt\n"
    )
    plant(
        repo,
        "name: train, run: make a.txt",
        "name: report, run: make b.txt",
        Makefile=rules,
        raw="1",
        notes="1",
    )
    assert ran(repo) == ["train", "report"]
    other = clone(repo)
    other.write({"notes": "2"})
    done = other.mlpipe("run", code=0)
    assert "wc -c" not in done.stdout + done.stderr
    assert "cat a.txt notes" in done.stdout + done.stderr


def as_earlier(path: Path) -> None:
    """Make a stored result one of the version before."""
    record = json.loads(path.read_bytes().partition(b"\n")[2])
    record["version"] = 3
    for output in record["outputs"]:
        del output["mode"], output["order"]
        output["executable"] = False
    path.write_bytes(sealed(json.dumps(record).encode("ascii")))


def test_results_of_an_earlier_version_are_named_once_and_not_used(repo: Repo) -> None:
    word = "results of an earlier version of mlpipe are in the cache and are not used"
    plant(repo, *(f"name: {n}, run: echo {n} > {n}.txt, outputs: [{n}.txt]" for n in "ab"))
    done = repo.mlpipe("run", code=0)
    assert word not in done.stdout + done.stderr
    for path in Path(os.environ["MLPIPE_CACHE_DIR"]).rglob("results/*/*/*/*.json"):
        as_earlier(path)
    for command in ("plan", "run"):
        done = repo.mlpipe(command, code=None)
        assert (done.stdout + done.stderr).count(word) == 1, command
        assert "damaged" not in done.stdout + done.stderr
    done = repo.mlpipe("run", code=0)
    assert word not in done.stdout + done.stderr
    assert ran(repo) == []
