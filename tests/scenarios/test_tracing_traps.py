"""What is easily missed: reuse that would be stale, outputs and files of the user in danger."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
GLOB = "from pathlib import Path\nfound = sorted(Path('data').glob('*.csv'))\nimport csv\n"
MANY = "mkdir -p o; for i in $(seq 150); do echo $i$(cat in) > o/f$i.txt; done"


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def plant(repo: Repo, *commands: str, **files: str) -> None:
    """Commit steps that declare nothing, and files (`__` is a dot, `_in_` a slash)."""
    lines = ["steps:"]
    for number, command in enumerate(commands):
        lines += [f"  - name: s{number}", "    run: |"]
        lines += [f"      {line}" for line in command.splitlines()]
    named = {name.replace("_in_", "/").replace("__", "."): text for name, text in files.items()}
    ignored = {".gitignore": "out*\no/\n*.db\nrest/\n"}
    repo.commit({"mlpipe.yml": "\n".join(lines) + "\n", **ignored, **named})


def ran(repo: Repo, **env: str) -> list[str]:
    """Names of the steps whose command ran."""
    done = repo.mlpipe("run", code=0, **env)
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("▶")]


@pytest.mark.parametrize(
    ("command", "path", "text"),
    [
        pytest.param("wc -c data/a.csv > out", "data/a.csv", "more", id="read"),
        pytest.param("ls -l data > out", "data/a.csv", "more than before", id="size"),
        pytest.param(
            "echo x > t; mv -n t data/a.csv; cat data/a.csv > out; rm t",
            "data/a.csv",
            "2",
            id="a move that was refused",
        ),
        pytest.param(
            "rmdir --ignore-fail-on-non-empty data; ls data > out",
            "data/b.csv",
            "2",
            id="a removal that was refused",
        ),
        pytest.param(
            "mkdir -p e; mv -T e data || rmdir e; cat data/a.csv > out",
            "data/a.csv",
            "2",
            id="a directory that was not moved",
        ),
        pytest.param("bin/prep.sh > out", "lib/help.sh", "echo 2", id="beside a bin directory"),
        pytest.param("python look.py > out", "data/b.csv", "2", id="pathlib, then an import"),
        pytest.param("cat rest/.cache/x > out", "rest/.cache/x", "2", id="a cache of others"),
        pytest.param("cat lab-journal > out", "lab-journal", "2", id="no journal of a database"),
        pytest.param(
            "mkdir -p o; cp data/a.csv o/a; cat o/* > out", "o/b", "2", id="beside its own"
        ),
    ],
)
def test_a_change_is_seen(repo: Repo, command: str, path: str, text: str) -> None:
    plant(
        repo,
        command,
        data_in_a__csv="1",
        bin_in_prep__sh="#!/bin/sh\n. lib/help.sh\n",
        lib_in_help__sh="echo 1\n",
        look__py=GLOB + "print(len(found))",
    )
    repo.write({"rest/.cache/x": "1", "lab-journal": "1"})
    (repo.root / "bin/prep.sh").chmod(0o755)
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    before = repo.read("out")
    repo.write({path: text})
    assert ran(repo) == ["s0"]
    assert repo.read("out") != before
    assert ran(repo) == []


@pytest.mark.parametrize(
    "command",
    [
        "python -c \"import os; print(os.environ.get('MODE'))\" > out",
        "printenv MODE > out || echo none > out",
        "make -s",
        "echo $MODE > out",
        "python code.py > out",
    ],
)
def test_a_variable_is_seen(repo: Repo, command: str) -> None:
    code = "import os\nprint(os.getenv('MODE'))\n"
    plant(repo, command, Makefile="all:\n\t@echo $(MODE) > out\n", code__py=code)
    assert ran(repo, MODE="1") == ["s0"]
    assert ran(repo, MODE="1") == []
    assert ran(repo, MODE="2") == ["s0"]


def test_pythonpath_is_seen(repo: Repo) -> None:
    plant(repo, "python -c 'import mod' > out", v1_in_mod__py="print(1)", v2_in_mod__py="print(2)")
    assert ran(repo, PYTHONPATH="v1") == ["s0"]
    assert ran(repo, PYTHONPATH="v1") == []
    assert ran(repo, PYTHONPATH="v2") == ["s0"]
    assert repo.read("out") == "2\n"


def test_a_variable_of_the_file_is_no_news(repo: Repo) -> None:
    step = "steps:\n  - name: s0\n    run: python -c 1\n    inputs: [in]\n    outputs: []\n"
    repo.commit({"mlpipe.yml": f'env: {{PYTHONHASHSEED: "0"}}\n{step}', "in": "1"})
    assert "does not declare" not in repo.mlpipe("run").stdout


def test_what_lies_outside_is_seen(repo: Repo, tmp_path: Path) -> None:
    far = tmp_path / "far"
    (far / "v1").mkdir(parents=True)
    (far / "v2").mkdir()
    (far / "v1/x").write_text("1")
    (far / "v2/x").write_text("2")
    (far / "latest").symlink_to("v1")
    tool = far / "tool"
    tool.write_text("#!/bin/sh\necho 1\n")
    tool.chmod(0o755)
    plant(repo, f"cat {far}/latest/x > out; {tool} >> out")
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    (far / "latest").unlink()
    (far / "latest").symlink_to("v2")
    assert ran(repo) == ["s0"]
    assert repo.read("out") == "21\n"
    tool.write_text("#!/bin/sh\necho 2\n")
    assert ran(repo) == ["s0"]


@pytest.mark.parametrize("first", ["nothing", "data"])
@pytest.mark.parametrize("command", ["readlink link", "readlink link; cat link || true"])
def test_a_link_that_leads_elsewhere_is_seen(repo: Repo, command: str, first: str) -> None:
    plant(repo, f"{{ {command}; }} > out", data_in_a="1", other_in_a="1")
    link = repo.root / "link"
    link.symlink_to(first)
    assert ran(repo) == ["s0"]
    link.unlink()
    link.symlink_to("other" if first == "data" else "nowhere")
    assert ran(repo) == ["s0"]
    assert repo.read("out") == f"{link.readlink()}\n"
    assert ran(repo) == []


def test_what_changes_while_it_runs_is_not_taken_for_seen(repo: Repo) -> None:
    plant(repo, "ls data > out; sleep 0.5")
    repo.write({"data/a": "1"})
    other = subprocess.Popen(
        ["sh", "-c", "while [ ! -s out ]; do sleep 0.02; done; touch data/b"], cwd=repo.root
    )
    ran(repo)
    other.wait()
    assert ran(repo) == ["s0"]


def test_a_declared_pattern_does_not_hide_a_listing(repo: Repo) -> None:
    step = "steps:\n  - name: s0\n    run: ls data > out\n    inputs: [data/*.csv]\n"
    repo.commit({"mlpipe.yml": step + "    outputs: [out]\n", "data/a.csv": "1"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    repo.write({"data/b.json": "{}"})
    assert ran(repo) == ["s0"]


def test_params_that_a_step_reads_itself_all_count(repo: Repo) -> None:
    step = "steps:\n  - name: s0\n    run: 'cat params.yaml > out # ${{ params.lr }}'\n"
    repo.commit({"mlpipe.yml": f"params: params.yaml\n{step}", "params.yaml": "lr: 1\nepochs: 2\n"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []
    repo.write({"params.yaml": "lr: 1\nepochs: 50\n"})
    assert ran(repo) == ["s0"]


def test_what_another_run_left_is_cleared_away(repo: Repo) -> None:
    split = "for i in $(cat in); do echo $i > out_$i; done"
    plant(repo, split, "cat out_* > outs", **{"in": "1 2"})
    ran(repo)
    repo.write({"in": "1 2 3"})
    ran(repo)
    assert repo.read("outs") == "1\n2\n3\n"
    repo.write({"in": "1 2"})
    assert ran(repo) == []
    assert repo.read("outs") == "1\n2\n"
    assert not (repo.root / "out_3").exists()


def test_a_file_edited_by_hand_is_kept_though_its_like_are_packed(repo: Repo) -> None:
    plant(repo, MANY, **{"in": "1"})
    ran(repo)
    repo.write({"o/f7.txt": "precious"})
    assert ran(repo) == []
    assert repo.read("o/f7.txt") == "71\n"
    assert (repo.root / ".git/mlpipe/aside/replaced/s0/o/f7.txt").read_text() == "precious"


def test_a_directory_in_the_place_of_a_file_is_kept(repo: Repo) -> None:
    plant(repo, "cp in out; ln -s in outlink", **{"in": "1"})
    ran(repo)
    for name in ("out", "outlink"):
        (repo.root / name).unlink()
        repo.write({f"{name}/mine": "precious"})
    assert ran(repo) == []
    assert repo.read("out") == "1"
    for name in ("out", "outlink"):
        kept = repo.root / ".git/mlpipe/aside/replaced/s0" / name / "mine"
        assert kept.read_text() == "precious"


HISTORY = """
import sqlite3
with sqlite3.connect('history.db') as db:
    db.execute('create table if not exists t (x)')
    db.execute('insert into t values (?)', (open('in').read(),))
    print(db.execute('select count(*) from t').fetchone()[0])
"""


def test_a_log_goes_on_from_run_to_run_and_a_database_is_made_anew(repo: Repo) -> None:
    plant(repo, "cat in >> outlog; python h.py; cp in out", h__py=HISTORY, **{"in": "1"})
    assert "1\n" in repo.mlpipe("run").stdout
    assert ran(repo) == []
    first = (repo.root / "history.db").read_bytes()
    repo.write({"in": "2"})
    assert "1\n" in repo.mlpipe("run").stdout, "as in a fresh clone: one row"
    assert repo.read("outlog") == "12"
    repo.write({"in": "1"})
    assert ran(repo) == []
    assert (repo.root / "history.db").read_bytes() == first
    assert repo.read("outlog") == "12"


def test_a_log_alone_does_not_keep_a_step_from_reuse(repo: Repo) -> None:
    plant(repo, "cat in >> outlog; cp in out", **{"in": "1"})
    for text, expected in (("1", ["s0"]), ("2", ["s0"]), ("2", []), ("1", [])):
        repo.write({"in": text})
        assert ran(repo) == expected
    assert repo.read("outlog") == "12"
    assert repo.read("out") == "1"


def test_a_file_that_is_added_to_and_removed_is_no_log(repo: Repo) -> None:
    """As the write-ahead log of a database that is closed."""
    plant(repo, "cat in >> outwal; rm outwal; cp in out", **{"in": "1"})
    assert "adds to" not in repo.mlpipe("run").stdout
    assert ran(repo) == []


@pytest.mark.parametrize("look", ["n=$(ls)", "n=no; test -e out.md && n=yes"])
def test_a_declared_output_that_git_tracks_is_no_news_for_its_step(repo: Repo, look: str) -> None:
    """It is set aside before the step runs: in a fresh clone, too, the step finds none."""
    run = f'{look}; cat in >> out.md; echo "$n" >> out.md'
    step = f"  - name: a\n    run: {run}\n    outputs: [out.md]\n"
    repo.commit({"mlpipe.yml": f"steps:\n{step}", "in": "1\n", "out.md": "old\n"})
    assert ran(repo) == ["a"]
    assert ran(repo) == []
    repo.commit(message="Its output")
    assert ran(repo) == []
    repo.write({"more": "1"})
    assert ran(repo) == (["a"] if look == "n=$(ls)" else [])


def test_steps_that_share_a_directory_do_not_move_each_others_files(repo: Repo) -> None:
    first = "  - name: a\n    run: mkdir -p o; cp in o/a\n    inputs: [in]\n    outputs: [o/]\n"
    second = "  - name: b\n    run: cp in o/b\n"
    repo.commit({"mlpipe.yml": f"steps:\n{first}{second}", "in": "1", ".gitignore": "o/\n"})
    ran(repo)
    for _ in range(3):
        assert ran(repo) == []
    assert not list(repo.root.glob(".git/mlpipe/aside/replaced/**/b"))


def test_a_moved_directory_comes_back_whole(repo: Repo) -> None:
    make = "mkdir -p t/empty t/full; cp in t/full/x; ln -s full t/link; mv t out"
    plant(repo, make, **{"in": "1"})
    ran(repo)
    subprocess.run(["rm", "-rf", "out"], cwd=repo.root, check=True)
    assert ran(repo) == []
    assert (repo.root / "out/empty").is_dir()
    assert (repo.root / "out/link/x").read_text() == "1"


def test_a_command_leads_its_process_group(repo: Repo) -> None:
    plant(repo, "trap 'kill -- -$$' EXIT; sleep 60 & cp in out", **{"in": "1"})
    done = repo.mlpipe("run", code=1)
    assert "ended by signal 15" in done.stdout


def test_a_library_of_the_step_does_not_meet_the_tracer(repo: Repo) -> None:
    step = "steps:\n  - name: s0\n    run: cp in out\n    env: {LD_LIBRARY_PATH: lib}\n"
    repo.commit({"mlpipe.yml": step, "in": "1", "lib/libffi.so.8": "no library"})
    assert ran(repo) == ["s0"]
    assert ran(repo) == []


def test_without_any_rights_it_is_the_same(repo: Repo) -> None:
    """No capabilities: what a user has who is not root."""
    plant(repo, "cp in out", **{"in": "1"})
    rights = ["setpriv", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    if os.geteuid():
        rights = []
    program = [*rights, sys.executable, "-m", "mlpipe_ci", "run"]
    for expected in ("1 ran", "1 reused"):
        done = subprocess.run(program, cwd=repo.root, capture_output=True, text=True, check=True)
        assert expected in done.stdout
