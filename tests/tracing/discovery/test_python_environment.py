"""The inputs that a trace shows of interpreters and packages, and what they are later."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.tracing.access_log import READ
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery import record
from mlpipe_ci.tracing.discovery.python_environment import PythonEnvironment
from tests.support.packages import Environment, environment, wheel


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    made = environment(tmp_path / "repo/.venv", "uv")
    made.install(wheel(tmp_path, "tiny", "1.0", {"tiny.py": ""}))
    return made


def trace(venv: Environment, *opened: str) -> Trace:
    python = venv.bin / "python"
    return Trace(
        complete=True,
        programs=((str(python), str(python.resolve())),),
        packages=tuple((str(venv.site), below) for below in ("", *opened)),
    )


def looked_up(venv: Environment) -> PythonEnvironment:
    return PythonEnvironment(str(venv.root.parent), {"PATH": "/nowhere"})


def by_path(items: list[Input]) -> dict[str, str]:
    return {item.path: item.digest for item in items}


def test_what_a_trace_shows(venv: Environment) -> None:
    found = by_path(looked_up(venv).loaded(trace(venv, "tiny.py"), "json fast"))
    site = f"./.venv/{venv.site.relative_to(venv.root)}"
    assert set(found) == {f"dist:{site}:tiny", f"dist:{site}:?", "dist:./.venv/bin/python:Python"}
    assert found[f"dist:{site}:?"] == "found:tiny.py|fast tiny"


def test_modules_of_the_repository_may_be_hidden(venv: Environment) -> None:
    seen = replace(
        trace(venv),
        paths={f"{venv.root.parent}/{name}": READ for name in ("churn/__init__.py", "own.py")},
    )
    found = by_path(looked_up(venv).loaded(seen, "*"))
    assert "found:|churn own" in found.values()


def test_pkg_resources_knows_all_distributions(venv: Environment) -> None:
    """It has their names and versions from the names of the metadata, and opens none."""
    (venv.site / "pkg_resources").mkdir()
    (venv.site / "pkg_resources/__init__.py").write_text("")
    found = by_path(looked_up(venv).loaded(trace(venv, "pkg_resources/__init__.py")))
    assert [path for path in found if path.endswith(":*")]


def test_nothing_is_read_twice_until_a_command_has_run(venv: Environment, tmp_path: Path) -> None:
    asked: list[str] = []

    def summary(path: str) -> str:
        asked.append(path)
        return record.summary(path)

    environment = PythonEnvironment(str(venv.root.parent), {"PATH": ""}, summary)
    items = environment.loaded(trace(venv, "tiny.py"))
    assert [environment.now(item) for item in items * 2] == [item.digest for item in items * 2]
    assert len(asked) == 1
    venv.install(wheel(tmp_path, "tiny", "2.0", {"tiny.py": "x = 1"}))
    assert all(environment.now(item) == item.digest for item in items)
    environment.forget()
    changed = [item.path for item in items if environment.now(item) != item.digest]
    assert [path.rpartition(":")[2] for path in changed] == ["tiny"]


def test_who_installed_meanwhile(venv: Environment) -> None:
    environment = looked_up(venv)
    seen = trace(venv, "tiny.py")
    items = environment.loaded(seen)
    made = next(venv.site.glob("tiny-*/RECORD")).stat().st_ctime
    assert environment.changed(items, seen, made + 1) == ""
    assert environment.changed(items, seen, made - 1) == "package tiny"
