"""A tool that is measured, and the place where it works: a repository, its log, home and cache."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import formats
from measure import MeasureError, lines
from works import Tree, write_tree

ROOT = Path(__file__).resolve().parent.parent
RIVALS = ROOT / "build" / "rivals"
NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@example.invalid"))
}
QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "TURBO_TELEMETRY_DISABLED": "1",
    "TURBO_NO_UPDATE_NOTIFIER": "1",
    "DO_NOT_TRACK": "1",
    "NO_UPDATE_NOTIFIER": "1",
}
"""No tool asks the network anything while it is measured."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one tool works on one tree."""

    tool: "Tool"
    tree: Tree
    base: Path
    shared: Path

    @property
    def repo(self) -> Path:
        """The repository."""
        return self.base / "repo"

    @property
    def log(self) -> Path:
        """A line for each step that ran."""
        return self.base / "log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the tool, with nothing of the user's own."""
        kept = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
        home = {"HOME": str(self.base / "home"), "SHELL": "/bin/sh", "LANG": "C.UTF-8"}
        git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **NOBODY}
        return kept | home | git | QUIET | dict(self.tool.variables(self.base))

    def plant(self) -> None:
        """Write and commit the repository anew, with the tool's files and no state of the tool."""
        shutil.rmtree(self.base, ignore_errors=True)
        (self.base / "home").mkdir(parents=True)
        self.repo.mkdir()
        write_tree(self.tree, self.shared, self.repo)
        (self.repo / ".gitignore").write_text(formats.gitignore(self.tree))
        self.call("git", "init", "-q", "-b", "main")
        self.tool.write(self)
        self.commit()

    def commit(self) -> None:
        """Commit all that is there, if there is anything new."""
        self.call("git", "add", "-A")
        self.call("git", "commit", "-q", "--allow-empty", "-m", "all")

    def call(self, *command: str, directory: Path | None = None, **more: str) -> None:
        """Run a command that is not measured, with more environment variables."""
        done = subprocess.run(
            command,
            cwd=directory or self.repo,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise MeasureError(f"{' '.join(command)}: {done.stdout[-800:]} {done.stderr[-800:]}")

    def ran(self) -> int:
        """The number of steps that ran so far."""
        return lines(self.log)


class Tool:
    """One tool, or one command beside which the tools stand."""

    counted = True
    """Whether the steps that ran are held against those that should have."""
    own = True
    """Whether it works in a repository of its own; else in mlpipe's, where it changes nothing."""

    def __init__(self, name: str, requirement: str = "", state: Sequence[str] = ()) -> None:
        self.name = name
        self.requirement = requirement
        """What is installed from the registry, with its version."""
        self.state = state
        """Patterns of what the tool remembers, beside the repository and in it."""

    @property
    def program(self) -> str:
        """The program's path."""
        return str(RIVALS / self.name / "bin" / self.name)

    def install(self) -> str | None:
        """Install it unless it is there; None, or why that cannot be."""
        here, mark = RIVALS / self.name, RIVALS / self.name / "installed"
        if mark.is_file() and mark.read_text() == self.requirement:
            return None
        shutil.rmtree(here, ignore_errors=True)
        try:
            self._fetch(here)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            return str(said).strip().splitlines()[-1]
        mark.write_text(self.requirement)
        return None

    def _fetch(self, here: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(here)], check=True)
        pip = [str(here / "bin" / "python"), "-m", "pip", "install", "--quiet", self.requirement]
        subprocess.run(pip, check=True, capture_output=True, text=True)

    def version(self) -> str:
        """What the tool says of its version."""
        done = subprocess.run(
            self.version_command(),
            capture_output=True,
            text=True,
            check=True,
            env=plain_environment(),
        )
        words = done.stdout.split("\n")[0].split()
        return next((word for word in words if word[:1].isdigit()), "?")

    def version_command(self) -> list[str]:
        """The command that prints the version."""
        return [self.program, "--version"]

    def variables(self, _base: Path) -> Mapping[str, str]:
        """The tool's own environment variables."""
        return {}

    def write(self, place: Place) -> None:
        """Write the tool's files into the repository."""
        raise NotImplementedError

    def command(self, _place: Place) -> list[str]:
        """The command that brings all up to date."""
        return [self.program]

    def first(self, place: Place) -> None:
        """Bring all up to date for the first time, unmeasured."""
        place.call(*self.command(place))

    def forget(self, place: Place) -> None:
        """Delete all that the tool remembers."""
        for path in [path for pattern in self.state for path in place.base.glob(pattern)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def plain_environment() -> dict[str, str]:
    """The environment outside of any place."""
    return {"PATH": os.environ["PATH"], "HOME": os.devnull, "LANG": "C.UTF-8", **QUIET}
