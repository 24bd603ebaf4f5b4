"""A git repository for one test, and what tests know of the machine they run on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
KEPT = ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "COVERAGE_PROCESS_START")
"""What tests inherit of the environment; all else is unknown to them."""
SHOWN = 4000
"""Characters at the end of an output that a failed test prints."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
INHERITED = dict(os.environ)
"""What the guards take away; for the one test that installs packages."""


def bare_environment(patch: pytest.MonkeyPatch) -> None:
    """No home, no GITHUB_*, no git configuration, nothing else that only this machine has."""
    for name in list(os.environ):
        if name not in KEPT:
            patch.delenv(name)
    for name, value in NOBODY.items():
        patch.setenv(name, value)
    patch.setenv("HOME", "/dev/null/home-of-tests")


class Repo:
    """A git repository for one test, and mlpipe run in it as a user would."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write files by path."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.root / name).read_text()

    def git(self, *arguments: str) -> str:
        """Run git, return what it prints."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "change") -> str:
        """Write files, commit all, return the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def mlpipe(
        self, *arguments: str, code: int | None = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run mlpipe in a process of its own; fail if its exit code is not `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "mlpipe_ci", *arguments],
            cwd=self.root,
            env=os.environ | env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout[-SHOWN:] + done.stderr[-SHOWN:]
        assert "this is a fault of mlpipe" not in done.stderr, done.stderr
        return done
