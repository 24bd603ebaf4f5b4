"""Steps that declare nothing are incremental, and declared ones do not go stale by an import."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.repository import INHERITED, Repo
from tests.support.traced_command import is_running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
THREE = """
steps:
  - name: preprocess
    run: python preprocess.py
  - name: train
    run: python train.py
  - name: evaluate
    run: python evaluate.py
"""
FILES: dict[str, str | bytes] = {
    "mlpipe.yml": THREE,
    "helper.py": "def clean(text):\n    return text.upper()\n",
    "preprocess.py": """
import os
from helper import clean
os.makedirs("build", exist_ok=True)
scale = open("config.ini").read() if os.path.exists("config.ini") else ""
parts = [open(f"raw/{name}").read() for name in sorted(os.listdir("raw"))]
open("build/clean.csv", "w").write(clean("a,b\\n" + "".join(parts)) + scale)
""",
    "train.py": """
import os
import pandas
os.makedirs("models", exist_ok=True)
table = pandas.read_csv("build/clean.csv")
open("models/model.txt", "w").write(str(len(table)))
""",
    "evaluate.py": """
import json
rows = int(open("models/model.txt").read())
json.dump({"rows": rows}, open("metrics.json", "w"))
""",
    "raw/week1.csv": "1,2\n3,4\n",
    "notes.py": "# nobody reads this\n",
}
NAMES = ("preprocess", "train", "evaluate")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def three(repo: Repo, watched: None) -> Repo:
    repo.commit(FILES)
    assert ran(repo) == NAMES
    assert ran(repo) == ()
    return repo


def ran(repo: Repo, *arguments: str, code: int = 0) -> tuple[str, ...]:
    """Names of the steps whose command ran."""
    done = repo.mlpipe("run", *arguments, code=code)
    return tuple(line.split()[1] for line in done.stdout.splitlines() if line.startswith("▶"))


def reasons(repo: Repo) -> str:
    return repo.mlpipe("plan").stdout


def test_the_first_plan_says_that_all_run(repo: Repo, watched: None) -> None:
    repo.commit(FILES)
    assert reasons(repo).count("no result yet") == 3


def test_an_edit_of_a_helper_module_runs_exactly_what_it_must(three: Repo) -> None:
    three.write({"helper.py": "def clean(text):\n    return text.upper()  # the same\n"})
    assert "helper.py changed (discovered)" in reasons(three)
    assert ran(three) == ("preprocess",)
    three.write({"helper.py": "def clean(text):\n    return text.upper() + '5,6\\n'\n"})
    assert ran(three) == NAMES
    assert three.read("metrics.json") == '{"rows": 3}'
    assert ran(three) == ()


def test_what_nobody_reads_runs_nothing(three: Repo) -> None:
    three.write({"notes.py": "# another comment\n", "README.md": "new", "new_module.py": "x = 1"})
    assert ran(three) == ()


def test_a_new_file_in_a_listed_directory_and_a_config_file_that_was_missed(three: Repo) -> None:
    three.write({"raw/week2.csv": "5,6\n"})
    assert "raw/week2.csv is new (discovered)" in reasons(three)
    assert ran(three) == NAMES
    three.write({"config.ini": "7,8\n"})
    assert "config.ini is there now (discovered)" in reasons(three)
    assert ran(three) == NAMES
    (three.root / "config.ini").unlink()
    assert ran(three) == ()


def test_a_module_that_comes_before_an_installed_one_is_noticed(three: Repo) -> None:
    three.write({"mmap.py": "raise SystemExit('mine')\n"})  # pandas imports the real one
    assert "▶ train       run    mmap.py is new (discovered)" in reasons(three)


def test_a_variable_that_a_source_names_counts(
    repo: Repo, watched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import os\nmode = os.environ.get('MODE', '') + os.environ.get('API_TOKEN', '')\n"
    text += "open('out', 'w').write(mode)"
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: python s.py}]", "s.py": text})
    assert ran(repo) == ("s",)
    monkeypatch.setenv("MODE", "fast")
    assert "$MODE is set now" in reasons(repo)
    assert ran(repo) == ("s",)
    monkeypatch.setenv("MODE", "slow")
    assert "$MODE changed" in reasons(repo)
    assert ran(repo) == ("s",)
    stored = b"".join(p.read_bytes() for p in Path(os.environ["MLPIPE_CACHE_DIR"]).rglob("*.json"))
    assert b"env:MODE" in stored
    assert b"slow" not in stored
    monkeypatch.setenv("API_TOKEN", "secret")
    assert ran(repo) == ()


def test_another_clone_executes_nothing_and_outputs_come_back(three: Repo, tmp_path: Path) -> None:
    clone = tmp_path / "else where"
    three.git("clone", "-q", ".", str(clone))
    there = Repo(clone)
    assert ran(there) == ()
    assert there.read("metrics.json") == '{"rows": 2}'
    assert ran(there) == ()
    there.write({"helper.py": "def clean(text):\n    return text\n"})
    assert ran(there)[0] == "preprocess"


def test_outputs_of_last_time_go_out_of_the_way_and_come_back_after_a_failure(
    repo: Repo, watched: None
) -> None:
    text = """
import os, sys
print("there" if os.path.exists("out/x") else "away")
os.makedirs("out", exist_ok=True)
open("out/x", "w").write(open("in").read())
sys.exit(open("in").read() == "bad")
"""
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: python s.py}]", "s.py": text, "in": "1"})
    for content in ("1", "2", "3"):
        repo.write({"in": content})
        assert "away" in repo.mlpipe("run").stdout
    repo.write({"in": "bad"})
    repo.mlpipe("run", code=1)
    assert repo.read("out/x") == "3"
    repo.write({"in": "1"})
    assert ran(repo) == ()
    assert repo.read("out/x") == "1"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("cat in >> log", "it writes nothing but what it adds to log"),
        ("cat in >> log; cat log > out", "it changes log, which git tracks"),
        ("cat old in > out; cp in old", "it changes old, which git tracks"),
        ("python -m venv --without-pip .venv", "it makes a Python environment (.venv)"),
        ("rm old; cat in > new", "it removes old"),
        ("cat in", "it writes nothing in the repository"),
        (
            (
                "cat in > out; python -c 'import socket as s; x = s.socket(); x.settimeout(.1); "
                'x.connect_ex(("192.0.2.1", 9))\''
            ),
            "it talks to the network (192.0.2.1)",
        ),
        ("unshare --user --mount cat in > out", "what paths mean"),
    ],
)
def test_what_cannot_be_reused_runs_each_time_and_says_why(
    repo: Repo, watched: None, command: str, why: str
) -> None:
    block = f"steps:\n  - name: s\n    run: |\n      {command}\n"
    repo.commit({"mlpipe.yml": block, "in": "1", "log": "0\n", "old": "0"})
    first = repo.mlpipe("run", code=None)
    if first.returncode:
        pytest.skip("not possible on this system")
    repo.write({"old": "0"})
    assert why in reasons(repo)
    assert ran(repo) == ("s",)
    assert not list(Path(os.environ["MLPIPE_CACHE_DIR"]).rglob("results/*/*/*/*.json"))


def test_cache_true_says_otherwise(repo: Repo, watched: None) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat in, cache: true}]", "in": "1"})
    assert ran(repo) == ("s",)
    assert ran(repo) == ()
    repo.write({"in": "2"})
    assert ran(repo) == ("s",)


def test_tracing_off_and_a_system_that_cannot_watch(
    repo: Repo, watched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit({"mlpipe.yml": "tracing: off\nsteps: [{name: s, run: cat in > out}]", "in": "1"})
    assert ran(repo) == ran(repo) == ("s",)
    assert "tracing is off" in reasons(repo)
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat in > out, tracing: off}]"})
    assert ran(repo) == ran(repo) == ("s",)
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat in > out}]"})
    monkeypatch.setenv("MLPIPE_TRACER", "none")
    assert ran(repo) == ran(repo) == ("s",)
    assert "what it reads is not known" in reasons(repo)
    assert repo.read("out") == "1"


DECLARED = """
steps:
  - name: s
    run: python src/s.py
    inputs: [src/s.py]
    outputs: [out]
"""


def test_a_declared_step_cannot_go_stale_and_is_told_what_to_declare(
    repo: Repo, watched: None
) -> None:
    repo.commit(
        {
            "mlpipe.yml": DECLARED,
            "src/s.py": "import lib\nopen('out', 'w').write(lib.text)\nopen('extra', 'w')",
            "src/lib.py": "text = '1'",
        }
    )
    done = repo.mlpipe("run")
    assert (
        "reads src/lib.py and writes extra, which it does not declare (mlpipe trace)" in done.stdout
    )
    assert ran(repo) == ()
    repo.write({"src/lib.py": "text = '22'"})
    assert "src/lib.py changed (discovered)" in reasons(repo)
    assert ran(repo) == ("s",)
    assert repo.read("out") == "22"
    explained = repo.mlpipe("explain", "s").stdout
    assert "input      src/s.py" in explained
    assert "seen       src/lib.py" in explained


def test_trace_writes_the_lines_and_leaves_all_else(repo: Repo, watched: None) -> None:
    text = (
        DECLARED.replace("inputs: [src/s.py]", "inputs: [src/s.py]   # the code") + "\n# the end\n"
    )
    repo.commit(
        {
            "mlpipe.yml": text,
            "src/s.py": "import lib\nopen('out', 'w').write(lib.text)",
            "src/lib.py": "text = '1'",
        }
    )
    repo.mlpipe("run")
    assert "src/lib.py" in repo.mlpipe("trace").stdout
    repo.mlpipe("trace", "s", "--write")
    assert repo.read("mlpipe.yml") == text.replace("[src/s.py]", "[src/s.py, src/lib.py]")
    repo.mlpipe("run")
    assert repo.mlpipe("trace").stdout == "all that was seen is declared\n"


def test_what_left_no_result_was_watched_all_the_same(repo: Repo, watched: None) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: s, run: cat in > out}]", "in": "1", "out": ""})
    assert "not watched yet: s; mlpipe run watches them" in repo.mlpipe("trace").stdout
    assert "which git tracks; declare it: outputs: [out]" in repo.mlpipe("run").stdout
    said = repo.mlpipe("trace").stdout
    assert "outputs:\n      - out\n" in said
    assert "not watched" not in said


def test_tracked_files_are_proposed_by_their_names_and_not_as_a_directory(
    repo: Repo, watched: None
) -> None:
    command = "cat in | tee data/a data/b data/c > data/d; mkdir made; cp in made/a; cp in made/b"
    data = {f"data/{name}": "" for name in "abcd"}
    steps = f"steps:\n  - name: s\n    run: {command}\n"
    repo.commit({"mlpipe.yml": steps, "in": "1", ".gitignore": "made\n", **data})
    assert ran(repo) == ("s",)
    said = repo.mlpipe("trace", "--write").stdout
    assert "      - data/a\n      - data/b\n      - data/c\n      - data/d\n      - made/\n" in said
    assert ran(repo) == ("s",)
    assert ran(repo) == ()
    assert repo.read("data/d") == "1"


def test_strict_hides_what_is_not_declared_and_names_the_line_to_add(
    repo: Repo, watched: None
) -> None:
    repo.commit(
        {
            "mlpipe.yml": "tracing: strict" + DECLARED,
            "src/s.py": "import os\nprint(os.path.exists('data.csv'))\nopen('out', 'w').write('1')",
            "data.csv": "1",
        }
    )
    done = repo.mlpipe("run", code=1)
    assert "False" in done.stdout
    assert "it may not read data.csv" in done.stdout
    assert "at mlpipe.yml:3 add to its inputs: - data.csv" in done.stdout
    repo.write({"src/s.py": "open('out', 'w').write('1'); open('other', 'w')"})
    done = repo.mlpipe("run", code=1)
    assert "it may not write other" in done.stdout
    assert not (repo.root / "other").exists()
    repo.write({"src/s.py": "open('out', 'w').write('1')"})
    assert ran(repo) == ("s",)


def test_doctor_says_what_works(repo: Repo, watched: None) -> None:
    said = repo.mlpipe("doctor").stdout
    assert "✔ git" in said
    assert "tracing" in said


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_kills_leave_no_process_and_no_hang(repo: Repo, watched: None, seed: int) -> None:
    """Step, supervisor or mlpipe itself is killed at a random moment of a step that forks.

    MLPIPE_KILLS: how often, for each seed.
    """
    chance = random.Random(seed)  # noqa: S311
    mark = f"{os.getpid()}.{seed}"
    command = (
        f"for i in $(seq 40); do cat in > out & (setsid sleep {mark} &) ; done; wait; sleep 0.2"
    )
    repo.commit({"mlpipe.yml": f"steps:\n  - name: s\n    run: |\n      {command}\n", "in": "1"})
    program = [sys.executable, "-m", "mlpipe_ci", "run", "-q", "--force"]
    for number in range(int(INHERITED.get("MLPIPE_KILLS", "50"))):
        process = subprocess.Popen(
            program, cwd=repo.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.05, 0.45))
        target = number % 3
        victims = [process.pid] if target == 0 else below(process.pid)[target - 1 : target]
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(30)
        deadline = time.monotonic() + 15
        while is_running(f"sleep {mark}") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_running(f"sleep {mark}"), f"kill {number} of {target} left processes"
    assert ran(repo) == ("s",) or ran(repo) == ()
    assert repo.read("out") == "1"


def below(process: int) -> list[int]:
    """The supervisor and its command, if they run."""
    found: list[int] = []
    while True:
        try:
            text = Path(f"/proc/{process}/task/{process}/children").read_text()
        except OSError:
            return found
        children = [int(word) for word in text.split()]
        if not children:
            return found
        process = children[-1]
        found.append(process)
