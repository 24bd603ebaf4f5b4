"""A step runs again when what it used of a Python environment is another, and not otherwise.

The environments are real, made by pip and by uv.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.packages import VERSION, Environment, environment, project, uv, wheel
from tests.support.repository import Repo
from tests.support.traced_command import BOTH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands")
TOOLS = pytest.mark.parametrize("tool", ["pip", "uv"])
USES = "import tiny\nopen('out.txt', 'w').write(tiny.V)\n"
STEP = "steps: [{name: s, run: python s.py}]\n"
IGNORED = ".venv/\nout.txt\n"


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", "auto")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a wheel of `tiny` of a version, which its `V` names."""
    return lambda version: wheel(
        tmp_path / "wheels", "tiny", version, {"tiny/__init__.py": f"V = '{version}'\n"}
    )


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that is on the PATH."""
    return activated(environment(tmp_path / "venv", "uv"), monkeypatch)


def activated(made: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}{os.environ['PATH']}")
    return made


def ran(repo: Repo, **env: str) -> tuple[str, ...]:
    """Names of the steps whose command ran."""
    done = repo.mlpipe("run", code=0, **env)
    return tuple(line.split()[1] for line in done.stdout.splitlines() if line.startswith("▶"))


def settled(repo: Repo, source: str = USES, run: str = "python s.py", **files: str) -> Repo:
    """A step that ran once, and does not run again."""
    named = {"s.py": source, "mlpipe.yml": STEP.replace("python s.py", run), ".gitignore": IGNORED}
    repo.commit({**named, **files})
    assert ran(repo) == ("s",)
    assert ran(repo) == ()
    return repo


def reasons(repo: Repo) -> str:
    return repo.mlpipe("plan").stdout


@BOTH
@TOOLS
def test_an_upgrade_in_an_environment_that_is_not_on_the_path(
    repo: Repo, tool: str, tracer: str, tiny: Callable[[str], Path]
) -> None:
    made = environment(repo.root / ".venv", tool)
    made.install(tiny("1.0"))
    files: dict[str, str | bytes] = {"s.py": USES.replace("'out.txt'", "__import__('sys').argv[1]")}
    files[".gitignore"] = ".venv/\n*.txt\n"
    files["mlpipe.yml"] = """
steps:
  - {name: path, run: .venv/bin/python s.py 1.txt}
  - {name: activated, run: . .venv/bin/activate && python s.py 2.txt}
  - {name: first, run: 'PATH=.venv/bin:$PATH python3 s.py 3.txt'}
  - {name: declared, run: .venv/bin/python s.py 4.txt, inputs: [s.py], outputs: [4.txt]}
"""
    repo.commit(files)
    names = ("path", "activated", "first", "declared")
    assert ran(repo, MLPIPE_TRACER=tracer) == names
    assert ran(repo, MLPIPE_TRACER=tracer) == ()
    made.install(tiny("2.0"))
    done = repo.mlpipe("run", MLPIPE_TRACER=tracer)
    assert done.stdout.count("tiny 1.0 → 2.0 (installed)") == 4, done.stdout
    assert [repo.read(f"{number}.txt") for number in range(1, 5)] == ["2.0"] * 4


@TOOLS
def test_a_project_that_is_installed_anew_at_the_same_version(
    repo: Repo, tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = activated(environment(tmp_path / "venv", tool), monkeypatch)
    source = project(tmp_path / "project", "tiny", "0.1", {"__init__.py": "V = 'one'\n"})
    made.install(source)
    settled(repo)
    (source / "src/tiny/__init__.py").write_text("V = 'two'\n")
    made.install("--force-reinstall", source)
    assert "tiny was installed anew, with other files" in reasons(repo)
    assert ran(repo) == ("s",)
    assert repo.read("out.txt") == "two"


def test_a_wheel_of_the_same_version_with_other_files(
    repo: Repo, tmp_path: Path, venv: Environment
) -> None:
    venv.install(wheel(tmp_path / "1", "tiny", "1.0", {"tiny.py": "V = 'one'\n"}))
    settled(repo)
    venv.install(
        "--force-reinstall", wheel(tmp_path / "2", "tiny", "1.0", {"tiny.py": "V = 'two'\n"})
    )
    assert "tiny 1.0 was installed anew, with other files" in reasons(repo)
    assert ran(repo) == ("s",)


@pytest.mark.parametrize("editable", [False, True])
def test_a_version_that_each_commit_changes(
    repo: Repo, tmp_path: Path, venv: Environment, *, editable: bool
) -> None:
    """The sources decide; the version only for who asks for it."""
    code = {"__init__.py": "V = 'one'\n", "unused.py": ""}
    source = project(repo.root / "lib", "tiny", "0.1", code)
    words = ("--editable", source) if editable else (source,)
    venv.install(*words)
    asks = "import importlib.metadata as m; open('v.txt', 'w').write(m.version('tiny'))\n"
    two = "steps:\n  - {name: s, run: python s.py}\n  - {name: asks, run: python asks.py}\n"
    repo.commit({"s.py": USES, "asks.py": asks, "mlpipe.yml": two, ".gitignore": "*.txt\n"})
    assert ran(repo) == ("s", "asks")
    assert ran(repo) == ()
    project(source, "tiny", "0.2", {})
    venv.install(*words)
    assert "tiny 0.1 → 0.2 (installed)" in reasons(repo)
    assert ran(repo) == ("asks",)
    assert repo.read("v.txt") == "0.2"
    repo.write({"lib/src/tiny/__init__.py": "V = 'two'\n"})
    venv.install("--force-reinstall", *words)
    assert "s" in ran(repo)
    assert repo.read("out.txt") == "two"


@pytest.mark.parametrize("editable", [False, True])
def test_a_clone_with_an_environment_of_its_own_made_by_another_tool(
    make_repo: Callable[[str], Repo],
    tmp_path: Path,
    tiny: Callable[[str], Path],
    *,
    editable: bool,
) -> None:
    """The result of one fits in the other: packages, a project, and files of the makers."""
    first = make_repo("first")
    project(first.root, "churn", "0.1", {"__init__.py": "W = 'w'\n"})
    source = USES.replace("tiny.V", "tiny.V + churn.W").replace("import tiny", "import tiny, churn")
    files = {"s.py": source, "mlpipe.yml": STEP.replace("python", ".venv/bin/python")}
    first.commit({**files, ".gitignore": IGNORED})
    subprocess.run(["git", "clone", "-q", first.root, tmp_path / "second"], check=True)
    second = Repo(tmp_path / "second")
    for repo, tool in ((first, "pip"), (second, "uv")):
        made = environment(repo.root / ".venv", tool)
        made.install(tiny("1.0"))
        made.install(*(["--editable"] if editable else []), repo.root)
    assert ran(first, HOME=str(tmp_path / "a")) == ("s",)
    assert ran(first) == ()
    assert ran(second, HOME=str(tmp_path / "b"), CI="true") == ()
    assert second.read("out.txt") == "1.0w"


REAL = """
import pandas, numpy
import matplotlib.pyplot as plots
from sklearn.ensemble import RandomForestClassifier
table = pandas.read_csv("data.csv")
model = RandomForestClassifier(n_estimators=3, random_state=0).fit(table[["a"]], table.b)
open("out.txt", "w").write(str(model.score(table[["a"]], table.b)))
plots.plot(table.a, table.b)
plots.title("score")
plots.savefig("plot.png", metadata={"Software": None})
"""


@pytest.mark.slow
def test_large_packages_installed_by_pip_and_by_uv_are_the_same(
    make_repo: Callable[[str], Repo], tmp_path: Path
) -> None:
    """In two clones, with two fresh homes, one at a desk and one as a CI runner has it."""
    first = make_repo("first")
    files = {"s.py": REAL, "data.csv": "a,b\n1,0\n2,1\n", "mlpipe.yml": STEP}
    first.commit({**files, ".gitignore": f"{IGNORED}plot.png\n"})
    subprocess.run(["git", "clone", "-q", first.root, tmp_path / "second"], check=True)
    for name, tool, expected in (("first", "pip", ("s",)), ("second", "uv", ())):
        made = environment(tmp_path / tool, tool)
        made.install("pandas", "scikit-learn", "matplotlib", online=True)
        env = {"PATH": f"{made.bin}{os.pathsep}{os.environ['PATH']}"}
        env["HOME"] = str(tmp_path / f"home of {name}")
        env |= {"CI": "true", "RUNNER_TEMP": str(tmp_path)} if name == "second" else {}
        assert ran(Repo(tmp_path / name), **env) == expected
    plots = [(tmp_path / name / "plot.png").read_bytes() for name in ("first", "second")]
    assert plots[0] == plots[1]


def test_an_environment_on_the_path_and_one_in_another_home(
    make_repo: Callable[[str], Repo], tmp_path: Path, tiny: Callable[[str], Path]
) -> None:
    first = make_repo("first")
    run = "python s.py && ~/envs/x/bin/python s.py"
    first.commit({"s.py": USES, "mlpipe.yml": STEP.replace("python s.py", run)})
    subprocess.run(["git", "clone", "-q", first.root, tmp_path / "second"], check=True)
    for name, tool, expected in (("first", "pip", ("s",)), ("second", "uv", ())):
        home = tmp_path / f"home of {name}"
        envs = environment(home / "envs/x", tool), environment(tmp_path / f"{name}-venv", tool)
        for one in envs:
            one.install(tiny("1.0"))
        path = f"{envs[1].bin}{os.pathsep}{os.environ['PATH']}"
        assert ran(Repo(tmp_path / name), HOME=str(home), PATH=path) == expected


def test_two_environments_of_one_interpreter_are_two(
    repo: Repo, tmp_path: Path, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    """Both lead to the same program; what is installed in one says nothing of the other."""
    venv.install(tiny("1.0"))
    other = environment(repo.root / ".venv", "uv")
    other.install(tiny("1.0"))
    settled(repo, run=".venv/bin/python s.py")
    venv.install(tiny("2.0"))
    assert ran(repo) == ()
    other.install(tiny("3.0"))
    assert ran(repo) == ("s",)
    assert repo.read("out.txt") == "3.0"


def test_packages_that_are_not_used_do_not_count(
    repo: Repo, tmp_path: Path, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    venv.install(tiny("1.0"), wheel(tmp_path, "other", "1.0", {"other.py": ""}))
    settled(repo)
    venv.install(wheel(tmp_path, "other", "2.0", {"other.py": "x = 1\n"}))
    venv.install(wheel(tmp_path, "more", "1.0", {"more/__init__.py": ""}))
    assert ran(repo) == ()


def test_parts_of_a_namespace_belong_to_their_distributions(
    repo: Repo, tmp_path: Path, venv: Environment
) -> None:
    def parts(version: str, *names: str) -> None:
        for name in names:
            files = {f"ns/{name}/__init__.py": f"V = '{version}'\n"}
            venv.install(wheel(tmp_path / "wheels", f"ns_{name}", version, files))

    parts("1.0", "a", "b")
    settled(repo, USES.replace("import tiny", "import ns.a").replace("tiny", "ns.a"))
    parts("2.0", "b")
    assert ran(repo) == ()
    parts("2.0", "a")
    assert "ns-a 1.0 → 2.0 (installed)" in reasons(repo)
    assert ran(repo) == ("s",)


def test_a_module_that_was_looked_for_in_vain_is_installed(
    repo: Repo, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    source = "try:\n    import tiny\nexcept ImportError:\n    class tiny: V = 'none'\n"
    settled(repo, source + USES.partition("\n")[2])
    venv.install(tiny("1.0"))
    assert "tiny is new in the packages of python" in reasons(repo)
    assert ran(repo) == ("s",)
    assert repo.read("out.txt") == "1.0"


@BOTH
@pytest.mark.parametrize("name", ["sitecustomize.py", "start.pth", "loose.py"])
def test_a_file_that_no_distribution_lists(
    repo: Repo, venv: Environment, name: str, tracer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is new, it changes, it is gone."""
    monkeypatch.setenv("MLPIPE_TRACER", tracer)
    source = "import builtins\ntry:\n    import loose\nexcept ImportError: pass\n"
    source += "open('out.txt', 'w').write(getattr(builtins, 'V', 'none'))\n"
    settled(repo, source)
    path = venv.site / name
    for value in ("1", "other", None):
        if value is None:
            path.unlink()
        else:
            path.write_text(f"import builtins; builtins.V = {value!r}\n")
        assert ran(repo) == (("s",) if value else ()), value
        assert repo.read("out.txt") == (value or "none")
        assert ran(repo) == ()


def test_a_path_file_names_directories_from_the_repository(
    make_repo: Callable[[str], Repo], tmp_path: Path
) -> None:
    first = make_repo("first")
    files = {"lib/tiny.py": "V = 'one'\n", "s.py": USES, ".gitignore": IGNORED}
    first.commit({**files, "mlpipe.yml": STEP.replace("python", ".venv/bin/python")})
    subprocess.run(["git", "clone", "-q", first.root, tmp_path / "second"], check=True)
    for name, expected in (("first", ("s",)), ("second", ())):
        root = tmp_path / name
        made = environment(root / ".venv", "uv")
        (made.site / "local.pth").write_text(f"{root}/lib\n")
        assert ran(Repo(root)) == expected


ALL = {
    "distributions": "x = [d.metadata['Name'] for d in m.distributions()]",
    "versions": "x = [d.version for d in m.distributions()]",
}


@BOTH
@pytest.mark.parametrize("asks", ALL)
def test_who_asks_for_all_distributions_sees_a_new_one(
    repo: Repo,
    tmp_path: Path,
    venv: Environment,
    asks: str,
    tracer: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", tracer)
    venv.install(wheel(tmp_path, "one", "1.0", {"one.py": ""}))
    venv.install(wheel(tmp_path, "two", "1.0", {"two.py": ""}))
    text = f"import importlib.metadata as m\n{ALL[asks]}\nopen('out.txt', 'w').write(str(x))\n"
    settled(repo, text)
    venv.install(wheel(tmp_path, "three", "1.0", {"three.py": ""}))
    assert "other packages are installed in python" in reasons(repo)
    assert ran(repo) == ("s",)
    assert ran(repo) == ()


@BOTH
def test_who_asks_for_entry_points_sees_a_new_one(
    repo: Repo, tmp_path: Path, venv: Environment, tracer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plugin(name: str, version: str = "1.0") -> None:
        offer = {f"{name}-{version}.dist-info/entry_points.txt": f"[plugins]\n{name} = {name}\n"}
        venv.install(wheel(tmp_path, name, version, offer))

    monkeypatch.setenv("MLPIPE_TRACER", tracer)
    venv.install(wheel(tmp_path, "one", "1.0", {"one.py": ""}))
    text = "from importlib.metadata import entry_points as e\n"
    text += "open('out.txt', 'w').write(' '.join(x.name for x in e(group='plugins')))\n"
    settled(repo, text)
    venv.install(wheel(tmp_path, "two", "1.0", {"two.py": ""}))
    assert ran(repo) == ()
    plugin("three")
    assert "packages in python offer other entry points" in reasons(repo)
    assert ran(repo) == ("s",)
    assert repo.read("out.txt") == "three"
    plugin("three", "2.0")
    assert ran(repo) == ()


def test_who_asks_for_one_version_sees_that_alone(
    repo: Repo, tmp_path: Path, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    venv.install(tiny("1.0"), wheel(tmp_path, "other", "1.0", {"other.py": ""}))
    text = "import importlib.metadata as m\nopen('out.txt', 'w').write(m.version('tiny'))\n"
    settled(repo, text)
    venv.install(wheel(tmp_path, "more", "1.0", {"more.py": ""}))
    venv.install(wheel(tmp_path, "other", "2.0", {"other.py": ""}))
    assert ran(repo) == ()
    venv.install(tiny("2.0"))
    assert ran(repo) == ("s",)


def test_a_program_of_an_environment(repo: Repo, tmp_path: Path, venv: Environment) -> None:
    """It does not open a file of its distribution."""

    def program(version: str) -> Path:
        text = f"#!/bin/sh\necho {version} > out.txt\n"
        files = {"tool/__init__.py": "", f"tool-{version}.data/scripts/tool": text}
        return wheel(tmp_path / "wheels", "tool", version, files)

    venv.install(program("1.0"))
    settled(repo, run="tool")
    venv.install(program("2.0"))
    assert "tool 1.0 → 2.0 (installed)" in reasons(repo)
    assert ran(repo) == ("s",)
    (venv.bin / "own").write_text("#!/bin/sh\necho 1 > out.txt\n")
    (venv.bin / "own").chmod(0o755)
    settled(repo, run="own")
    (venv.bin / "own").write_text("#!/bin/sh\necho 2 > out.txt\n")
    assert ran(repo) == ("s",)


@BOTH
def test_packages_that_are_links_to_what_uv_keeps(
    repo: Repo,
    venv: Environment,
    tracer: str,
    tiny: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLPIPE_TRACER", tracer)
    venv.install("--link-mode", "symlink", tiny("1.0"))
    assert (venv.site / "tiny/__init__.py").is_symlink()
    settled(repo)
    venv.install("--link-mode", "symlink", tiny("2.0"))
    assert "tiny 1.0 → 2.0 (installed)" in reasons(repo)
    assert ran(repo) == ("s",)


@pytest.mark.parametrize("base", [None, "PYTHONUSERBASE"])
def test_a_user_site_that_comes_before(
    repo: Repo,
    tmp_path: Path,
    tiny: Callable[[str], Path],
    base: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An environment that sees all; then the user installs the same for himself."""
    made = activated(environment(tmp_path / "venv", "uv", "--system-site-packages"), monkeypatch)
    if base:
        monkeypatch.setenv(base, str(tmp_path / "base"))
    user = (
        tmp_path / "base" if base else tmp_path / "home/.local"
    ) / f"lib/{VERSION}/site-packages"
    settled(
        repo,
        "try:\n    import tiny\n    V = tiny.V\nexcept ImportError:\n    V = 'none'\n"
        "open('out.txt', 'w').write(V)\n",
    )
    made.install("--target", user, tiny("1.0"))
    assert ran(repo) == ("s",)
    assert repo.read("out.txt") == "1.0"
    made.install("--target", user, "--upgrade", tiny("2.0"))
    assert "tiny 1.0 → 2.0 (installed)" in reasons(repo)
    assert ran(repo) == ("s",)


def test_a_plain_environment_sees_no_user_site(
    repo: Repo, tmp_path: Path, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    venv.install(tiny("1.0"))
    settled(repo)
    venv.install("--target", tmp_path / f"home/.local/lib/{VERSION}/site-packages", tiny("2.0"))
    assert ran(repo) == ()


def test_packages_beside_no_interpreter(
    repo: Repo,
    tmp_path: Path,
    venv: Environment,
    tiny: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "shared/site-packages"
    monkeypatch.setenv("PYTHONPATH", str(target))
    venv.install("--target", target, tiny("1.0"))
    settled(repo)
    venv.install("--target", target, "--upgrade", tiny("2.0"))
    assert "tiny 1.0 → 2.0 (installed)" in reasons(repo)
    assert ran(repo) == ("s",)


def test_an_environment_that_is_made_anew_is_the_same(
    repo: Repo, tmp_path: Path, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    venv.install(tiny("1.0"))
    settled(repo)
    shutil.rmtree(venv.root)
    environment(venv.root, "pip").install(tiny("1.0"))
    assert ran(repo) == ()


def test_an_upgrade_by_an_earlier_step_is_seen_by_the_next(
    repo: Repo, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    venv.install(tiny("1.0"))
    settled(repo)
    two = tiny("2.0.1")  # of another length: byte code of the first is none of it
    install = f"python -m zipfile -e {two} {venv.site} && rm -r {venv.site}/tiny-1.0.dist-info"
    workflow = (
        f"steps:\n  - {{name: install, run: '{install}'}}\n  - {{name: s, run: python s.py}}\n"
    )
    repo.write({"mlpipe.yml": workflow})
    assert ran(repo) == ("install", "s")
    assert repo.read("out.txt") == "2.0.1"


def test_an_upgrade_while_the_step_runs_keeps_its_result_from_being_stored(
    repo: Repo, tmp_path: Path, venv: Environment, tiny: Callable[[str], Path]
) -> None:
    venv.install(tiny("1.0"))
    waits = "import pathlib, time\nimport tiny\nopen('out.txt', 'w').write(tiny.V)\n"
    waits += f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\n"
    waits += f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"
    repo.commit({"s.py": waits, "mlpipe.yml": STEP, ".gitignore": IGNORED})
    with subprocess.Popen(
        [sys.executable, "-m", "mlpipe_ci", "run"], cwd=repo.root, stdout=subprocess.PIPE
    ) as process:
        while not (tmp_path / "ready").exists():
            assert process.poll() is None
            time.sleep(0.01)
        venv.install(tiny("2.0"))
        (tmp_path / "go").touch()
        said = process.communicate(timeout=60)[0].decode()
        assert "package tiny was written while the step ran" in said
    assert repo.read("out.txt") == "1.0"
    assert ran(repo) == ("s",)
    assert repo.read("out.txt") == "2.0"


@BOTH
@TOOLS
def test_a_step_that_installs_is_not_stored(
    repo: Repo, tool: str, tracer: str, tiny: Callable[[str], Path]
) -> None:
    """In another clone the package would not be there."""
    built, python = tiny("1.0"), ".venv/bin/python"
    environment(repo.root / ".venv", tool)
    install = f"{uv()} pip install --offline --no-cache -q -p {python} {built}"
    if tool == "pip":
        pip = f"{sys.executable} -m pip --python {python}"
        install = f"{pip} install -q --no-index --no-deps {built}"
    files: dict[str, str | bytes] = {"s.py": USES, ".gitignore": IGNORED}
    files["mlpipe.yml"] = STEP.replace("python s.py", f"{install} && {python} s.py")
    repo.commit(files)
    out = repo.mlpipe("run", code=0, MLPIPE_TRACER=tracer).stdout
    assert "the result was not stored: it installs into .venv/lib/python3." in out
    assert "install before the run" in out
