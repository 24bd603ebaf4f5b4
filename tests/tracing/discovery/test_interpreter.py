"""The version of an interpreter is read beside it."""

from pathlib import Path

import pytest

from mlpipe_ci.tracing.discovery.interpreter import library_of, version_of


def make(root: Path, name: str, files: dict[str, str]) -> str:
    for path, text in {f"bin/{name}": "", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "bin/python").symlink_to(name)
    return str(root / "bin/python")


@pytest.mark.parametrize(
    ("name", "files", "version", "library"),
    [
        ("python3.11", {"pyvenv.cfg": "home = x\nversion = 3.11.7\n"}, "3.11.7", "python3.11"),
        ("python3.11", {"pyvenv.cfg": "version_info = 3.11.7\n"}, "3.11.7", "python3.11"),
        (
            "python3.11",
            {
                "include/python3.11/patchlevel.h": '#define PY_VERSION "3.11.2"\n',
                "include/python3.10/patchlevel.h": '#define PY_VERSION "3.10.1"\n',
            },
            "3.11.2",
            "python3.11",
        ),
        ("python3.11", {}, "python3.11", "python3.11"),
        ("pypy3.10", {"pyvenv.cfg": "version = 3.10.14\n"}, "3.10.14 (pypy3.10)", "pypy3.10"),
        (
            "python3.13t",
            {"pyvenv.cfg": "version = 3.13.1\n"},
            "3.13.1 (python3.13t)",
            "python3.13t",
        ),
        ("python3", {"pyvenv.cfg": "version = 3.12.1\n"}, "3.12.1", "python3.12"),
    ],
)
def test_versions(
    tmp_path: Path, name: str, files: dict[str, str], version: str, library: str
) -> None:
    executable = make(tmp_path, name, files)
    assert version_of(executable) == version
    assert library_of(executable) == library


def test_no_interpreter() -> None:
    assert version_of("") == ""
