"""What a step saw decides whether it runs: through a clone without a cache as the yardstick."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlpipe_ci.tracing.access_log import CHANGED, READ
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.outside import OutsideAccess
from mlpipe_ci.tracing.file_identity import signature_of
from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
IGNORED = "o*\n*.db\n*.out\n"


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def plant(repo: Repo, *commands: str, **files: str) -> None:
    """Commit steps that declare nothing, and files (`__` is a dot, `_in_` a slash)."""
    steps = [
        f"  - {{name: s{n}, run: {json.dumps(command)}}}" for n, command in enumerate(commands)
    ]
    named = {name.replace("_in_", "/").replace("__", "."): text for name, text in files.items()}
    text = "\n".join(["steps:", *steps]) + "\n"
    repo.commit({"mlpipe.yml": text, ".gitignore": IGNORED, **named})


def ran(repo: Repo, *options: str, **env: str) -> list[str]:
    """Names of the steps whose command ran."""
    done = repo.mlpipe("run", *options, code=0, **env)
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("▶")]


def from_scratch(repo: Repo, name: str, *options: str) -> Repo:
    """A clone, after a run with an empty cache."""
    clone = Repo(repo.root.parent / name)
    repo.git("clone", "-q", str(repo.root), str(clone.root))
    clone.mlpipe("run", *options, MLPIPE_CACHE_DIR=str(clone.root.parent / f"{name}-cache"))
    return clone


def with_the_cache(repo: Repo, name: str) -> tuple[Repo, list[str]]:
    """A clone, after a run with the cache of the desk, and what ran there."""
    clone = Repo(repo.root.parent / name)
    repo.git("clone", "-q", str(repo.root), str(clone.root))
    return clone, ran(clone)


PROBE = "import ctypes; ctypes.CDLL(None).{}; import helper; print(helper.V)"


@pytest.mark.parametrize(
    "call",
    ["statx(0, None, 0, 0xFFF, None)", "open(None, 0)", "stat(1, None)", "openat(77, b'x', 0)"],
)
def test_a_call_that_the_kernel_refuses_blinds_nobody(repo: Repo, call: str) -> None:
    plant(repo, "python a.py > a.out", a__py=PROBE.format(call), helper__py="V = 1")
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    repo.commit({"helper.py": "V = 22"})
    assert ran(repo) == ["s0"]
    assert repo.read("a.out") == "22\n"


@pytest.mark.parametrize(
    "command",
    [
        "ls /proc | wc -l > /dev/null; echo 1 > a.out",
        "ls / > /dev/null; echo 1 > a.out",
        "ls /proc/self/fd > /dev/null; cat /proc/loadavg > /dev/null; echo 1 > a.out",
        "python -c 'import socket; s = socket.socket(1); s.bind(\"o.sock\")'; echo 1 > a.out",
        "python -c 'import os; os.mkfifo(\"o.fifo\")' || true; ls > a.out; rm o.fifo",
        (
            "python -c 'import socket as s; x = s.socket(s.AF_INET, s.SOCK_DGRAM); "
            'x.connect(("192.0.2.1", 53))\'; echo 1 > a.out'
        ),
        "test -x /bin/sh && mkdir -p /tmp && echo 1 > a.out",
    ],
    ids=["processes", "root", "own process", "socket", "pipe", "name server", "scratch"],
)
def test_an_unchanged_step_settles_in_its_second_run(repo: Repo, command: str) -> None:
    plant(repo, command)
    assert ran(repo) == ["s0"]
    assert ran(repo) == []


def test_a_step_that_lists_a_directory_with_a_socket_in_it(repo: Repo) -> None:
    bind = "import socket; socket.socket(1).bind('o.sock')"
    plant(repo, "ls > a.out; rm -f o.sock; python b.py", b__py=bind)
    assert ran(repo) == ["s0"]
    assert ran(repo) == []


LOOKS = {
    "python -m": ("python -m pkg.a > a.out", []),
    "versions": ("python v.py > a.out", []),
    "find elsewhere": ("find pkg -name '*.py' > a.out", []),
    "glob": ("python g.py > a.out", ["s0"]),
    "exists, then glob": ("python e.py > a.out", ["s0"]),
    "ls": ("ls > a.out", ["s0"]),
}


@pytest.mark.parametrize(("command", "expected"), LOOKS.values(), ids=list(LOOKS))
def test_a_new_file_at_the_root(repo: Repo, command: str, expected: list[str]) -> None:
    (repo.root / "pkg").mkdir()
    (repo.root / "pkg/__init__.py").touch()
    plant(
        repo,
        command,
        pkg_in_a__py="print(1)",
        v__py="import importlib.metadata as m; print(m.version('pip'))",
        g__py="import glob; print(len(glob.glob('*.md')))",
        e__py=(
            "from pathlib import Path\nroot = Path(__file__).parent\n"
            "print(root.exists(), sorted(p.name for p in root.glob('*.md')))\nimport csv\n"
        ),
    )
    assert ran(repo) == ["s0"]
    repo.commit({"NOTES.md": "new"})
    assert ran(repo) == expected
    assert repo.read("a.out") == from_scratch(repo, "fresh").read("a.out")


def test_names_that_a_later_step_leaves_are_out_of_sight(repo: Repo) -> None:
    count = "import glob; print(len(glob.glob('*.out')), len(glob.glob('deep/*')))"
    later = "mkdir -p deep; cat in > deep/x; cat in > x.out"
    plant(repo, "python count.py > n.out", later, count__py=count, **{"in": "1"})
    repo.write({".git/info/exclude": "deep\n"})
    assert ran(repo) == ["s0", "s1"]
    first = repo.read("n.out")
    assert ran(repo) == []
    repo.commit({"count.py": f"{count}  # edited"})
    assert ran(repo) == ["s0"]
    clone, _ = with_the_cache(repo, "warm")
    cold = from_scratch(repo, "cold")
    assert first == repo.read("n.out") == clone.read("n.out") == cold.read("n.out") == "1 0\n"
    assert repo.read("deep/x") == "1"


def test_a_file_that_a_later_step_leaves_is_not_there(repo: Repo) -> None:
    plant(repo, "cat in > a.out; cat b.out >> a.out || true", "cat a.out > b.out", **{"in": "1\n"})
    assert ran(repo) == ["s0", "s1"]
    assert ran(repo) == []
    repo.commit({"in": "2\n"})
    assert ran(repo) == ["s0", "s1"]
    assert repo.read("a.out") == from_scratch(repo, "cold").read("a.out") == "2\n"


def test_a_directory_of_git_stays_though_a_later_step_writes_into_it(repo: Repo) -> None:
    plant(repo, "ls > a.out", "cat a.out > data/b.out", data_in_a__csv="1")
    assert ran(repo) == ["s0", "s1"]
    assert ran(repo) == []
    repo.git("rm", "-q", "-r", "data")
    repo.commit({"mlpipe.yml": repo.read("mlpipe.yml").replace("data/b", "b")})
    assert "s0" in ran(repo)
    assert repo.read("a.out") == from_scratch(repo, "cold").read("a.out")


def test_what_was_hidden_is_there_again_after_a_failure(repo: Repo) -> None:
    plant(repo, "cat in > a.out; test $(cat in) != 3", "cat a.out > b.out", **{"in": "1"})
    ran(repo)
    repo.write({"in": "3"})
    repo.mlpipe("run", code=1)
    assert repo.read("b.out") == "1"
    assert repo.read("a.out") == "1"


@pytest.mark.parametrize("tracked", [True, False])
def test_a_file_that_was_replaced_while_the_step_ran(repo: Repo, tracked: bool) -> None:
    """With an old time, as `cp -p` and `mv` leave it: the time of a content proves nothing."""
    plant(repo, "cat data > a.out; sleep 1; cat in >> a.out", **{"in": "1"})
    repo.write({"data": "old"})
    repo.write({".git/info/exclude": "" if tracked else "data\n"})
    repo.commit()
    words = [sys.executable, "-m", "mlpipe_ci", "run"]
    with subprocess.Popen(words, cwd=repo.root, stdout=subprocess.DEVNULL) as running:
        while not (repo.root / "a.out").exists() or repo.read("a.out") != "old":
            time.sleep(0.01)
        (repo.root / "other").write_text("new")
        os.utime(repo.root / "other", (1_000_000_000, 1_000_000_000))
        (repo.root / "other").rename(repo.root / "data")
    assert running.returncode == 0
    assert ran(repo) == ["s0"]
    assert repo.read("a.out") == "new1"
    (repo.root / "data").write_text("old")
    ran(repo)
    assert repo.read("a.out") == "old1"


OUTSIDE = {
    "read": ("cat {d}/x > a.out", "x", "22"),
    "size": ("stat -c %s {d}/x > a.out", "x", "22"),
    "through a link": ("cat {d}/link > a.out", "x", "22"),
    "new": ("cat {d}/y > a.out 2> /dev/null || echo none > a.out", "y", "22"),
    "listed": ("ls {d} > a.out", "y", "22"),
}


@pytest.mark.parametrize(("command", "name", "text"), OUTSIDE.values(), ids=list(OUTSIDE))
@pytest.mark.parametrize("place", ["elsewhere", "home", "scratch"])
def test_outside_of_the_repository(
    repo: Repo, command: str, name: str, text: str, place: str, tmp_path: Path
) -> None:
    directory = tmp_path / place
    (directory / "data").mkdir(parents=True)
    (directory / "data/x").write_text("1")
    (directory / "data/link").symlink_to("x")
    variable = {"home": "HOME", "scratch": "TMPDIR", "elsewhere": "UNUSED"}[place]
    env = {variable: str(directory)}
    plant(repo, command.format(d=f"{directory}/data"))
    assert ran(repo, **env) == ["s0"]
    assert ran(repo, **env) == []
    (directory / "data" / name).write_text(text)
    assert ran(repo, **env) == ["s0"]


def test_a_program_that_comes_earlier_on_path(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    path = f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"
    plant(repo, "tr a b < in > a.out", **{"in": "a"})
    assert ran(repo, PATH=path) == ["s0"]
    assert ran(repo, PATH=path) == []
    (tmp_path / "bin/tr").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "bin/tr").chmod(0o755)
    assert ran(repo, PATH=path) == ["s0"]
    assert repo.read("a.out") == "mine\n"
    (tmp_path / "bin/tr").write_text("#!/bin/sh\necho other\n")
    assert ran(repo, PATH=path) == ["s0"]
    assert repo.read("a.out") == "other\n"


def test_two_homes_share_a_result(repo: Repo, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings").write_text("same")
    plant(repo, "cat ~/settings > a.out")
    assert ran(repo, HOME=str(tmp_path / "one")) == ["s0"]
    assert ran(repo, HOME=str(tmp_path / "two")) == []
    (tmp_path / "two/settings").write_text("other")
    assert ran(repo, HOME=str(tmp_path / "two")) == ["s0"]


def test_a_link_that_leads_elsewhere(repo: Repo) -> None:
    plant(repo, "readlink link > a.out; cat link >> a.out || true", x="1\n", y="1\n")
    (repo.root / "link").symlink_to("x")
    repo.commit()
    assert ran(repo) == ["s0"]
    for target in ("y", "nothing", "x"):
        (repo.root / "link").unlink()
        (repo.root / "link").symlink_to(target)
        repo.commit()
        ran(repo)
        assert repo.read("a.out").startswith(f"{target}\n")


LOAD = """
import sqlite3
db = sqlite3.connect("a.db")
db.execute("drop table if exists t")
db.execute("create table t (x)")
db.executemany("insert into t values (?)", [(line,) for line in open("in")])
db.commit()
"""
ADD = """
import sqlite3
db = sqlite3.connect("a.db")
db.execute("create table if not exists u (n)")
db.execute("delete from u")
db.execute("insert into u select count(*) from t")
db.commit()
"""
SHOW = """
import sqlite3
print(sqlite3.connect("a.db").execute("select n from u").fetchone()[0])
"""


def test_a_database_that_two_steps_write_and_a_third_reads(repo: Repo) -> None:
    steps = ("python load.py", "python add.py", "python show.py > a.out")
    plant(repo, *steps, load__py=LOAD, add__py=ADD, show__py=SHOW, **{"in": "1\n"})
    assert ran(repo) == ["s0", "s1", "s2"]
    assert ran(repo) == [], "who opens a database to read it opens it for writing"
    repo.git("checkout", "-q", "-b", "two")
    repo.commit({"in": "1\n2\n"})
    assert ran(repo) == ["s0", "s1", "s2"]
    repo.git("checkout", "-q", "main")
    repo.commit({"show.py": f"{SHOW}# edited"})
    assert ran(repo) == ["s2"]
    assert repo.read("a.out") == "1\n"
    clone, run = with_the_cache(repo, "warm")
    assert (clone.read("a.out"), run) == ("1\n", [])
    with sqlite3.connect(clone.root / "a.db") as db:
        assert db.execute("select count(*) from t").fetchone() == (1,)


def test_names_that_tools_use_are_no_exception(repo: Repo) -> None:
    plant(
        repo,
        "cat in > .coverage; mkdir -p .cache; cat in > .cache/x",
        "cat .coverage > a.out",
        "cat .cache/x > b.out",
        **{"in": "1"},
    )
    repo.write({".git/info/exclude": ".coverage\n.cache\n"})
    ran(repo)
    repo.commit({"in": "2"})
    assert ran(repo) == ["s0", "s1", "s2"]
    assert (repo.read("a.out"), repo.read("b.out")) == ("2", "2")
    clone, run = with_the_cache(repo, "warm")
    assert run == []
    assert (clone.read(".coverage"), clone.read(".cache/x")) == ("2", "2")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_two_steps_at_once_that_search_the_root(repo: Repo, jobs: str) -> None:
    slow = "import time, importlib.metadata as m; m.version('pip'); time.sleep(.3); print(1)"
    fast = "import os; os.makedirs('o1', exist_ok=True); open('o1/x', 'w').write('1')"
    plant(repo, "python slow.py > a.out", "python fast.py", slow__py=slow, fast__py=fast)
    assert sorted(ran(repo, "--jobs", jobs)) == ["s0", "s1"]
    assert ran(repo, "--jobs", jobs) == []


def test_a_new_file_that_make_does_not_mean(repo: Repo) -> None:
    if subprocess.run(["make", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("make is not installed")
    plant(repo, "make -s a.out", Makefile="a.out: x.csv\n\tcat x.csv > a.out\n", x__csv="1\n")
    assert ran(repo) == ["s0"]
    repo.commit({"NOTES.md": "new"})
    assert ran(repo) == []
    repo.commit({"x.csv": "2\n"})
    assert ran(repo) == ["s0"]
    repo.commit({"a.out.sh": "echo 3 > a.out\n"})
    assert ran(repo) == ["s0"], "a built-in rule could make it of that"


def test_make_settles_and_sees_a_new_source(repo: Repo) -> None:
    if subprocess.run(["make", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("make is not installed")
    rule = "a.out: $(wildcard *.csv)\n\tcat $^ > a.out\n"
    plant(repo, "make -s a.out", Makefile=rule, x__csv="1\n")
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    repo.commit({"y.csv": "2\n"})
    assert ran(repo) == ["s0"]
    assert repo.read("a.out") == "1\n2\n"


RUNS = """
import os, sys
os.makedirs("mlruns", exist_ok=True)
number = len(os.listdir("mlruns"))
open(f"mlruns/{number}", "w").write(open("in").read())
print(open("in").read())
"""


def test_a_step_that_looks_at_its_own_memory_settles(repo: Repo) -> None:
    repo.write({".git/info/exclude": "mlruns\n"})
    plant(repo, "ls > a.out; python runs.py > b.out", runs__py=RUNS, **{"in": "1"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    repo.commit({"in": "2"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    assert sorted(os.listdir(repo.root / "mlruns")) == ["0", "1"]  # noqa: PTH208
    clone, run = with_the_cache(repo, "warm")
    assert (clone.read("b.out"), run) == ("2\n", [])


DECLARED = """
steps:
  - {name: s0, run: "cat *.txt > n.csv", inputs: ["*.txt"], outputs: [n.csv]}
  - {name: s1, run: "cp in x.txt"}
"""


def test_a_pattern_means_nothing_that_a_later_step_leaves(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": DECLARED, "in": "9", "a.txt": "1", ".gitignore": "n.csv\nx.txt\n"})
    assert ran(repo) == ["s0", "s1"]
    assert ran(repo) == []
    repo.commit({"a.txt": "2"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    clone, run = with_the_cache(repo, "warm")
    cold = from_scratch(repo, "cold")
    assert repo.read("n.csv") == clone.read("n.csv") == cold.read("n.csv") == "2"
    assert run == []


@pytest.mark.parametrize(
    "add", ["cat a.log > b.out; cat in >> a.log", "cat in >> a.log; cat a.log > b.out"]
)
def test_a_file_of_an_earlier_step_is_read_and_added_to(repo: Repo, add: str) -> None:
    repo.write({".git/info/exclude": "*.log\n"})
    plant(repo, "cat in > a.log", add, **{"in": "1\n"})
    assert ran(repo) == ["s0", "s1"]
    assert ran(repo) == []
    repo.commit({"in": "2\n"})
    assert ran(repo) == ["s0", "s1"]
    assert ran(repo) == []
    cold = from_scratch(repo, "cold")
    assert repo.read("b.out") == cold.read("b.out")
    assert repo.read("a.log") == cold.read("a.log") == "2\n2\n"


IN_PLACE = """
steps:
  - {name: s0, run: "cat data > a.out", inputs: [data], outputs: [a.out]}
  - {name: s1, run: "python add.py"}
"""
CHANGE = "f = open('data', 'r+'); f.read(); f.write(open('in').read()); f.close()\n"


@pytest.mark.parametrize(
    "make",
    [
        "rm own/x; echo new > own/x",
        "rm own/x; echo new > o-new; mv o-new own/x",
        "rm own/x; echo new > o-new; ln o-new own/x; rm o-new",
        "rm -r own; mkdir own; echo new > own/x",
        "rm -r own; mkdir o-new; echo new > o-new/x; mv o-new own",
    ],
)
def test_a_file_that_is_read_removed_and_made_again(repo: Repo, make: str) -> None:
    plant(repo, f"cat own/x > a.out; {make}")
    repo.write({"own/x": "1\n"})
    assert ran(repo) == ["s0"]
    repo.write({"own/x": "2\n"})
    assert ran(repo) == ["s0"]
    assert (repo.read("a.out"), repo.read("own/x")) == ("2\n", "new\n")
    repo.write({"own/x": "1\n"})
    assert ran(repo) == []
    assert (repo.read("a.out"), repo.read("own/x")) == ("1\n", "new\n")


def test_git_puts_what_was_edited_away_and_back(repo: Repo) -> None:
    stash = "cat notes.md > a.out; git stash -q; git stash pop -q"
    plant(repo, stash, notes__md="1\n")
    repo.write({"notes.md": "2\n"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    repo.write({"notes.md": "3\n"})
    assert ran(repo) == ["s0"]
    assert repo.read("a.out") == "3\n"


def test_a_file_of_the_user_that_a_later_step_changes_in_place_stays_in_sight(repo: Repo) -> None:
    repo.commit(
        {"mlpipe.yml": IN_PLACE, "add.py": CHANGE, "in": "1", ".gitignore": "data\n*.out\n"}
    )
    repo.write({"data": "mine"})
    ran(repo)
    assert repo.read("data") == "mine1"
    repo.commit({"mlpipe.yml": IN_PLACE.replace("cat data", "cat  data")})
    ran(repo)
    assert repo.read("a.out") == "mine1"


KEEPER = """
import sqlite3
c = sqlite3.connect("mlflow.db")
c.execute("create table if not exists t(x)")
c.execute("insert into t values(?)", (int(open("in").read()),))
c.commit()
open("m.out", "w").write("m")
"""
BEST = """
import sqlite3
best = sqlite3.connect("mlflow.db").execute("select max(x) from t").fetchone()
open("best.out", "w").write(str(best[0]))
"""


def test_who_reads_anothers_memory_through_a_connection_that_could_write(repo: Repo) -> None:
    plant(repo, "python a.py", "python best.py", a__py=KEEPER, best__py=BEST, **{"in": "1"})
    assert ran(repo) == ["s0", "s1"]
    assert ran(repo) == []
    repo.commit({"in": "2"})
    assert ran(repo) == ["s0", "s1"]
    assert repo.read("best.out") == "2"


def test_what_another_step_reads_is_no_history(repo: Repo) -> None:
    many = "mkdir -p o; for i in $(seq $(cat n)); do echo $i > o/$(cat n)-$i.txt; done"
    plant(repo, many, "cat o/*.txt > b.out", n="1")
    ran(repo)
    repo.commit({"n": "2"})
    ran(repo)
    assert repo.read("b.out") == from_scratch(repo, "cold").read("b.out") == "1\n2\n"
    assert ran(repo) == []


def test_an_empty_directory_of_an_earlier_step_stays(repo: Repo) -> None:
    plant(repo, "mkdir o; echo 1 > a.out", "cp in o/b.txt", **{"in": "1"})
    assert ran(repo) == ["s0", "s1"]
    repo.commit({"in": "2"})
    assert ran(repo) == ["s1"]
    assert repo.read("o/b.txt") == "2"


def test_a_directory_that_is_made_listed_and_removed_settles(repo: Repo) -> None:
    plant(repo, "mkdir -p o/w; touch o/w/x; ls o/w; rm -r o/w; cp in o/b", **{"in": "1"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []


def test_a_file_outside_that_is_opened_to_be_changed_and_is_not(repo: Repo) -> None:
    """`OutsideAccess` takes what lies below /tmp, as this does, for scratch: so by itself."""
    outside = repo.root.parent / "settings"
    outside.write_text("1")
    now = signature_of(os.lstat(outside))
    assert now is not None
    trace = Trace(paths={str(outside): READ | CHANGED}, first={str(outside): now})
    access = OutsideAccess(str(repo.root), {}, trace)
    access._scratch = ()
    assert list(access.written()) == []
    outside.write_text("22")
    assert list(access.written()) == [str(outside)]


LIBRARY = "int f(void) {{ return {}; }}"


def test_where_libraries_are_looked_for(repo: Repo) -> None:
    if subprocess.run(["gcc", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("gcc is not installed")
    for number in (1, 2):
        (repo.root / f"o{number}").mkdir()
        words = ["gcc", "-shared", "-fPIC", "-xc", "-", "-o", f"o{number}/libf.so"]
        code = LIBRARY.format(number).encode()
        subprocess.run(words, cwd=repo.root, input=code, check=True)
    call = "import ctypes; print(ctypes.CDLL('libf.so').f())"
    plant(repo, "python a.py > a.out", a__py=call)
    for number in (1, 2, 1):
        ran(repo, LD_LIBRARY_PATH=f"o{number}")
        assert repo.read("a.out") == f"{number}\n"
    assert ran(repo, LD_LIBRARY_PATH="o1") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("env_prefix = 'app_'", "APP_LR"),
        ("main(auto_envvar_prefix='APP')", "APP_LR"),
        ("class Settings: lr: float", "LR"),
    ],
)
def test_a_name_that_a_library_puts_together(repo: Repo, text: str, name: str) -> None:
    plant(repo, "cat settings.py > a.out", settings__py=text)
    assert ran(repo, **{name: "1"}) == ["s0"]
    assert ran(repo, **{name: "1"}) == []
    assert ran(repo, **{name: "5"}) == ["s0"]


def test_a_step_that_lists_and_fails_beside_the_writer_runs_again(repo: Repo) -> None:
    plant(repo, "sleep 1; cp in a.out", "ls *.out > o.lst", **{"in": "1"})
    assert ran(repo, "--jobs", "2") == ["s0", "s1"]
    repo.commit({"in": "2"})
    ran(repo, "--jobs", "2")
    assert (repo.read("a.out"), repo.read("o.lst")) == ("2", "a.out\n")


BESIDE = """
steps:
  - {name: first, run: "sleep .3; cp a first.txt", inputs: [a], outputs: [first.txt]}
  - {name: slow, run: "sleep 1; cp first.txt slow.txt", inputs: [first.txt], outputs: [slow.txt]}
  - {name: done, run: "cp b done.txt", inputs: [b], outputs: [done.txt]}
  - name: last
    run: cat first.txt done.txt > last.txt
    inputs: [first.txt, done.txt]
    outputs: [last.txt]
"""


def test_what_a_step_that_is_done_left_is_there_for_the_next_one_beside_an_earlier(
    repo: Repo,
) -> None:
    repo.commit({"mlpipe.yml": BESIDE, "a": "1", "b": "1", ".gitignore": "*.txt\n"})
    ran(repo, "--jobs", "2")
    repo.commit({"a": "2"})
    assert sorted(ran(repo, "--jobs", "2")) == ["first", "last", "slow"]
    assert repo.read("last.txt") == "21"


BEFORE_ITS_TURN = """
steps:
  - {name: first, run: "sleep .5; cp a first.out", inputs: [a], outputs: [first.out]}
  - {name: count, run: "{ LOOK; } > n.out", inputs: [first.out], outputs: [n.out]}
  - {name: later, run: "cp b x.dat", inputs: [b], outputs: [x.dat]}
"""


@pytest.mark.parametrize(
    "look", ["ls", "{ test -e x.dat && echo 1; } || true", "cat x.dat || true"]
)
def test_what_saw_a_later_step_that_ran_before_its_turn_is_not_stored(
    repo: Repo, look: str
) -> None:
    text = BEFORE_ITS_TURN.replace("LOOK", look)
    repo.commit({"mlpipe.yml": text, "a": "1", "b": "1", ".gitignore": "*.out\n*.dat\n"})
    done = repo.mlpipe("run", "--jobs", "2")
    assert "the result was not stored: it saw x.dat, which a later step writes" in done.stdout
    wanted = from_scratch(repo, "cold").read("n.out")
    assert ran(repo, "--jobs", "2") == ["count"], "now the later one waits for it"
    assert repo.read("n.out") == wanted
    assert ran(repo, "--jobs", "2") == []


UNDECLARED = """
steps:
  - {name: first, run: "sleep .5; cp a first.out", inputs: [a], outputs: [first.out]}
  - {name: count, run: "cat first.out > n.out; ls >> n.out", outputs: [n.out]}
  - {name: later, run: "cp b x.dat"}
"""


def test_steps_at_once_that_list_and_write_the_same_directory_settle(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": UNDECLARED, "a": "1", "b": "1", ".gitignore": "*.out\n*.dat\n"})
    wanted = from_scratch(repo, "cold").read("n.out")
    for _ in range(2):
        ran(repo, "--jobs", "3")
    for number in range(2):
        repo.commit({"a": f"{number}", "b": f"{number}"})
        ran(repo, "--jobs", "3")
        assert repo.read("n.out") == wanted.replace("1", f"{number}", 1)
        assert ran(repo, "--jobs", "3") == []
