"""A desk at which somebody uses a tool: a repository, its clones, and the runs in them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlpipe_ci.core.patterns import matches

MLPIPE = str(Path(sys.executable).parent / "mlpipe")
SHOWN = 6000
"""Characters at the end of an output that a failed test prints."""


@dataclass(frozen=True)
class Ran:
    """A run: the names of the steps whose commands ran, the notes of all, and what was shown."""

    commands: frozenset[str]
    notes: tuple[str, ...]
    text: str = field(repr=False)


@dataclass
class Desk:
    """A repository with one project. `path`: where programs are found; `settings`: variables."""

    top: Path
    path: str
    settings: dict[str, str]

    @property
    def root(self) -> Path:
        """The work tree."""
        return self.top / "desk"

    def make(self, project: Path, setup: tuple[str, ...], before: tuple[str, ...]) -> None:
        """Copy the project, run what a user does before the first commit, and before a run."""
        shutil.copytree(project, self.root, symlinks=True)
        self.git("init", "-q", "-b", "main")
        for command in setup:
            self.shell(command)
        self.commit("First")
        for command in before:
            self.shell(command)

    def environment(self, home: str, more: Mapping[str, str]) -> dict[str, str]:
        """What a program is started with, by a user with this home directory."""
        place = self.top / home
        place.mkdir(exist_ok=True)
        own = {"PATH": self.path, "HOME": str(place), "MLPIPE_TRACER": "auto"}
        return {**os.environ, **own, **self.settings, **more}

    def shell(self, command: str, root: Path | None = None) -> str:
        """Run a command of the user's, return what it prints; fail if it fails."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=root or self.root,
            env=self.environment("home", {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def git(self, *words: str) -> None:
        """Run git."""
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        """Commit all that git does not ignore."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def clone(self, name: str, before: tuple[str, ...]) -> Path:
        """A fresh clone of what is checked out, made ready."""
        made = self.top / name
        command = ["git", "clone", "-q", str(self.root), str(made)]
        subprocess.run(command, check=True, capture_output=True)
        for words in before:
            self.shell(words, made)
        return made

    def run(
        self,
        root: Path,
        home: str = "home",
        cache: str = "cache",
        force: str = "",
        **more: str,
    ) -> Ran:
        """Run the workflow in a work tree, as a user does; fail if it fails. `force`: a step that
        is to run though its result is known; `more`: variables.
        """
        env = self.environment(home, {"MLPIPE_CACHE_DIR": str(self.top / cache), **more})
        done = subprocess.run(
            [MLPIPE, "run", "--json", *(("--force", force) if force else ())],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        shown = f"{done.stdout[-SHOWN:]}\n{done.stderr[-SHOWN:]}"
        assert done.returncode == 0, shown
        steps = json.loads(done.stdout)["steps"]
        commands = frozenset(step["name"] for step in steps if step["status"] == "succeeded")
        notes = tuple(f"{step['name']}: {note}" for step in steps for note in step["notes"])
        return Ran(commands, notes, f"{done.stderr}\n" + "\n".join(notes))


def is_any(patterns: tuple[str, ...], path: str) -> bool:
    """True if one of the patterns means a path."""
    return any(matches(pattern, path) for pattern in patterns)


def tree(root: Path, state: tuple[str, ...], varies: Mapping[str, str]) -> dict[str, str]:
    """All files and links outside of `.git` with permissions and digests, but byte code and state.

    Of files that `varies` names, what its expression finds is left out.
    """
    found = {}
    for top, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in {".git", "__pycache__"}]
        for name in (*names, *folders):
            path = Path(top) / name
            shown = path.relative_to(root).as_posix()
            if is_any(state, shown):
                continue
            if path.is_symlink():
                found[shown] = f"leads to {path.readlink()}"
            elif path.is_file():
                content = path.read_bytes()
                for pattern, words in varies.items():
                    if matches(pattern, shown):
                        content = re.sub(words.encode(), b"", content)
                digest = hashlib.sha256(content).hexdigest()[:12]
                found[shown] = f"{path.stat().st_mode & 0o777:o} {digest}"
    return found


def differences(there: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """The paths that are not the same in two trees, with both sides."""
    return [
        f"{path}: {there.get(path, 'nothing')}, wanted {wanted.get(path, 'nothing')}"
        for path in sorted(there.keys() | wanted.keys())
        if there.get(path) != wanted.get(path)
    ]
