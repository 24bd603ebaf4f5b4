"""A copy of the program, extended as a contributor would: one file and one line of a table."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.repository import ROOT


class ProgramCopy:
    """A copy of the package and its schemas in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("mlpipe_ci", "schema"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, directory / name, ignore=ignored)

    @property
    def env(self) -> dict[str, str]:
        """What makes `python -m mlpipe_ci` run the copy."""
        return {"PYTHONPATH": os.fspath(self.directory)}

    def add(self, path: str, text: str) -> None:
        """Write a new module; `path` is relative to the package."""
        file = self.directory / "mlpipe_ci" / path
        assert not file.exists(), path
        file.write_text(text)

    def add_line(self, path: str, table: str, line: str) -> None:
        """Add a line at the end of a table, a dict called `table`."""
        file = self.directory / "mlpipe_ci" / path
        before, start, rest = re.split(rf"^({table}\b.*{{)$", file.read_text(), flags=re.MULTILINE)
        entries, end, after = rest.partition("\n}\n")
        file.write_text(f"{before}{start}{entries}\n    {line}{end}{after}")

    def mlpipe(self, *arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the copy; fail if its exit code is not `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "mlpipe_ci", *arguments],
            cwd=cwd,
            env=os.environ | self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


def copied_package(tmp_path: Path) -> ProgramCopy:
    """The program as it is, to be extended."""
    return ProgramCopy(tmp_path / "extended")
