"""What a runner of GitHub Actions gives a job: its log, a directory, its outputs."""

from collections.abc import Mapping
from pathlib import Path


def reads_commands(env: Mapping[str, str]) -> bool:
    """True if what is printed goes to a log in which workflow commands count."""
    return env.get("GITHUB_ACTIONS") == "true"


def repository_of(env: Mapping[str, str]) -> str:
    """The repository of the job (`owner/name`), empty if there is none."""
    return env.get("GITHUB_REPOSITORY", "")


def temporary_directory(env: Mapping[str, str]) -> Path | None:
    """A directory that the runner empties before and after each job."""
    path = env.get("RUNNER_TEMP")
    return Path(path) if path else None


def set_outputs(env: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Give later steps of the job values of one line each, if a runner asks for any."""
    if path := env.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={text}\n" for name, text in outputs.items())
