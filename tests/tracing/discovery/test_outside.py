"""Paths outside of the repository are spelled from what they depend on."""

from pathlib import Path

import pytest

from mlpipe_ci.tracing.access_log import FOUND, LISTED, NOT_FOUND, OURS, READ
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.exceptions import (
    CREDENTIALS,
    TOOL_CACHES,
    is_credential,
    why_outside,
)
from mlpipe_ci.tracing.discovery.outside import Anchors, Environments, OutsideAccess, is_system


def test_home_and_the_place_for_temporary_files(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home/tmp")}
    anchors = Anchors(env)
    data = str(tmp_path / "home/data/a.csv")
    assert anchors.spelled(data) == "/~/data/a.csv"
    assert anchors.located("/~/data/a.csv") == data
    assert anchors.spelled(str(tmp_path / "home/tmp/x")) == "/~tmp/x"
    assert anchors.located("/~tmp/x") == str(tmp_path / "home/tmp/x")
    assert anchors.spelled("/srv/data") == anchors.located("/srv/data") == "/srv/data"
    other = Anchors({"HOME": str(tmp_path / "other")})
    assert other.located(anchors.spelled(data)) == str(tmp_path / "other/data/a.csv")
    assert Anchors({}).spelled(data) == data


@pytest.mark.parametrize("pattern", [*TOOL_CACHES, *CREDENTIALS])
def test_each_exception_counts_for_nothing(pattern: str) -> None:
    path = pattern.replace("~", "/home/a").replace("*", "user")
    assert why_outside(f"{path}/x", "/home/a")
    assert why_outside(path, "/home/a")
    assert is_credential(path, "/home/a") == (pattern in CREDENTIALS)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        *(("", False), ("/pytest-current", False), ("/pytest-18", False)),
        *(("/pytest-18/.lock", False), ("/garbage-0a1b-2c/test_x0/data.csv", False)),
        *(("/pytest-18/test_x0/data.csv", True), ("/other", True)),
    ],
)
def test_only_the_numbering_of_pytest_counts_for_nothing(path: str, *, counts: bool) -> None:
    assert bool(why_outside(f"/tmp/pytest-of-a{path}", "/home/a")) != counts  # noqa: S108


@pytest.mark.parametrize(
    "path",
    [
        "~/.cache/torch/hub/model.pt",
        "~/.cache/huggingface/hub/models--a/blob",
        "~/.keras/models/a.h5",
        "~/nltk_data/corpora/a.zip",
        "~/.config/matplotlib/matplotlibrc",
        "~/.awsome",
        "/srv/data/a.csv",
        "/tmp/data.csv",  # noqa: S108
    ],
)
def test_models_data_and_settings_count(path: str) -> None:
    assert not why_outside(path.replace("~", "/home/a"), "/home/a")


def test_an_environment_is_known_by_its_marks(tmp_path: Path) -> None:
    (tmp_path / "env/lib").mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").touch()
    (tmp_path / "venv").mkdir()
    found = Environments()
    assert found.holds(str(tmp_path / "env/lib/x.py"))
    assert found.holds(str(tmp_path / "env"))
    assert not found.holds(str(tmp_path / "venv/x.py"))
    assert not found.holds(str(tmp_path))


def test_what_the_step_made_and_what_it_passes_through_is_not_seen(tmp_path: Path) -> None:
    root = tmp_path / "work"
    paths = {
        "data.csv": READ,
        "missing": NOT_FOUND,
        "made": NOT_FOUND | OURS,
        "": FOUND,
        "work/inside": READ,
    }
    trace = Trace(paths={str(tmp_path / p): f for p, f in paths.items()})
    seen = [path for path, _ in OutsideAccess(str(root), {}, trace).seen()]
    assert seen == [str(tmp_path / "data.csv"), str(tmp_path / "missing")]


def test_the_way_to_the_cache_of_a_tool_is_no_data_unless_it_is_listed() -> None:
    paths = {
        "/home/a/.cache": NOT_FOUND,
        "/home/a/.cache/uv": FOUND,
        "/home/a/.cache/models": NOT_FOUND,
        "/home/a/.config": FOUND | LISTED,
        "/home/b/.cache": FOUND,
    }
    access = OutsideAccess("/home/a/work", {"HOME": "/home/a"}, Trace(paths=paths))
    seen = [path for path, _ in access.seen()]
    assert seen == ["/home/a/.cache/models", "/home/a/.config", "/home/b/.cache"]


def test_an_interpreter_is_no_data_and_what_lies_beside_it_is(tmp_path: Path) -> None:
    home, tree = tmp_path / "home", tmp_path / "python/3.11"
    paths = {f"{tree}/lib/libpython3.so": READ, f"{home}/bin/tool": READ, f"{home}/lib/a.so": READ}
    programs = ((f"{tree}/bin/python3", f"{tree}/bin/python3"),)
    trace = Trace(paths=paths, programs=programs)
    seen = OutsideAccess(str(tmp_path / "work"), {"HOME": str(home)}, trace).seen()
    assert [path for path, _ in seen] == [f"{home}/bin/tool", f"{home}/lib/a.so"]


def test_programs_of_the_system() -> None:
    assert is_system("/usr/bin/cat")
    assert not is_system("/usr/local/bin/tool")
    assert not is_system("/opt/tool/bin/tool")


def test_what_lies_beside_the_repository_has_two_spellings() -> None:
    anchors = Anchors({"HOME": "/home/ada"}, "/home/ada/work/demo")
    assert anchors.spellings("/home/ada/work/conf") == ("/~/work/conf", "/../conf")
    assert anchors.spellings("/home/ada/.condarc") == ("/~/.condarc",)
    assert anchors.spellings("/data/table.csv") == ("/data/table.csv",)
    other = Anchors({"HOME": "/home/ci"}, "/srv/runs/7/demo")
    assert other.located("/../conf") == "/srv/runs/7/conf"
    assert other.located("/../../data/x") == "/srv/runs/data/x"
    assert other.spellings("/srv/data/x") == ("/srv/data/x", "/../../../data/x")
