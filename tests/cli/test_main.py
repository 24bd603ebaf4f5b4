"""The command line: exit codes, messages, help."""

import os
import signal
import subprocess
import sys
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from mlpipe_ci import __version__
from mlpipe_ci.cli.commands import COMMANDS
from mlpipe_ci.cli.main import main
from mlpipe_ci.cli.parser import load, parser, read_options
from tests.support.repository import ROOT, Repo


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mlpipe {__version__}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", [RuntimeError, OSError])
def test_a_signal_that_became_another_exception_ends_a_command_as_interrupted(
    number: signal.Signals,
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As Python itself does where a class is made, or `shutil.rmtree` in its `finally`."""

    def interrupted(_name: str) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt as error:
            raise kind("not what happened") from error

    before = {one: signal.getsignal(one) for one in signal.valid_signals()}
    monkeypatch.setattr("mlpipe_ci.cli.main.load", interrupted)
    try:
        assert main(["plan"]) == 130
    finally:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, before[one])
    assert capsys.readouterr().err == "mlpipe: interrupted\n"


def arguments_of(command: str) -> set[str]:
    """What the values of a command's arguments are called."""
    found = next(action.choices for action in parser(command)._actions if action.choices)
    return {action.dest for action in dict(found)[command]._actions} - {"help"}


def names_of(kind: Any) -> set[str]:
    """The fields of a dataclass, and those of dataclasses in it."""
    found: set[str] = set()
    for field in fields(kind):
        found |= names_of(field.type) if is_dataclass(field.type) else {field.name}
    return found


def test_every_file_of_a_command_is_in_the_table() -> None:
    files = {path.stem for path in (ROOT / "mlpipe_ci/cli/commands").glob("*.py")}
    assert files - {"__init__", "cache_remote"} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_a_main_and_a_field_for_each_argument(command: str) -> None:
    module = load(command)
    assert module.EXAMPLE.startswith(f"mlpipe {command}")
    assert callable(module.main)
    assert arguments_of(command) <= names_of(module.Options)
    own = {one.name for one in fields(module.Options) if not is_dataclass(one.type)}
    assert own <= arguments_of(command), "no field that nothing fills"
    assert len(fields(module.Options)) <= 13


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_is_not_given_has_its_default(command: str) -> None:
    needed = {"explain": ["a"], "show": ["a"], "cache": ["status"]}.get(command, [])
    given = vars(parser(command).parse_args([command, *needed]))
    left = {name: value for name, value in given.items() if value != needed}
    assert read_options(load(command).Options, left) == load(command).Options()


def test_options_are_read_into_the_values_that_they_belong_to() -> None:
    words = ["run", "a", "b", "--set", "x=1", "--set", "y=2", "--force", "--repo", "u", "-j", "2"]
    options = read_options(load("run").Options, vars(parser("run").parse_args(words)))
    assert options.session.targets == ("a", "b")
    assert options.session.settings == ("x=1", "y=2")
    assert options.session.force == ("",)
    assert options.session.checkout.repo == "u"
    assert options.pace.jobs == "2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["run", "--fast"], "unrecognized arguments: --fast"),
        (["run", "-C", "/nowhere/at/all"], "/nowhere/at/all: there is no such directory"),
        (["validate", "-C", "/nowhere/at/all"], "/nowhere/at/all: there is no such directory"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_no_workflow_file_says_what_to_write(repo: Repo) -> None:
    for command in ("run", "plan", "validate"):
        done = repo.mlpipe(command, code=2)
        assert "mlpipe.yml: there is no such file. Write one" in done.stderr


def test_a_missing_git_and_a_missing_place_for_the_cache_are_told(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, run: env}]"})
    for command in ("plan", "validate", "graph"):
        done = repo.mlpipe(command, PATH="/nowhere")
    done = repo.mlpipe("plan", PATH="/nowhere")
    assert "warning: git is not installed, or not on PATH; install it" in done.stderr
    done = repo.mlpipe("plan", code=2, MLPIPE_CACHE_DIR="~nobody-of-this-name/x")
    assert "set MLPIPE_CACHE_DIR to a directory" in done.stderr
    assert "GIT_PYTHON_REFRESH" not in repo.mlpipe("run").stdout, "no step inherits it"


def test_validate(repo: Repo) -> None:
    repo.write({"good.yml": "steps: [{name: a, run: b}]", "bad.yml": "steps: []", "tab.yml": "\t"})
    done = repo.mlpipe("validate", "good.yml", "bad.yml", "tab.yml", code=2)
    assert done.stdout == "good.yml: 1 step(s), no fault\n"
    faults = [line.split(": ")[0] for line in done.stderr.splitlines() if " | " not in line]
    assert faults == ["bad.yml:1:8", "tab.yml:1:1"]
    done = repo.mlpipe("validate", "bad.yml", code=2, GITHUB_ACTIONS="true")
    assert done.stdout.startswith("::error file=bad.yml,line=1,col=8,title=mlpipe::")
    assert repo.mlpipe("validate", "-q", "good.yml").stdout == ""


def test_faults_of_the_file_are_exit_code_2_for_run_and_plan(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, rnu: b}]"})
    for command in ("run", "plan"):
        done = repo.mlpipe(command, code=2)
        assert "mlpipe.yml:1:19: step 'a': unknown key 'rnu'; did you mean 'run'?" in done.stderr


def test_a_bug_keeps_its_traceback_and_is_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "no_such_module", "fail")
    assert main(["no_such_module"]) == 3
    error = capsys.readouterr().err
    assert "ModuleNotFoundError" in error
    assert "this is a fault of mlpipe" in error


def test_a_reader_that_goes_away_is_no_fault(repo: Repo) -> None:
    repo.commit(
        {"mlpipe.yml": "steps:\n" + "".join(f"- {{name: s{n}, run: x}}\n" for n in range(2000))}
    )
    command = f"{sys.executable} -m mlpipe_ci plan | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=repo.root, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_terminal_that_is_not_utf8_gets_text_all_the_same(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, run: 'true'}]"})
    done = repo.mlpipe("run", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "\\u2714 a  succeeded" in done.stdout


def test_starting_up_imports_nothing_heavy() -> None:
    code = "import sys, mlpipe_ci.cli.main as m; m.main(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"git", "requests", "jsonschema", "ruamel", "sqlite3", "blake3", "lark", "wcmatch"}
    assert not heavy & set(done.stdout.split())


def test_the_help_of_all_commands_imports_none_of_them() -> None:
    code = (
        "import atexit, sys, mlpipe_ci.cli.main as m\n"
        "names = lambda: [n for n in sys.modules if n.startswith('mlpipe_ci.cli.commands.')]\n"
        "atexit.register(lambda: print(*names(), file=sys.stderr))\n"
        "m.main(sys.argv[1:])"
    )
    for words, expected in ((["--help"], []), (["plan", "--help"], ["plan"])):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        assert done.stderr.split() == [f"mlpipe_ci.cli.commands.{name}" for name in expected]


def test_a_run_at_a_desk_does_not_import_what_it_does_not_need(repo: Repo) -> None:
    repo.commit({"mlpipe.yml": "steps: [{name: a, run: 'true'}]"})
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlpipe_ci", "run"],
        cwd=repo.root,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "mlpipe_ci.repo.git" in imported
    assert not {"requests", "lark", "git"} & imported
