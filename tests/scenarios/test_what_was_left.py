"""What a step left comes back as it was: bits, times, links, what it did not declare, its state."""

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
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


def test_what_a_declared_step_writes_besides_comes_back(repo: Repo) -> None:
    plant(
        repo,
        'name: a, run: "cp raw a.txt; mkdir -p out/empty; cp raw out/log", inputs: [raw], '
        "outputs: [a.txt]",
        "name: b, run: cat out/log > b.txt",
        raw="1",
    )
    done = repo.mlpipe("run", code=0)
    assert "writes out/empty, out/log, which it does not declare" in done.stdout
    other = clone(repo)
    assert ran(other) == []
    assert other.read("out/log") == other.read("b.txt") == "1"
    assert (other.root / "out/empty").is_dir()
    other.write({"raw": "2"})
    assert ran(other) == ["a", "b"]
    assert other.read("b.txt") == "2"
    other.write({"raw": "1", "out/log": "mine"})
    assert ran(other) == []
    assert other.read("out/log") == "1"


def test_what_another_content_left_besides_goes(repo: Repo) -> None:
    """The step leaves other names for other contents, and one that both have."""
    plant(
        repo,
        'name: a, run: "cp raw a.txt; mkdir -p out; cp raw out/x; cp raw out/$(cat raw)", '
        "inputs: [raw], outputs: [a.txt]",
        'name: b, run: "ls out > b.txt"',
        raw="1",
    )
    assert ran(repo) == ["a", "b"]
    for text, names in (("2", "2\nx\n"), ("1", "1\nx\n"), ("2", "2\nx\n")):
        repo.write({"raw": text})
        ran(repo)
        assert repo.read("b.txt") == names
        assert sorted(one.name for one in (repo.root / "out").iterdir()) == names.split()


@pytest.mark.parametrize("declared", ["", ", inputs: [raw], outputs: [a.txt]"])
def test_a_step_that_writes_what_git_tracks_is_told_to_declare_it(
    repo: Repo, declared: str
) -> None:
    plant(repo, f'name: a, run: "cp raw a.txt; cp raw table.md"{declared}', raw="1", table__md="0")
    done = repo.mlpipe("run", code=0)
    assert "it writes table.md, which git tracks; declare it: outputs: [table.md]" in done.stdout
    assert "not stored" in done.stdout


def test_what_git_tracks_and_a_step_writes_again_as_it_was_is_no_change(repo: Repo) -> None:
    """The result of that step is not stored; those of who reads the file are."""
    fit = "name: fit, run: cmp -s p fit.json || cp p fit.json"
    show = "name: show, run: cat fit.json > show.txt"
    plant(repo, fit, show, p="1\n", fit__json="1\n")
    assert ran(repo) == ["fit", "show"]
    repo.write({"p": "2\n"})
    assert ran(repo) == ["fit", "show"]
    repo.write({"p": "1\n"})
    third = repo.mlpipe("run", code=0).stdout
    assert "▶ fit  it changes fit.json, which git tracks" in third, "the reason of the last run"
    assert "show  reused" in third
    assert repo.read("show.txt") == "1\n"
    assert ran(repo) == ["fit"]
    assert ran(clone(repo)) == ["fit"]


@pytest.mark.parametrize("declared", ["", ", inputs: [raw], outputs: [out/]"])
@pytest.mark.parametrize("target", ["/var/log/x", "../../elsewhere", "$PWD/raw"])
def test_a_link_to_what_a_clone_does_not_have_is_said_at_once(
    repo: Repo, declared: str, target: str
) -> None:
    plant(
        repo,
        f'name: a, run: "mkdir -p out; cp raw out/m; ln -sfn \\"{target}\\" out/l"{declared}',
        raw="1",
    )
    done = repo.mlpipe("run", code=0)
    assert "the result was not stored: its output out/l is a link to" in done.stdout
    other = clone(repo)
    done = other.mlpipe("run", code=0)
    assert "out/l is a link to" in done.stdout
    assert "damage" not in done.stdout


def test_a_link_inside_of_the_repository_comes_back(repo: Repo) -> None:
    plant(repo, 'name: a, run: "mkdir -p out; cp raw out/m; ln -sfn m out/last"', raw="1")
    assert ran(repo) == ["a"]
    other = clone(repo)
    assert ran(other) == []
    assert (other.root / "out/last").readlink() == Path("m")


def test_a_socket_that_a_step_leaves_is_nothing(repo: Repo) -> None:
    bind = "import socket; socket.socket(socket.AF_UNIX).bind('out/s')"
    plant(
        repo,
        f'name: a, run: "mkdir -p out; rm -f out/s; python -c \\"{bind}\\"; cp raw out/m", '
        "inputs: [raw], outputs: [out/]",
        raw="1",
    )
    assert ran(repo) == ["a"]
    assert ran(repo) == []
    repo.write({"raw": "2"})
    assert ran(repo) == ["a"]
    assert repo.mlpipe("run", code=0).stdout.count("moved to") == 0


SUM = 'name: sum, run: "cat out/*.txt > sum.csv", inputs: [out/*.txt], outputs: [sum.csv]'
OUT = "out/\nsum.csv\n"


def one(name: str, of: str = "", keys: str = ", outputs: [out/{of}.txt]") -> str:
    """A step that writes its name."""
    of = of or name
    text = f'name: {name}, run: "mkdir -p out; echo {name} > out/{of}.txt"{keys}'
    return text.replace("{of}", of)


@pytest.mark.parametrize("keys", [", outputs: [out/{of}.txt]", ""])
def test_what_a_removed_step_left_goes(repo: Repo, keys: str) -> None:
    total = SUM if keys else 'name: sum, run: "cat out/*.txt > sum.csv"'
    plant(repo, one("a", keys=keys), one("b", keys=keys), total, ignored=OUT)
    ran(repo)
    assert repo.read("sum.csv") == "a\nb\n"
    plant(repo, one("a", keys=keys), total, ignored=OUT)
    assert "goes with it: out/b.txt" in repo.mlpipe("run", code=0).stdout
    assert repo.read("sum.csv") == "a\n"
    assert (repo.root / ".git/mlpipe/aside/previous/b/out/b.txt").read_text() == "b\n"
    assert ran(repo) == []


def test_what_a_person_made_of_it_or_git_has_stays(repo: Repo) -> None:
    plant(repo, one("a"), one("b"), one("c"), SUM, ignored=OUT)
    ran(repo)
    repo.git("add", "-f", "out/c.txt")
    repo.write({"out/b.txt": "mine\n"})
    plant(repo, one("a"), SUM, ignored=OUT)
    ran(repo)
    assert repo.read("sum.csv") == "a\nmine\nc\n"


def test_what_another_step_declares_now_stays(repo: Repo) -> None:
    plant(repo, one("a"), one("b"), SUM, ignored=OUT)
    ran(repo)
    plant(repo, one("a"), one("b").replace("name: b", "name: renamed"), SUM, ignored=OUT)
    assert ran(repo) == [], "its result is found by what it does"
    assert repo.read("sum.csv") == "a\nb\n"


def test_an_output_that_was_renamed_leaves_nothing_behind(repo: Repo) -> None:
    for name in ("b", "c"):
        plant(repo, one("a"), one("b", name), 'name: sum, run: "ls out > sum.csv"', ignored=OUT)
        ran(repo)
    assert sorted(p.name for p in (repo.root / "out").iterdir()) == ["a.txt", "c.txt"]
    assert repo.read("sum.csv") == "a.txt\nc.txt\n"


APPEND = "import sqlite3; c = sqlite3.connect('out/t.db'); c.execute('create table t (x)')"


@pytest.mark.parametrize("keys", [", inputs: [raw]", ", outputs: [m.csv]", ""])
def test_a_step_starts_without_what_its_last_result_left(repo: Repo, keys: str) -> None:
    """It would fail on the table that it has made, had it declared that or not."""
    for number, more in enumerate(("", keys)):
        command = f"cat raw > m.csv; mkdir -p out; python t.py {number}"
        plant(
            repo, f'name: a, run: "{command}"{more}', ignored="out/\n*.csv\n", raw="1", t__py=APPEND
        )
        assert ran(repo) == ["a"]


def test_what_a_failed_attempt_left_is_there_for_the_next_which_is_not_stored(repo: Repo) -> None:
    train = "cat ckpt.txt || true; echo 1 > ckpt.txt; test -e go; cat go ckpt.txt > m.txt"
    plant(repo, f'name: a, run: "{train}"')
    repo.mlpipe("run", code=1)
    assert repo.read("ckpt.txt") == "1\n"
    (repo.root / "go").write_text("")
    done = repo.mlpipe("run", code=0)
    assert "the result was not stored: it was made from ckpt.txt, which an attempt" in done.stdout
    assert ran(repo) == ["a"], "from scratch"
    assert ran(repo) == []


def test_what_a_failed_attempt_left_goes_once_the_step_succeeds_without_it(repo: Repo) -> None:
    train = "cat raw > m.txt; test ! -e bad || { echo half > part.txt; exit 1; }"
    plant(repo, f'name: a, run: "{train}"', raw="1")
    repo.write({"bad": ""})
    repo.mlpipe("run", code=1)
    assert repo.read("part.txt") == "half\n"
    (repo.root / "bad").unlink()
    assert "so moved to" in repo.mlpipe("run", code=0).stdout
    assert not (repo.root / "part.txt").exists()
    assert ran(repo) == []


def test_files_that_are_only_added_stay_and_the_key_that_keeps_them_is_named(repo: Repo) -> None:
    model = "mkdir -p models; cp raw models/m_$(date +%s%N)"
    plant(repo, f'name: a, run: "{model}"', ignored="models\n", raw="1")
    for number in range(1, 4):
        repo.write({"raw": str(number)})
        done = repo.mlpipe("run", code=0)
        assert len(list((repo.root / "models").iterdir())) == number
        assert ("add to the step: state: [models/]" in done.stdout) == (number > 1)
    repo.write({"raw": "1"})
    assert ran(repo) == []
    assert len(list((repo.root / "models").iterdir())) == 3


RUNS = "mkdir -p mlruns/0; test -e mlruns/0/meta || echo 0 > mlruns/0/meta; "
RUNS += "cp raw mlruns/0/$(date +%s%N); cp raw m.csv"


def made(repo: Repo, folder: str) -> set[str]:
    """Paths of all files in a directory."""
    return {str(p.relative_to(repo.root)) for p in (repo.root / folder).rglob("*") if p.is_file()}


@pytest.mark.parametrize("keys", ["", ", inputs: [raw], outputs: [m.csv]"])
def test_the_memory_of_a_known_tool_stays_whatever_runs(repo: Repo, keys: str) -> None:
    """As MLflow's file store: what is there is read first, then added to."""
    plant(repo, f'name: a, run: "{RUNS}"{keys}', ignored="mlruns\n*.csv\n", raw="1")
    done = repo.mlpipe("run", code=0)
    assert "it keeps state, which stays from run to run" in done.stdout
    before = made(repo, "mlruns")
    for text in "2", "3":
        repo.write({"raw": text})
        assert ran(repo) == ["a"]
        assert before < made(repo, "mlruns")
        before = made(repo, "mlruns")
    plant(repo, "name: b, run: echo 1 > b.csv", ignored="mlruns\n*.csv\n")
    ran(repo)
    assert made(repo, "mlruns") == before, "a step that is gone takes nothing of it along"
    assert not (repo.root / "m.csv").exists()
    assert not (repo.root / ".git/mlpipe/aside/previous/a/mlruns").exists()


def test_a_log_of_a_later_step_is_out_of_sight(repo: Repo) -> None:
    listing = "name: a, run: 'ls > a.txt; cat raw >> a.txt'"
    adding = "name: b, run: 'echo 1 >> train.log; cp raw b.txt'"
    plant(repo, listing, adding, ignored="*.txt\n*.log\n", raw="1")
    for raw in "1234":
        repo.write({"raw": f"{raw}\n"})
        assert ran(repo) == ["a", "b"]
        assert repo.read("a.txt") == f"a.txt\nmlpipe.yml\nraw\n{raw}\n"
    assert ran(repo) == []
    assert repo.read("train.log") == "1\n" * 4


def test_a_log_outside_that_a_poisoned_result_names_stays_in_sight(repo: Repo) -> None:
    look = "name: a, run: 'test -e ../mine && echo there > a.txt; cat raw >> a.txt'"
    adding = "name: b, run: 'echo 1 >> train.log; cp raw b.txt'"
    (repo.root.parent / "mine").write_text("1")
    plant(repo, look, adding, ignored="*.txt\n*.log\n", raw="1\n")
    assert ran(repo) == ["a", "b"]
    with closing(sqlite3.connect(repo.root / ".git/mlpipe/state.db")) as known, known:
        change = "UPDATE steps SET traced = replace(traced, 'train.log', '../mine')"
        assert known.execute(change).rowcount
    repo.write({"raw": "2\n"})
    ran(repo)
    assert repo.read("a.txt") == "there\n2\n"
    assert (repo.root.parent / "mine").read_text() == "1"


COUNT = "import sqlite3; c = sqlite3.connect('study.db'); c.execute('create table if not exists t "
COUNT += "(x)'); c.execute('insert into t values (1)'); c.commit(); "
COUNT += "print(c.execute('select count(*) from t').fetchone()[0])"


@pytest.mark.parametrize("top", [True, False])
def test_declared_state_goes_on_from_run_to_run(repo: Repo, *, top: bool) -> None:
    step = "name: a, run: cat raw > m.csv; python c.py >> m.csv, inputs: [raw], outputs: [m.csv]"
    plant(repo, step + ("" if top else ", state: [study.db]"), ignored="*.csv\n*.db\n", c__py=COUNT)
    if top:
        repo.write({"mlpipe.yml": "state: [study.db]\n" + repo.read("mlpipe.yml")})
    for number, text in enumerate("abc", 1):
        repo.write({"raw": f"{text}\n"})
        assert ran(repo) == ["a"]
        assert repo.read("m.csv") == f"{text}\n{number}\n"


def test_what_was_an_output_until_it_was_declared_to_be_state_stays(repo: Repo) -> None:
    model = "mkdir -p models; cp raw models/m_$(cat raw); cp raw a.txt"
    plant(repo, f'name: a, run: "{model}"', ignored="models\n*.txt\n", raw="1")
    assert ran(repo) == ["a"]
    plant(repo, f'name: a, run: "{model}", state: [models/]', ignored="models\n*.txt\n", raw="1")
    for text in "2", "1", "2":
        repo.write({"raw": text})
        ran(repo)
    assert made(repo, "models") == {"models/m_1", "models/m_2"}
    (repo.root / "models/m_1").unlink()
    repo.write({"raw": "1"})
    ran(repo)
    assert made(repo, "models") == {"models/m_2"}, "state is not restored"


def test_contents_that_no_one_may_write_stay_where_their_tool_keeps_them(repo: Repo) -> None:
    """As DVC's cache: read-only files by their hash."""
    add = "mkdir -p .dvc/cache/ab; cp -f raw .dvc/cache/ab/$(cat raw); "
    add += "chmod 444 .dvc/cache/ab/*; cp raw a.txt"
    plant(repo, f'name: a, run: "{add}"', ignored=".dvc/cache\n*.txt\n", raw="1")
    for text in "1", "2", "3":
        repo.write({"raw": text})
        ran(repo)
    assert made(repo, ".dvc/cache") == {f".dvc/cache/ab/{n}" for n in "123"}


MEMORY = """
from joblib import Memory
@Memory('memory', verbose=0).cache
def slow(x):
    print('computed', x)
    return x + 1
slow(int(open('raw').read()))
slow(0)
"""


def test_the_results_of_joblib_stay_for_the_next_run(repo: Repo) -> None:
    plant(repo, "name: a, run: python memo.py > a.txt", ignored="memory\n*.txt\n", memo__py=MEMORY)
    said = {"1": "computed 1\ncomputed 0\n", "2": "computed 2\n", "3": "computed 3\n"}
    for text, computed in said.items():
        repo.write({"raw": text})
        assert ran(repo) == ["a"]
        assert repo.read("a.txt") == computed


@pytest.mark.parametrize("declared", [False, True])
def test_the_results_of_joblib_go_when_the_code_changes_that_a_function_calls(
    repo: Repo, *, declared: bool
) -> None:
    """But where the step names them as its state."""
    called = MEMORY.replace("from joblib", "from part import SAY\nfrom joblib")
    called = called.replace("'computed'", "SAY").replace('"computed"', "SAY")
    assert "SAY," in called
    step = "name: a, run: python memo.py > a.txt" + (", state: [memory/]" if declared else "")
    plant(repo, step, ignored="memory\n*.txt\n__pycache__\n", memo__py=called, raw="1")
    repo.commit({"part.py": "SAY = 'computed'\n"})
    assert ran(repo) == ["a"]
    repo.write({"raw": "2"})
    assert ran(repo) == ["a"]
    assert repo.read("a.txt") == "computed 2\n", "the other one is kept"
    repo.write({"part.py": "SAY = 'made'\n"})
    assert ran(repo) == ["a"]
    assert repo.read("a.txt") == ("" if declared else "made 2\nmade 0\n")
    assert ran(repo) == []


ADD = """
import os
with open('t.txt', 'r+' if os.path.exists('t.txt') else 'w') as file:
    file.seek(0, 2)
    file.write(open('raw').read())
"""


def test_a_step_does_not_find_what_a_later_one_made_of_its_file(repo: Repo) -> None:
    """Each adds its word to one file, which both have left then."""
    steps = ("name: a, run: python add.py", "name: b, run: cat t.txt raw > c; mv c t.txt")
    plant(repo, *steps, raw="1", add__py=ADD)
    ran(repo)
    assert repo.read("t.txt") == "11"
    repo.write({"raw": "2"})
    ran(repo)
    assert repo.read("t.txt") == "22"


def test_a_file_of_the_user_that_a_step_changes_in_place_is_never_moved(repo: Repo) -> None:
    plant(repo, "name: a, run: python add.py; cp raw m.txt", raw="1", add__py=ADD)
    repo.write({"t.txt": "mine"})
    for number, text in enumerate(("1", "2"), 1):
        repo.write({"raw": text})
        done = repo.mlpipe("run", code=0)
        assert "it changes t.txt, which it also reads" in done.stdout
        assert repo.read("t.txt") == "mine12"[: 4 + number]
    plant(repo, "name: b, run: cp raw m.txt")
    ran(repo)
    assert repo.read("t.txt") == "mine12"
