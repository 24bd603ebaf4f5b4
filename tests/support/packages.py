"""Python environments of tests, made by pip or uv, and what is installed there. No network."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import wheel_backend
from tests.support.repository import INHERITED

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYPROJECT = """[build-system]
requires = []
build-backend = "wheel_backend"
backend-path = ["."]
[project]
name = "{name}"
version = "{version}"
"""
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_CACHE_DIR": "1",
    "UV_NO_INDEX": "1",
    "UV_OFFLINE": "1",
    "UV_NO_CONFIG": "1",
    "UV_PYTHON_DOWNLOADS": "never",
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment. `tool`: pip or uv, whichever installs in it."""

    root: Path
    tool: str

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def site(self) -> Path:
        return self.root / "lib" / VERSION / "site-packages"

    def install(self, *words: str | Path, online: bool = False) -> None:
        """Install by the tool: requirements and options that both know. `online`: from the index
        that this machine has.
        """
        python = str(self.bin / "python")
        if self.tool == "uv":
            command = [uv(), "pip", "install", "-q", "--python", python]
        else:
            command = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
            command += ["--no-build-isolation"]
        _run(*command, *map(str, words), online=online)


def environment(root: Path, tool: str = "pip", *options: str) -> Environment:
    """An environment of the tests' own Python, with nothing installed."""
    base = os.path.realpath(sys.executable)
    if tool == "uv":
        _run(uv(), "venv", "-q", "-p", base, *options, str(root))
    else:
        _run(base, "-m", "venv", "--without-pip", *options, str(root))
    return Environment(root, tool)


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    return wheel_backend.write_wheel(folder, name, version, files)


def project(root: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """The sources of a project, `src/NAME/…`, that builds without a download."""
    for path, text in files.items():
        (root / "src" / name / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "src" / name / path).write_text(text)
    (root / "pyproject.toml").write_text(PYPROJECT.format(name=name, version=version))
    shutil.copy(wheel_backend.__file__, root / "wheel_backend.py")
    return root


def uv() -> str:
    """The path of uv, beside the Python that runs the tests."""
    return str(Path(sys.executable).parent / "uv")


@cache
def _cache() -> str:
    """What uv keeps, for all tests of one process."""
    made = tempfile.mkdtemp(prefix="uv-of-tests-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _run(*command: str, online: bool = False) -> None:
    env = INHERITED if online else {**os.environ, **OFFLINE}
    env = env | {"UV_CACHE_DIR": _cache(), "HOME": _cache()}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
