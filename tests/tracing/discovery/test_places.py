"""Names of interpreters and `site-packages`, and what they mean on another machine."""

import sys
from pathlib import Path

import pytest

from mlpipe_ci.tracing.discovery.places import Places


def interpreter(prefix: Path, base: Path | None = None, *, sees_all: bool = False) -> Path:
    """A tree like that of an interpreter, or of an environment made from one; named `bin/python`.

    The program itself is a file without content: it is never run.
    """
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib/python3.11/site-packages").mkdir(parents=True)
    program = prefix / "bin/python3.11"
    if base:
        program.symlink_to(base / "bin/python3.11")
        text = f"version = 3.11.7\ninclude-system-site-packages = {str(sees_all).lower()}\n"
        (prefix / "pyvenv.cfg").write_text(text)
    else:
        program.write_text("")
        program.chmod(0o755)
    for name in ("python", "python3"):
        (prefix / "bin" / name).symlink_to("python3.11")
    return prefix / "bin/python"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    interpreter(tmp_path / "base")
    for name in ("repo/.venv", "home/envs/x", "active", "else"):
        interpreter(tmp_path / name, tmp_path / "base", sees_all=name == "active")
    return tmp_path


def places(machine: Path, first: str = "active") -> Places:
    env = {"PATH": str(machine / first / "bin"), "HOME": str(machine / "home")}
    return Places(str(machine / "repo"), env)


SITE = "lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("named", "interpreter", "site"),
    [
        ("active/bin/python", "python", "python"),
        ("active/bin/python3", "python3", "python3"),
        ("active/lib/../bin/python", "python", "python"),
        ("repo/.venv/bin/python", "./.venv/bin/python", f"./.venv/{SITE}"),
        ("home/envs/x/bin/python", "~/envs/x/bin/python", f"~/envs/x/{SITE}"),
        ("else/bin/python", "/else/bin/python", f"/else/{SITE}"),
        ("base/bin/python", "/base/bin/python", f"/base/{SITE}"),
    ],
)
def test_names(machine: Path, named: str, interpreter: str, site: str) -> None:
    """All these programs are the same file."""
    here = places(machine)
    top = str(machine)
    found = here.interpreter(f"{top}/{named}")
    assert found.replace(top, "") == interpreter
    assert Path(here.executable(found)).samefile(machine / named)
    prefix = (machine / named).parent.parent.resolve()
    found = here.site(str(prefix / SITE), [found])
    assert found.replace(top, "") == site
    assert here.directory(found) == str(prefix / SITE)


def test_the_anchors_themselves(machine: Path) -> None:
    spelled = places(machine).spelled
    paths = ("repo", "repo/lib", "repository", "home")
    found = [spelled(f"{machine}/{path}").replace(str(machine), "") for path in paths]
    assert found == ["./", "./lib", "/repository", "~/"]


def test_packages_of_the_interpreter_below(machine: Path) -> None:
    below = str(machine / "base" / SITE)
    assert places(machine).site(below, ["python"]) == f"python/base/{SITE}"
    assert places(machine).directory(f"python/base/{SITE}") == below
    platform = machine / "active/lib64/python3.11/site-packages"
    assert (
        places(machine).site(str(platform), ["python"])
        == f"python/{platform.relative_to(machine / 'active')}"
    )


def test_only_an_interpreter_that_ran_gives_its_name(machine: Path) -> None:
    own = str(machine / "active" / SITE)
    assert places(machine).site(own, ["./.venv/bin/python"]) == own
    assert places(machine, "base").site(own, ["python"]) == own


def test_a_directory_inside_of_a_prefix_is_not_its_own(machine: Path) -> None:
    inner = machine / "active/src/repo/.venv" / SITE
    assert places(machine).site(str(inner), ["python"]) == str(inner)


def test_another_machine_finds_its_own(machine: Path) -> None:
    here = places(machine, "else")
    assert here.directory("python") == str(machine / "else" / SITE)
    assert here.executable("python") == str(machine / "else/bin/python")
    assert here.directory("python2") == here.executable("python2") == ""
    assert here.directory(f"~/{SITE}") == str(machine / "home" / SITE)


@pytest.mark.parametrize(
    ("named", "user"), [("base", True), ("active", True), ("repo/.venv", False)]
)
def test_who_sees_the_site_of_the_user(machine: Path, named: str, *, user: bool) -> None:
    found = places(machine).user_site(f"{machine}/{named}/bin/python")
    assert found == (f"{machine}/home/.local/{SITE}" if user else "")


def test_the_base_of_the_user_may_be_elsewhere(machine: Path) -> None:
    env = {"PATH": "", "PYTHONUSERBASE": str(machine / "user")}
    found = Places(str(machine / "repo"), env).user_site(f"{machine}/base/bin/python")
    assert found == f"{machine}/user/{SITE}"
    assert Places(str(machine / "repo"), {}).user_site(f"{machine}/base/bin/python") == ""


def test_the_interpreter_that_runs_the_tests() -> None:
    env = {"PATH": str(Path(sys.executable).parent)}
    assert Places("/nowhere", env).interpreter(sys.executable) == Path(sys.executable).name
