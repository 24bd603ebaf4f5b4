"""Environment variables: which of them a step is given, and which make it run again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import Repo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
SETTINGS = """
import os
class Settings:
    lr: float = 0
print([os.environ.get(name.upper()) for name in Settings.__annotations__])
"""
INTERPOLATION = """
import os, re
print(os.environ.get(re.search("env:(.*)}", open("interpolation.cfg").read())[1]))
"""
READERS = {
    "condition": (
        "python condition.py",
        'import os\nprint(os.environ["LR"] if "LR" in os.environ else "none")\n',
    ),
    "alias": ("python alias.py", "import os\ne = os.environ\nprint(e.get('LR'))\n"),
    "constant": ("python constant.py", 'import os\nK = "LR"\nprint(os.environ.get(K))\n'),
    "settings": ("python settings.py", SETTINGS),
    "large": ("python large.py", f'import os\n{"#" * (5 << 18)}\nprint(os.environ.get("LR"))\n'),
    "printenv": ("printenv LR || echo none", ""),
    "awk": ("awk 'BEGIN {print ENVIRON[\"LR\"]}'", ""),
    "perl": ("perl perl.txt", 'print $ENV{LR} // "none";\n'),
    "interpolation": ("python interpolation.py", INTERPOLATION),
}
FILES = {"interpolation.cfg": "lr: ${oc.env:LR}\n", ".gitignore": "out/\n__pycache__/\n"}


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def steps(commands: dict[str, str], head: str = "") -> str:
    """A workflow file: each step prints to a file of its own."""
    lines = [head, "steps:"]
    for name, command in commands.items():
        text = json.dumps(f"mkdir -p out; ({command}) > out/{name}")
        lines.append(f"  - {{name: {name}, run: {text}}}")
    return "\n".join(lines) + "\n"


def ran(repo: Repo, **env: str) -> set[str]:
    """Names of the steps whose command ran."""
    done = json.loads(repo.mlpipe("run", "--json", code=0, **env).stdout)
    return {one["id"] for one in done["steps"] if one["status"] != "reused"}


def reasons(repo: Repo, **env: str) -> str:
    return repo.mlpipe("plan", code=0, **env).stdout


def test_a_variable_counts_however_it_is_read(repo: Repo) -> None:
    files = {
        f"{name}.{'txt' if name == 'perl' else 'py'}": text
        for name, (_, text) in READERS.items()
        if text
    }
    commands = {name: command for name, (command, _) in READERS.items()}
    commands["other"] = "echo nothing"
    repo.commit({"mlpipe.yml": steps(commands), **files, **FILES})
    assert ran(repo) == {*READERS, "other"}
    assert ran(repo, UNRELATED="1") == set()
    assert "$LR is set now" in reasons(repo, LR="1")
    assert ran(repo, LR="1") == set(READERS)
    assert ran(repo, LR="1") == set()
    assert ran(repo, LR="2") == set(READERS)
    assert ran(repo) == set()


def test_what_programs_read_by_themselves_counts(repo: Repo) -> None:
    commands = {"shell": "date -d @0 +%H", "python": "python code.py"}
    repo.commit({"mlpipe.yml": steps(commands), "code.py": "print(1)\n", **FILES})
    assert ran(repo) == {"shell", "python"}
    assert repo.read("out/shell") == "00\n"
    assert ran(repo, TZ="XXX-9") == {"shell", "python"}
    assert repo.read("out/shell") == "09\n"
    assert ran(repo, PYTHONOPTIMIZE="1") == {"python"}
    assert ran(repo, OMP_NUM_THREADS="1") == {"python"}
    assert ran(repo, MPLBACKEND="agg") == {"python"}
    assert ran(repo, PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1") == set()


def test_where_a_command_runs_counts_only_in_its_own_text(repo: Repo) -> None:
    code = "import os\nprint('CI' in os.environ, os.environ.get('HOME', '') and 1)\n"
    commands = {"script": "python code.py --user ci", "command": "echo ${CI:-none}"}
    repo.commit({"mlpipe.yml": steps(commands), "code.py": code, **FILES})
    assert ran(repo) == {"script", "command"}
    assert ran(repo, CI="true", HOME="/nowhere", TERM="dumb", SHLVL="7") == {"command"}


def test_a_setting_is_not_taken_for_a_credential(repo: Repo) -> None:
    commands = {"setting": "echo $MAX_TOKEN_LENGTH", "credential": "echo ${HUB_TOKEN:+yes}"}
    repo.commit({"mlpipe.yml": steps(commands), **FILES})
    assert ran(repo, HUB_TOKEN="1") == {"setting", "credential"}
    assert ran(repo, HUB_TOKEN="2", MAX_TOKEN_LENGTH="5") == {"setting"}
    for path in Path(os.environ["MLPIPE_CACHE_DIR"]).rglob("*.json"):
        assert "HUB_TOKEN" not in path.read_text().replace("${HUB_TOKEN", "")


def test_a_secret_never_counts_whatever_it_is_called(repo: Repo) -> None:
    """Also not for a step that is not given it, and only has its name in a text."""
    commands = {"uses": "echo ${#LOGIN}", "names": "echo deploy: ${DEPLOY-none}"}
    text = steps(commands).replace("uses, run", 'uses, env: {LOGIN: "${{ secrets.DEPLOY }}"}, run')
    repo.commit({"mlpipe.yml": text, **FILES})
    assert ran(repo, DEPLOY="first") == {"uses", "names"}
    assert repo.read("out/uses") == "5\n"
    assert repo.read("out/names") == "deploy: none\n"
    assert ran(repo, DEPLOY="another") == set()


def test_a_name_that_comes_counts_in_what_is_declared_too(repo: Repo) -> None:
    step = "steps: [{name: s, run: python code.py > out, inputs: [code.py], outputs: [out]}]\n"
    repo.commit({"mlpipe.yml": step, "code.py": "import os\nprint(os.environ.get('LR'))\n"})
    assert ran(repo) == {"s"}
    assert ran(repo, OTHER="1") == set()
    assert ran(repo, LR="1") == {"s"}
    assert repo.read("out") == "1\n"


def test_a_step_is_given_the_same_everywhere(repo: Repo) -> None:
    names = ("TZ", "LANG", "LC_ALL", "PYTHONHASHSEED", "PWD")
    shown = "; ".join(f"echo ${{{name}-none}}" for name in names)
    text = steps({"s": shown, "own": shown}).replace("own, run", "own, env: {LC_ALL: C}, run")
    repo.commit({"mlpipe.yml": text, "sub/x": "", **FILES})
    ran(repo, LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8", PWD=str(repo.root / "sub"))
    given = ["UTC", "C.UTF-8", "none", "0", str(repo.root)]
    assert repo.read("out/s").splitlines() == given
    assert repo.read("out/own").splitlines() == [*given[:2], "C", *given[3:]]
    assert ran(repo, LANG="fr_FR.UTF-8") == set()
    assert ran(repo, PYTHONHASHSEED="7") == {"s", "own"}


@pytest.mark.parametrize("tracer", ["auto", "strace", "off"])
def test_there_is_no_terminal_to_ask_on(repo: Repo, tracer: str) -> None:
    commands = {"tty": "read x < /dev/tty || echo none", "input": "cat"}
    repo.commit({"mlpipe.yml": steps(commands), **FILES})
    # mlpipe itself has one, as where a person starts it.
    inner = [sys.executable, "-m", "mlpipe_ci", "run"]
    code = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    subprocess.run(
        [sys.executable, "-c", code, *inner],
        cwd=repo.root,
        env=os.environ | {"MLPIPE_TRACER": tracer},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    assert repo.read("out/tty") == "none\n"


def test_a_strict_environment_passes_what_the_file_names(repo: Repo) -> None:
    commands = {"s": "echo ${LR-none} ${MODE-none} ${HOME:+home}"}
    head = "environment: strict\nenv: {MODE: fast}"
    repo.commit({"mlpipe.yml": steps(commands, head), **FILES})
    home = str(repo.root)
    assert ran(repo, LR="1", HOME=home) == {"s"}
    assert repo.read("out/s") == "none fast home\n"
    assert ran(repo, LR="2", HOME=home) == set()
    open_ = steps(commands, head).replace("name: s", "name: s, environment: inherit")
    repo.commit({"mlpipe.yml": open_})
    assert ran(repo, LR="2", HOME=home) == {"s"}
    assert repo.read("out/s") == "2 fast home\n"
    repo.commit({"mlpipe.yml": steps(commands, head)})
    assert ran(repo, LR="2", HOME=home) == set()
    assert repo.read("out/s") == "none fast home\n"
