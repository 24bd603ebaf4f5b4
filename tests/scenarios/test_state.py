"""State that one step keeps and another one reads: an input of the reader, in its place or not."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.scenarios.test_what_was_left import clone, plant, ran
from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
LOGS = """import os, sys
runs = os.listdir("mlruns") if os.path.isdir("mlruns") else []
os.makedirs(f"mlruns/{sys.argv[1]}-{len(runs)}")
with open(f"mlruns/{sys.argv[1]}-{len(runs)}/auc", "w") as file:
    file.write(open(sys.argv[2]).read())
"""
BEST = """import glob
print(max(int(open(path).read()) for path in glob.glob("mlruns/*/auc")))
"""
TRAIN = "name: train, run: python log.py train raw; cp raw model.txt"
JUDGE = "name: judge, run: python log.py judge limit; cp limit judged.txt"
READ = "name: best, run: python best.py > best.txt"
IGNORED = "mlruns\n*.txt\n*.db\n"
FILES = {"log__py": LOGS, "best__py": BEST, "raw": "1", "limit": "5"}


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_who_reads_the_state_of_another_step_settles_and_follows_it(repo: Repo) -> None:
    plant(repo, TRAIN, READ, ignored=IGNORED, **FILES)
    assert ran(repo) == ["train", "best"]
    assert ran(repo) == []
    repo.write({"raw": "7"})
    assert ran(repo) == ["train", "best"]
    assert repo.read("best.txt") == "7\n"
    assert ran(repo) == []


def test_what_the_state_was_made_by_runs_again_where_it_is_not_in_place(repo: Repo) -> None:
    plant(repo, TRAIN, READ, ignored=IGNORED, **FILES)
    ran(repo)
    other = clone(repo)
    done = other.mlpipe("run", code=0)
    assert "▶ train  'best' reads its state mlruns, which is not as it left it" in done.stdout
    assert other.read("best.txt") == "1\n"
    assert ran(other) == []
    shutil.rmtree(other.root / "mlruns/train-0")
    assert ran(other) == ["train"], "the same run again makes the same state: the reader fits"
    (other.root / "mlruns/train-0/auc").write_text("9")
    assert ran(other) == ["train", "best"]


def test_an_earlier_result_brings_its_state_by_a_new_run(repo: Repo) -> None:
    plant(repo, TRAIN, READ, ignored=IGNORED, **FILES)
    for raw in "1", "7", "1":
        repo.write({"raw": raw})
        assert ran(repo) == ["train", "best"]
    assert repo.read("best.txt") == "7\n", "state is history: nothing of it goes"
    assert ran(repo) == []


def test_who_only_adds_to_the_same_state_reads_nothing_of_it(repo: Repo) -> None:
    plant(repo, TRAIN, JUDGE, ignored=IGNORED, **FILES)
    assert ran(repo) == ["train", "judge"]
    assert ran(repo) == []
    assert ran(clone(repo)) == []
    repo.write({"raw": "7"})
    assert ran(repo) == ["train"]
    assert ran(repo) == []


def test_who_adds_to_state_and_reads_it_follows_it(repo: Repo) -> None:
    both = "name: judge, run: python best.py > judged.txt; python log.py judge limit"
    plant(repo, TRAIN, both, ignored=IGNORED, **FILES)
    assert ran(repo) == ["train", "judge"]
    assert ran(repo) == [], "its own runs are no news"
    repo.write({"raw": "3"})
    assert ran(repo) == ["train", "judge"]
    assert ran(repo) == []


def test_a_later_step_may_go_on_with_a_database_that_is_state(repo: Repo) -> None:
    text = "import sqlite3, sys; c = sqlite3.connect('mlflow.db'); c.execute('create table if not "
    text += "exists t (x)'); c.execute('insert into t values (?)', sys.argv[1:]); c.commit()"
    read = "import sqlite3; c = sqlite3.connect('file:mlflow.db?mode=ro', uri=True); "
    read += "print(c.execute('select group_concat(x) from t').fetchone()[0])"
    steps = [f"name: {name}, run: 'python add.py {name}; cp raw {name}.txt'" for name in ("a", "b")]
    last = "name: c, run: python read.py > c.txt"
    plant(repo, *steps, last, ignored=IGNORED, add__py=text, read__py=read, raw="1")
    assert ran(repo) == ["a", "b", "c"]
    assert ran(repo) == []
    assert repo.read("c.txt") == "a,b\n"
    other = clone(repo)
    assert ran(other) == ["a", "b"], "they leave the same bytes"
    assert other.read("c.txt") == "a,b\n"


def test_declared_state_of_a_step_is_an_input_of_another(repo: Repo) -> None:
    kept = f"{TRAIN}, inputs: [raw, log.py], outputs: [model.txt]"
    reader = f"{READ}, inputs: [model.txt, best.py], outputs: [best.txt]"
    plant(repo, kept, reader, ignored=IGNORED, **FILES)
    ran(repo)
    assert ran(repo) == []
    repo.write({"raw": "7"})
    plan = repo.mlpipe("plan", code=0).stdout
    assert "reads what train writes" in plan or "reads the state of train" in plan
    assert ran(repo) == ["train", "best"]


def test_explain_names_the_state_of_another_step(repo: Repo) -> None:
    plant(repo, TRAIN, READ, ignored=IGNORED, **FILES)
    ran(repo)
    lines = repo.mlpipe("explain", "best", code=0).stdout
    assert "mlruns/train-0/auc  the state of another step: content blake3:" in lines
    assert "mlruns  its own state, which stays as it is" in repo.mlpipe("explain", "train").stdout
    repo.write({"mlruns/train-0/auc": "8"})
    again = repo.mlpipe("run", code=0).stdout
    assert "mlruns/train-0/auc changed (another step's state)" in again


def test_an_audit_leaves_a_reader_of_state_out_and_a_proof_lists_it(repo: Repo) -> None:
    plant(repo, TRAIN, READ, ignored=IGNORED, **FILES)
    ran(repo)
    audited = repo.mlpipe("audit", code=0).stdout
    assert "✔ train identical" in " ".join(audited.split())
    assert "it reads mlruns/, the state of another step" in audited
    proof = repo.mlpipe("verify", code=0).stdout
    assert "(the state of another step)" in proof
