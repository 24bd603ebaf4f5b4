"""Histories after which a desk must have what a fresh clone has: each the smallest of its kind.

The random histories of `tests/models/test_history_model.py` found most of them.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.random_history import tree
from tests.support.random_repo import call
from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
PYTHON = "python -S -B"
SLACK = 0.12
"""Seconds: what was written just before a run might have been written in it."""
IGNORED = ".venv/\nout*\n*.db*\n.coverage\n.cache/\nlogs/\nruns/\ngen*\n"
SITE = ".venv/lib/python3.11/site-packages"


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


class NotFreshError(AssertionError):
    """Something is not what it is in a fresh clone."""


def confirm(found: object, wanted: object, what: str = "") -> None:
    """Raise NotFreshError unless both are the same."""
    if found != wanted:
        differs = f"{found}\nis not\n{wanted}"
        if isinstance(found, dict) and isinstance(wanted, dict):
            names = sorted(found.keys() | wanted.keys())
            found, wanted = ({n: one.get(n) for n in names} for one in (found, wanted))
            pairs = [(n, found[n], wanted[n]) for n in names if found[n] != wanted[n]]
            differs = "\n".join(f"{n}: {here!r} is not {there!r}" for n, here, there in pairs)
        raise NotFreshError(f"{what}: {differs}")


def workflow(*steps: str) -> str:
    """A workflow file. A step is its command; what it declares follows in lines with a `@`.

    An empty one is left out.
    """
    lines = ["steps:"]
    for number, step in enumerate(steps):
        if not step:
            continue
        command, *declared = step.split("\n@ ")
        lines += [f"  - name: s{number}", "    run: |"]
        lines += [f"      {line}" for line in command.splitlines()]
        lines += [f"    {line}" for line in declared]
    return "\n".join(lines) + "\n"


def plant(repo: Repo, *steps: str, **files: str) -> None:
    """Commit a workflow and files (`__` is a dot, `_in_` a slash)."""
    named = {name.replace("_in_", "/").replace("__", "."): text for name, text in files.items()}
    repo.commit({"mlpipe.yml": workflow(*steps), ".gitignore": IGNORED, **named})


def run(root: Path) -> dict[str, str]:
    """Run the workflow; of each step whose command ran, by its name, why."""
    time.sleep(SLACK)
    code, out, err = call(root, "run")
    assert code == 0, err
    ran = [step for step in json.loads(out)["steps"] if step["status"] == "succeeded"]
    return {step["name"]: ", ".join(step["reasons"]) for step in ran}


def clone(repo: Repo, name: str) -> Path:
    """A fresh clone, with an environment like that of the desk."""
    path = repo.root.parent / name
    shutil.rmtree(path, ignore_errors=True)
    repo.git("clone", "-q", str(repo.root), str(path))
    if (repo.root / ".venv").exists():
        shutil.copytree(repo.root / ".venv", path / ".venv")
    return path


def contents(root: Path) -> dict[str, str]:
    """What is there, but for an environment."""
    return {path: text for path, text in tree(root).items() if not path.startswith(".venv")}


def assert_fresh(repo: Repo, *, own: tuple[str, ...] = (), twice: bool = True) -> None:
    """Commit and run; the desk then has what a fresh clone has. `own`: folders it may have more in.

    Run again (but with `twice=False`), and nothing runs. A fresh clone with the cache of the desk
    has the same too.
    """
    repo.commit()
    cold = clone(repo, "cold")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPIPE_CACHE_DIR", str(repo.root.parent / "cold-cache"))
        patch.setenv("MLPIPE_TRACER", "off")
        run(cold)
    shutil.rmtree(repo.root.parent / "cold-cache", ignore_errors=True)
    fresh = contents(cold)
    run(repo.root)
    there = contents(repo.root)
    extra = {path for path in there if path.startswith(own)} - fresh.keys() if own else set()
    confirm({p: text for p, text in there.items() if p not in extra}, fresh, "at the desk")
    if twice:
        confirm(run(repo.root), {}, "the second run")
        confirm(contents(repo.root) | fresh, contents(repo.root), "after the second run")
    warm = clone(repo, "warm")
    run(warm)
    confirm(contents(warm), fresh, "in a clone with the cache of the desk")


OPENED = {
    "r+b": "f = open('f.db', 'r+b' if os.path.exists('f.db') else 'wb'); f.truncate()",
    "O_RDWR": "f = os.fdopen(os.open('f.db', os.O_RDWR | os.O_CREAT, 438), 'r+b'); f.truncate()",
    "O_WRONLY": "f = os.fdopen(os.open('f.db', os.O_WRONLY | os.O_CREAT, 438), 'wb')",
}
FILL = "import os\n{}\nf.write(open('raw', 'rb').read())\nf.close()\n"
SQLITE = """import sqlite3
c = sqlite3.connect("f.db")
c.execute("drop table if exists raw")
c.execute("create table raw(x)")
c.executemany("insert into raw values(?)", [(int(line),) for line in open("raw")])
c.commit()
"""
TRAIN = """import sqlite3
print(sqlite3.connect("f.db").execute("select sum(x) from raw").fetchone()[0])
"""


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(
    "opened",
    [
        "r+b",
        "O_RDWR",
        "O_WRONLY",
    ],
)
def test_a_database_after_a_look_at_another_branch(repo: Repo, opened: str, twice: bool) -> None:
    plant(repo, f"{PYTHON} a.py", "cat f.db > out", a__py=FILL.format(OPENED[opened]), raw="1\n")
    assert_fresh(repo, twice=twice)
    repo.git("checkout", "-q", "-b", "two")
    repo.write({"raw": "2\n"})
    assert_fresh(repo, twice=twice)
    repo.git("checkout", "-q", "main")
    repo.write({"mlpipe.yml": workflow(f"{PYTHON} a.py", "cat f.db > out; cat f.db >> out")})
    assert_fresh(repo, twice=twice)


def test_a_model_that_was_trained_from_the_database_of_another_branch(repo: Repo) -> None:
    plant(repo, f"{PYTHON} a.py", f"{PYTHON} b.py > out", a__py=SQLITE, b__py=TRAIN, raw="1\n")
    run(repo.root)
    repo.git("checkout", "-q", "-b", "two")
    repo.commit({"raw": "2\n"})
    run(repo.root)
    repo.git("checkout", "-q", "main")
    repo.commit({"b.py": f"{TRAIN}# tuned\n"})
    run(repo.root)
    confirm(repo.read("out"), "1\n", "at the desk")
    warm = clone(repo, "warm")
    run(warm)
    confirm((warm / "out").read_text(), "1\n", "in a clone")


def test_what_was_added_to_is_from_this_run_alone(repo: Repo) -> None:
    add = "import os\nf = os.open('f.db', os.O_RDWR | os.O_CREAT, 0o666)\nos.lseek(f, 0, 2)\n"
    add += "os.write(f, open('raw', 'rb').read())\n"
    plant(repo, f"{PYTHON} add.py", "cat f.db > out", add__py=add, raw="1\n")
    assert_fresh(repo)
    repo.write({"raw": "2\n"})
    assert_fresh(repo)


def test_a_step_adds_to_what_an_earlier_one_made(repo: Repo) -> None:
    plant(repo, "cat raw > f.db", "cat more >> f.db", "cat f.db > out", raw="1\n", more="a\n")
    assert_fresh(repo)
    repo.write({"more": "b\n"})
    assert_fresh(repo)


def test_a_step_adds_to_what_an_earlier_one_made_and_writes_over_it(repo: Repo) -> None:
    """What was there before is what the earlier step left, not what this one has added."""
    over = "f = open('out.db', 'r+'); f.read(); f.write('x'); f.close()"
    plant(repo, "cat raw > out.db", f'echo 2 >> out.db\n{PYTHON} -c "{over}"', raw="1\n")
    assert_fresh(repo)


@pytest.mark.parametrize("name", ["conf", "data/conf"])
@pytest.mark.parametrize("before", [None, "one\n"])
def test_what_lies_beside_the_repository(
    repo: Repo, tmp_path: Path, name: str, before: str | None
) -> None:
    """Another clone, in another directory, has another file there."""
    (tmp_path / "two").mkdir()
    for place in (repo.root.parent, tmp_path / "two"):
        (place / name).parent.mkdir(exist_ok=True)
    if before:
        (repo.root.parent / name).write_text(before)
    plant(repo, f"cat ../{name} > out || echo none > out")
    run(repo.root)
    (tmp_path / "two" / name).write_text("two\n")
    repo.git("clone", "-q", str(repo.root), str(tmp_path / "two/clone"))
    run(tmp_path / "two/clone")
    confirm((tmp_path / "two/clone/out").read_text(), "two\n")
    (repo.root.parent / name).write_text("new\n")
    run(repo.root)
    confirm(repo.read("out"), "new\n")
    confirm(run(repo.root), {})


def test_what_was_a_log_is_made_by_an_earlier_step_now(repo: Repo) -> None:
    """It was new, and only added to, as long as no earlier step made it."""
    later = "cat out.db raw > out1 || true; cat out1 >> out.db"
    last = "cat out.db > out2"
    plant(repo, "cp raw out0", later, last, raw="1\n")
    assert_fresh(repo)
    plant(repo, "cp raw out0; cp more out.db", later, last, raw="1\n", more="2\n")
    assert_fresh(repo)


def test_names_that_are_listed_one_directory_after_the_other(repo: Repo) -> None:
    """Python's search for a package looks into the directory that it found as well."""
    look = "import json, os\nprint(sorted(os.listdir('.')), sorted(os.listdir('sub')))\n"
    plant(repo, f"{PYTHON} look.py > out", look__py=look, sub_in_a="1")
    assert_fresh(repo)
    repo.write({"new.md": "1"})
    assert_fresh(repo)


def test_what_a_declared_step_writes_besides(repo: Repo) -> None:
    plant(repo, "cat raw > out; cat raw > gen\n@ outputs: [out]\n@ inputs: [raw]", raw="1\n")
    assert_fresh(repo)


@pytest.mark.parametrize(
    "path",
    [
        ".coverage",
        ".cache/f",
        "f.db-wal",
        "gen",
    ],
)
def test_a_name_that_tools_use_is_read_by_a_later_step(repo: Repo, path: str) -> None:
    plant(repo, f"mkdir -p .cache; cat raw > {path}", f"cat {path} > out", raw="1\n")
    assert_fresh(repo)
    repo.write({"raw": "2\n"})
    assert_fresh(repo)


def test_a_directory_of_git_into_which_a_later_step_writes(repo: Repo) -> None:
    code = "import sys\nprint(__import__(sys.argv[1]).__name__)\n"
    steps = f"{PYTHON} code.py json > out", "cat in/a > in/gen1"
    plant(repo, *steps, code__py=code, in_in_a="1\n")
    assert_fresh(repo)


@pytest.mark.parametrize(
    "look",
    [
        "ls",
        "ls in",
        "test -e in/gen1 && echo yes || echo no",
    ],
)
def test_names_that_a_later_step_left(repo: Repo, look: str) -> None:
    made = "cat in/a > gen1; cat in/a > in/gen1"
    plant(repo, f"{{ {look}; }} > out", made, in_in_a="1\n")
    assert_fresh(repo)
    repo.write({"mlpipe.yml": workflow(f"{{ {look}; }} > out; true", made)})
    assert_fresh(repo)


def install(site: Path, version: str, code: str) -> None:
    """Install a distribution with one module, as pip does, in place of an earlier version."""
    for old in site.glob("tiny-*"):
        shutil.rmtree(old)
    info = site / f"tiny-{version}.dist-info"
    info.mkdir(parents=True)
    (site / "tiny.py").write_text(f"V = '{code}'\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
    (info / "INSTALLER").write_text("pip\n")
    (info / "RECORD").write_text(f"tiny.py,sha256={code},{len(code) + 7}\n{info.name}/RECORD,,\n")


def upgrade(site: Path) -> None:
    install(site, "2.0", "two")


def reinstall(site: Path) -> None:
    install(site, "1.0", "two")


def loose(site: Path) -> None:
    (site / "alone.py").write_text("V = 'two'\n")


@pytest.mark.parametrize("where", ["of the repository", "of PYTHONPATH"])
@pytest.mark.parametrize("change", [upgrade, reinstall, loose])
def test_a_package_changes(
    repo: Repo,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    where: str,
    change: Callable[[Path], None],
) -> None:
    outside = tmp_path / "env/lib/python3.11/site-packages"
    site = repo.root / SITE if where == "of the repository" else outside
    install(site, "1.0", "one")
    (site / "alone.py").write_text("V = 'one'\n")
    monkeypatch.setenv("PYTHONPATH", str(outside))
    code = f"import sys\nsys.path.insert(1, '{SITE}')\nimport tiny, alone\n"
    code += "print(tiny.V, alone.V)\n"
    plant(repo, f"{PYTHON} code.py > out", code__py=code)
    assert_fresh(repo)
    change(site)
    assert_fresh(repo)


SPELLINGS = {
    "in": "import os\nprint('RATE' in os.environ)\n",
    "alias": "import os\ne = os.environ\nprint(e.get('RATE'))\n",
    "constant": "import os\nNAME = 'RATE'\nprint(os.environ.get(NAME))\n",
    "copy": "import os\nprint({**os.environ}.get('RATE'))\n",
    "getenv": "import os\nprint(os.getenv('RATE'))\n",
}


@pytest.mark.parametrize(
    "spelling",
    [
        *(one for one in ("in", "alias", "constant", "copy")),
        "getenv",
    ],
)
def test_a_variable_is_set(repo: Repo, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    plant(repo, f"{PYTHON} code.py > out", code__py=SPELLINGS[spelling])
    assert_fresh(repo)
    monkeypatch.setenv("RATE", "1")
    assert_fresh(repo)
    monkeypatch.delenv("RATE")
    assert_fresh(repo)


def test_a_variable_that_a_settings_file_names(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os\nprint(os.environ.get(open('names.cfg').read()))\n"
    plant(repo, f"{PYTHON} code.py > out", code__py=code, names__cfg="RATE")
    assert_fresh(repo)
    monkeypatch.setenv("RATE", "1")
    assert_fresh(repo)


def test_the_time_zone_changes(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    plant(repo, "date -d @1700000000 +%F-%H > out")
    assert_fresh(repo)
    monkeypatch.setenv("TZ", "XXX-9")
    assert_fresh(repo)


@pytest.mark.parametrize("declared", ["", "\n@ outputs: [out/b]"])
def test_a_step_is_removed(repo: Repo, declared: str) -> None:
    steps = ("mkdir -p out; cat raw > out/a", f"cat raw > out/b{declared}", "ls out > gen")
    plant(repo, *steps, raw="1\n")
    assert_fresh(repo)
    repo.write({"mlpipe.yml": workflow(steps[0], "", steps[2])})
    assert_fresh(repo)


def test_an_output_is_renamed(repo: Repo) -> None:
    steps = ("mkdir -p out; cat raw > out/a\n@ outputs: [out/a]", "ls out > gen")
    plant(repo, *steps, raw="1\n")
    assert_fresh(repo)
    repo.write({"mlpipe.yml": workflow(steps[0].replace("out/a", "out/b"), steps[1])})
    assert_fresh(repo)


@pytest.mark.parametrize("mode", ["600", "640", "444", "700"])
def test_permissions_of_an_output(repo: Repo, mode: str) -> None:
    plant(repo, f"cat raw > out; chmod {mode} out", raw="1\n")
    assert_fresh(repo)
    (repo.root / "out").unlink()
    assert_fresh(repo)


def test_a_private_output_is_private_in_the_cache(repo: Repo) -> None:
    plant(repo, "umask 077; cat raw > out", raw="1\n")
    run(repo.root)
    there = Path(os.environ["MLPIPE_CACHE_DIR"]).rglob("*")
    objects = [path for path in there if "objects" in path.parts and path.is_file()]
    assert objects
    confirm([path for path in objects if path.stat().st_mode & 0o077], [])


def test_a_link_out_of_the_repository(repo: Repo) -> None:
    plant(repo, "ln -sfn /nowhere out; cat raw > gen", raw="1\n")
    code, out, _ = call(repo.root, "run")
    assert code == 0
    confirm("not stored" in out, True, out)
    code, out, err = call(clone(repo, "warm"), "run")
    assert code == 0
    confirm("damage" in out + err, False, err)


def test_outputs_are_as_old_as_when_they_were_made(repo: Repo) -> None:
    make = "head -c 30000000 /dev/zero > out_z; sleep 0.02; cat raw > out_a"
    newer = "if [ out_z -nt out_a ]; then echo stale; else echo fine; fi > gen; cat notes >> gen"
    plant(repo, make, newer, raw="1\n", notes="1\n")
    assert_fresh(repo)
    for path in ("out_z", "out_a"):
        (repo.root / path).unlink()
    repo.write({"notes": "2\n"})
    assert_fresh(repo)


def test_a_log_that_a_later_step_reads(repo: Repo) -> None:
    plant(repo, "mkdir -p logs; cat raw >> logs/a", "cat logs/a > out", raw="1\n")
    assert_fresh(repo)
    repo.write({"raw": "2\n"})
    assert_fresh(repo)


def test_a_log_that_an_earlier_step_reads(repo: Repo) -> None:
    add = "mkdir -p logs; echo {0} >> logs/a; echo {0} > gen{0}"
    plant(repo, "cat logs/a > out || echo none > out", add.format(1), add.format(2))
    assert_fresh(repo)


def test_a_log_that_nobody_reads_grows(repo: Repo) -> None:
    plant(repo, "mkdir -p logs; cat raw >> logs/a; cat raw > out", raw="1\n")
    run(repo.root)
    repo.write({"raw": "2\n"})
    run(repo.root)
    confirm(repo.read("logs/a"), "1\n2\n")


def test_a_history_stays(repo: Repo) -> None:
    plant(repo, "mkdir -p runs; cat raw > runs/$(cat raw).txt", raw="1")
    assert_fresh(repo)
    repo.write({"raw": "2"})
    assert_fresh(repo, own=("runs/",))
    confirm((repo.root / "runs/1.txt").exists(), True)


def test_a_run_that_failed_leaves_nothing_behind(repo: Repo) -> None:
    steps = "cat raw > out; cat raw > gen; test ! -e broken", "cat out gen > out2"
    plant(repo, *steps, raw="1\n")
    assert_fresh(repo)
    repo.commit({"raw": "2\n", "broken": ""})
    assert call(repo.root, "run")[0] == 1
    (repo.root / "broken").unlink()
    assert_fresh(repo)


def test_a_call_that_the_kernel_refuses(repo: Repo) -> None:
    probe = "import ctypes\nctypes.CDLL(None).statx(0, None, 0, 0xFFF, None)\n"
    step = f"{PYTHON} probe.py; cat raw > out\n@ inputs: [probe.py]\n@ outputs: [out]"
    plant(repo, step, probe__py=probe, raw="1\n")
    assert_fresh(repo)
    repo.write({"raw": "2\n"})
    assert_fresh(repo)


@pytest.mark.parametrize(
    "folder",
    [
        "/proc",
        "/",
        "/dev",
        "/sys",
    ],
)
def test_a_look_at_the_machine(repo: Repo, folder: str) -> None:
    plant(repo, f"ls {folder} | grep -c . > /dev/null; cat raw > out", raw="1\n")
    assert_fresh(repo)


def test_a_file_at_the_root_that_nobody_reads(repo: Repo) -> None:
    code = "import importlib.metadata as m\nm.version('pip')\nprint(1)\n"
    plant(repo, "python -B code.py > out", code__py=code)
    assert_fresh(repo)
    repo.write({"NOTES.md": "hello\n"})
    confirm(run(repo.root), {})


def test_files_of_each_that_a_step_writes(repo: Repo) -> None:
    steps = workflow("cat raw > in/gen.csv", "sort out/* > out.txt").splitlines()
    each = [
        "  - name: clean",
        "    each: in/*.csv",
        "    run: mkdir -p out; cat ${{ each.path }} > out/${{ each.name }}",
        "    outputs: ['out/${{ each.name }}']",
    ]
    files = {"in/a.csv": "1\n", "raw": "9\n", ".gitignore": IGNORED}
    repo.commit({"mlpipe.yml": "\n".join([*steps[:4], *each, *steps[4:]]) + "\n", **files})
    codes = [call(repo.root, "run")[0], call(repo.root, "run")[0]]
    codes.append(call(clone(repo, "warm"), "run")[0])
    confirm(len(set(codes)), 1, "of the exit codes")
    if not codes[0]:
        confirm(repo.read("out.txt"), "1\n9\n")
        confirm((repo.root.parent / "warm/out.txt").read_text(), "1\n9\n")


@pytest.mark.parametrize("old", [0, 1_600_000_000])
def test_a_file_is_replaced_by_one_of_the_same_size_and_an_old_time(repo: Repo, old: int) -> None:
    plant(repo, "cat raw > out", raw="1\n")
    assert_fresh(repo)
    before = old or (repo.root / "raw").stat().st_mtime
    repo.write({"fresh": "2\n"})
    os.utime(repo.root / "fresh", (before, before))
    (repo.root / "fresh").replace(repo.root / "raw")
    assert_fresh(repo)


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_a_file_is_replaced_while_the_step_runs(repo: Repo, tmp_path: Path, place: str) -> None:
    """By one with an old time: what the step read is not what lies there when it ends."""
    path = repo.root / "raw" if place == "inside" else tmp_path / "raw"
    repo.write({"start": "1\n"})
    path.write_text("1\n")
    plant(repo, f"cat '{path}' > out; : > gen; sleep 1.2")
    swap = f"""
        for try in $(seq 200); do [ -e gen ] && break; sleep 0.02; done
        echo 2 > '{path}.new'; touch -d @1600000000 '{path}.new'; mv '{path}.new' '{path}'
    """
    with subprocess.Popen(["sh", "-c", swap], cwd=repo.root):
        run(repo.root)
    run(repo.root)
    confirm(repo.read("out"), "2\n")
