"""Keeps what was measured as JSON, so that a part can be measured again."""

import dataclasses
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from measure import Sample
from session import Round, Session

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "bench"


@dataclasses.dataclass
class Kept:
    """A session as it was kept: with the commit, the machine and the versions of the tools."""

    commit: str
    machine: str
    rounds: list[Round]
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    wrong: dict[str, str] = dataclasses.field(default_factory=dict)
    """Tools that could not be measured, and why."""
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The columns that were measured."""
        return list(dict.fromkeys(name for done in self.rounds for name in done))


def keep(name: str, kept: Kept, directory: Path = KEPT) -> None:
    """Add a session; older ones go once a newer one has all that they have."""
    sessions = [*load(name, directory), kept]
    newer: set[str] = set()
    left = []
    for session in reversed(sessions):
        columns = {*session.names, *session.wrong}
        if columns - newer:
            left.append(session)
        newer |= columns
    directory.mkdir(parents=True, exist_ok=True)
    values = [dataclasses.asdict(session) for session in reversed(left)]
    (directory / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")


def load(name: str, directory: Path = KEPT) -> list[Kept]:
    """The sessions of a work, oldest first."""
    path = directory / f"{name}.json"
    return [_kept(value) for value in json.loads(path.read_text())] if path.is_file() else []


def dressed(session: Session, versions: dict[str, str], missing: dict[str, str]) -> Kept:
    """A session with what is known about where it was measured."""
    cores = f"{os.cpu_count()} cores"
    machine = f"{platform.system()} {platform.machine()}, {cores}, Python"
    return Kept(
        commit=_commit(),
        machine=f"{machine} {platform.python_version()}",
        rounds=session.rounds,
        versions=versions,
        wrong=missing | session.wrong,
    )


def _kept(value: dict[str, Any]) -> Kept:
    rounds = [{name: Sample(**s) for name, s in done.items()} for done in value.pop("rounds")]
    return Kept(rounds=rounds, **value)


def _commit() -> str:
    """The commit that is measured, with a plus if the program is not as committed."""
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    words = ["git", "-C", str(ROOT), "status", "--porcelain", "mlpipe_ci"]
    changed = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return f"{commit or 'unknown'}{'+' if changed else ''}"
