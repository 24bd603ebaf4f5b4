"""Killed before each single write to the disk, mlpipe leaves all whole, and nothing behind.

Python tells an audit hook of each rename, link, removal and opened file: the process ends itself
there, as SIGKILL would. So no moment is left to chance, as it is in `test_kill_store.py`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.random_repo import call
from tests.support.reference_model import Snapshot, snapshot
from tests.support.repository import Repo

PARTS = 4
HOOK = """
import os, signal, sys
from mlpipe_ci.cli import main as cli

WRITES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod",
          "os.truncate", "os.utime", "shutil.move", "shutil.rmtree", "sqlite3.connect",
          "subprocess.Popen"}
count, last = 0, int(sys.argv[1])

def hook(event, arguments):
    global count
    opened = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    git = event == "subprocess.Popen" and arguments[0] == "git"  # reads; how often depends on time
    harmless = git or "__pycache__" in str(arguments) or arguments[0] == os.devnull
    if (event in WRITES or opened) and not harmless:
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
code = cli.main(sys.argv[2:])
sys.stdout.flush()
os.write(2, f"\\n{count}".encode())
os._exit(code)
"""
WORKFLOW = """
steps:
  - name: make
    run: mkdir -p parts/empty; for i in 1 2; do cat seed.txt > parts/$i; done; ln -s 1 parts/link
    inputs: [seed.txt]
    outputs: [parts/]
  - name: join
    run: cat parts/1 parts/2 parts/link > joined; chmod +x joined
    inputs: [parts/]
    outputs: [joined]
"""
WAYS = {
    "run": ("run",),
    "forced": ("run", "--force"),
    "restore": ("run",),
    "gc": ("cache", "gc", "--max-size", "0"),
}


def store() -> Path:
    return Path(os.environ["MLPIPE_CACHE_DIR"]) / "v1"


def age() -> None:
    """Nothing in the store was used for two hours: all of it may be collected or swept."""
    for path in store().rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 7200,) * 2)


def forget(repo: Repo) -> None:
    shutil.rmtree(repo.root / "parts", ignore_errors=True)
    (repo.root / "joined").unlink(missing_ok=True)


def prepare(repo: Repo, way: str) -> None:
    """As it is before the command that is killed: the same each time."""
    shutil.rmtree(store().parent)
    shutil.rmtree(repo.root / ".git/mlpipe", ignore_errors=True)
    forget(repo)
    repo.write({"seed.txt": "old\n"})
    assert call(repo.root, "run")[0] == 0
    if way == "run":
        repo.write({"mlpipe.yml": WORKFLOW + "# edited\n", "seed.txt": "new\n"})
    elif way == "restore":
        repo.write({"parts/1": "by hand\n", "parts/other": "by hand\n"})
        (repo.root / "joined").unlink()
    elif way == "gc":
        age()


def execute(repo: Repo, way: str, last: int) -> tuple[int, str]:
    """Run until the write of this number. Returns the exit code and what was said on errors."""
    done = subprocess.run(
        [sys.executable, "-c", HOOK, str(last), *WAYS[way]],
        cwd=repo.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def wanted(repo: Repo) -> Snapshot:
    seed = (repo.root / "seed.txt").read_bytes()
    parts = {f"parts/{i}": ("file", seed) for i in (1, 2)}
    parts |= {"parts/link": ("link", b"1"), "parts/empty": ("directory", b"")}
    return parts | {"joined": ("program", seed * 3)}


def check(repo: Repo, told: str) -> None:
    """The next run is right, and no temporary file is left for good."""
    code, _, err = call(repo.root, "cache", "verify")
    assert code == 0, told + err
    age()
    for arguments in ((), ("--force",), ()):
        code, out, err = call(repo.root, "run", *arguments)
        assert code == 0, told + out + err
        found = snapshot(repo.root)
        sources = {"mlpipe.yml", "seed.txt", ".gitignore"}
        assert {p: f for p, f in found.items() if p not in sources} == wanted(repo), told
        forget(repo)
    own = repo.root / ".git/mlpipe"
    places = [p.relative_to(own).parts for p in own.rglob("*") if p.is_file()]
    first = [place[0] for place in places]
    assert set(first) <= {
        "lock",
        "runs",
        "scripts",
        "aside",
        "workflows",
        "left",
        "state.db",
        "report.json",
    }, (
        told,
        places,
    )
    assert {p[1] for p in places if p[0] == "aside"} <= {"replaced", "previous", "failed"}, (
        told,
        places,
    )
    assert list((store() / "tmp").iterdir()) == [], told


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_before_each_write(repo: Repo, way: str, part: int) -> None:
    repo.commit({"mlpipe.yml": WORKFLOW, ".gitignore": "parts/\njoined\n", "seed.txt": "old\n"})
    (store().parent).mkdir(exist_ok=True)
    prepare(repo, way)
    code, told = execute(repo, way, 0)
    assert code == 0, told
    writes = int(told.rpartition("\n")[2])
    assert writes > 4
    for last in range(1 + part, writes + 1, PARTS):
        repo.write({"mlpipe.yml": WORKFLOW})
        prepare(repo, way)
        code, told = execute(repo, way, last)
        assert code == -signal.SIGKILL, told
        check(repo, f"{way}, killed before write {last} of {writes}\n{told}\n")
