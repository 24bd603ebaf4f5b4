"""A copy of the program, extended as a contributor would: one file and one line of a table."""

import os
import shutil
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
        before, start, rest = file.read_text().partition(f"\n{table} = {{\n")
        assert start, f"there is no table {table} in {path}"
        entries, end, after = rest.partition("\n}\n")
        file.write_text(f"{before}{start}{entries}\n    {line}{end}{after}")


def copied_package(tmp_path: Path) -> ProgramCopy:
    """The program as it is, to be extended."""
    return ProgramCopy(tmp_path / "extended")
