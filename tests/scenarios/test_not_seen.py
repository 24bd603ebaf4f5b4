"""What docs/tracing.md says is not seen: each line of its list, shown. A change here is no fault.

Who makes one of these seen deletes its test, and its line.
"""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.test_what_a_step_sees import plant, ran
from tests.support.repository import ROOT, Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
SITE = "site-packages"


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def home(name: str, text: str) -> None:
    path = Path(os.environ["HOME"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def installed(repo: Repo, name: str, code: str) -> None:
    """A distribution in a directory of packages of the repository, as pip installs it."""
    site, info = repo.root / SITE, repo.root / SITE / f"{name}-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "RECORD").write_text(f"{name}.py,sha256=x,1\n{name}-1.dist-info/RECORD,,\n")


def commit(repo: Repo) -> None:
    repo.commit({"other.txt": "1"})


def edited_in_place(repo: Repo) -> None:
    (repo.root / SITE / "tiny.py").write_text("V = 'edited in place'\n")


def looked_for_by_another(repo: Repo) -> None:
    installed(repo, "optional", "V = 2\n")


def with_other_times(repo: Repo) -> None:
    os.utime(repo.root / "in", (1_000_000_000, 1_000_000_000))
    (repo.root / "in").chmod(0o600)


NOT_SEEN: dict[str, tuple[str, Callable[[Repo], object]]] = {
    "the clock, random numbers": ("date +%N > a.out", lambda _: None),
    "the load of the machine": ("cat /proc/loadavg /proc/uptime > a.out", lambda _: None),
    "git's own state": ("git rev-parse HEAD > a.out", commit),
    "a name that is put together at run time": (
        'python -c \'import os; print(os.environ.get("SO" + "ME"))\' > a.out',
        lambda _: os.environ.update(SOME="other"),
    ),
    "a tool's cache in the home directory": (
        "cat ~/.cache/matplotlib/fonts > a.out",
        lambda _: home(".cache/matplotlib/fonts", "other"),
    ),
    "a credential file": ("cat ~/.netrc > a.out", lambda _: home(".netrc", "other")),
    "times and permissions of a file": ("stat -c '%Y %a' in > a.out", with_other_times),
    "a file of a package that is edited in its place": (
        "PYTHONPATH=site-packages python -c 'import tiny; print(tiny.V)' > a.out",
        edited_in_place,
    ),
    "an optional package that another one looks for": (
        "PYTHONPATH=site-packages python -c 'import tiny; print(tiny.optional())' > a.out",
        looked_for_by_another,
    ),
    "which packages there are, for who lists them himself": (
        "ls site-packages > a.out",
        looked_for_by_another,
    ),
}
TINY = """
V = 1
def optional():
    try:
        import optional
    except ImportError:
        return None
    return optional.V
"""


@pytest.mark.parametrize(("command", "change"), NOT_SEEN.values(), ids=list(NOT_SEEN))
def test_it_is_reused_all_the_same(
    repo: Repo, command: str, change: Callable[[Repo], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME", "value")
    repo.write({".git/info/exclude": f"{SITE}\n"})
    plant(repo, command, **{"in": "1"})
    installed(repo, "tiny", TINY)
    home(".cache/matplotlib/fonts", "1")
    home(".netrc", "1")
    assert ran(repo) == ["s0"]
    change(repo)
    assert ran(repo) == []


def test_a_file_of_the_system_is_no_input(repo: Repo) -> None:
    plant(repo, "cat /etc/os-release > a.out")
    ran(repo)
    seen = [one for one in repo.mlpipe("explain", "s0").stdout.splitlines() if "  seen " in one]
    assert seen
    assert not any("os-release" in line for line in seen)


def test_where_the_repository_lies(repo: Repo, tmp_path: Path) -> None:
    plant(repo, "pwd > a.out")
    ran(repo)
    repo.git("clone", "-q", ".", str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone")
    assert ran(clone) == []
    assert clone.read("a.out") == f"{repo.root}\n"


def test_what_a_filter_of_git_takes_away(repo: Repo) -> None:
    repo.git("config", "filter.f.clean", "sed /^out/d")
    repo.git("config", "filter.f.smudge", "cat")
    plant(repo, "cat book > a.out", __gitattributes="book filter=f\n", book="source\n")
    assert ran(repo) == ["s0"]
    repo.write({"book": "source\nout 1\n"})
    assert ran(repo) == []
    assert repo.read("a.out") == "source\n"


REMEMBER = """
import sqlite3, sys
c = sqlite3.connect("mlflow.db")
c.execute("create table if not exists t(x)")
c.execute("insert into t values(?)", (sys.argv[1],))
c.commit()
print(*(row[0] for row in c.execute("select x from t where x != 'two'")))
"""


def test_what_a_step_finds_in_its_own_state(repo: Repo) -> None:
    repo.write({".git/info/exclude": "*.db\n"})
    first, second = "python add.py $(cat in) > a.out", "python add.py two > b.out"
    plant(repo, first, second, add__py=REMEMBER, **{"in": "1"})
    assert ran(repo) == ["s0", "s1"]
    repo.write({"in": "7"})
    assert ran(repo) == ["s0"]
    assert (repo.read("a.out"), repo.read("b.out")) == ("1 7\n", "1\n")


def test_byte_code_that_python_takes_for_current(repo: Repo) -> None:
    plant(repo, "python -c 'import mod; print(mod.V)' > a.out", mod__py="V = 1\n")
    moment = (1_700_000_000, 1_700_000_000)
    os.utime(repo.root / "mod.py", moment)
    repo.write({".git/info/exclude": "__pycache__\n"})
    assert ran(repo) == ["s0"]
    time.sleep(1.1)  # git knows a file by whole seconds
    repo.write({"mod.py": "V = 2\n"})
    os.utime(repo.root / "mod.py", moment)
    assert ran(repo) == ["s0"], "the source has changed"
    assert repo.read("a.out") == "1\n", "and Python has not looked at it"


def test_the_document_has_a_line_for_each() -> None:
    text = (ROOT / "docs/tracing.md").read_text("utf-8")
    lines = re.findall(r"^\* (.*)$", text.partition("## What is not seen")[2], re.MULTILINE)
    lines = lines[: text.partition("## What is not seen")[2].partition("## ")[0].count("\n* ")]
    assert len(lines) == 12
