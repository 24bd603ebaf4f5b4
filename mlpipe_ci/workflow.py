"""What the workflow file says, as frozen values, and the rules about its paths."""

import posixpath
import re
from dataclasses import dataclass

GLOB_CHARACTERS = "*?["
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""The shell of a step's command, the same as GitHub's for `shell: bash`."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command with its inputs and outputs. Paths are relative to the root, with `/`."""

    id: str
    name: str
    run: str
    env: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    condition: str | None = None
    cache: bool | None = None
    line: int = 1

    @property
    def writes(self) -> tuple[str, ...]:
        """All paths that the step declares to write: its outputs and its metrics files."""
        return tuple(dict.fromkeys(self.outputs + self.metrics))

    @property
    def undeclared(self) -> bool:
        """True if the step says neither what it reads nor what it writes."""
        return not self.inputs and not self.writes


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """An ordered list of steps. `file` is the path of its file, as the user would name it."""

    name: str
    file: str
    steps: tuple[Step, ...]

    @property
    def writes(self) -> tuple[str, ...]:
        """All paths that any step declares to write."""
        return tuple(path for step in self.steps for path in step.writes)


def slug(name: str) -> str:
    """A step's default id: its name in lower case, with `-` for all but `a-z 0-9 _ -`."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")


def is_glob(pattern: str) -> bool:
    """True if the path holds a wildcard."""
    return any(character in pattern for character in GLOB_CHARACTERS)


def normal(path: str) -> str:
    """The one spelling of a path: `./a//b` is `a/b`; a directory keeps its `/` at the end."""
    plain = posixpath.normpath(path)
    return plain + "/" if path.endswith("/") and plain != "." else plain


def path_fault(path: str) -> str | None:
    """Say why a declared path is refused (absolute, out of the repository, in `.git`), or None."""
    if not path.strip():
        return "an empty path"
    if "\0" in path:
        return "a path with a null byte"
    if path.startswith(("/", "~")):
        return f"'{path}' is absolute; write it relative to the root of the repository"
    parts = posixpath.normpath(path).split("/")
    if parts[0] == "..":
        return f"'{path}' leaves the repository; copy or link the data into it in an earlier step"
    if ".git" in parts:
        return f"'{path}' is inside .git, which belongs to git alone"
    return None


def literal_prefix(pattern: str) -> str:
    """The directories before the first wildcard of a pattern: `data/*/x.csv` gives `data`."""
    parts = pattern.rstrip("/").split("/")
    kept = [part for index, part in enumerate(parts) if not is_glob("/".join(parts[: index + 1]))]
    return "/".join(kept)


def is_under(path: str, output: str) -> bool:
    """True if `path` is the declared output, or lies inside of it if that is a directory."""
    return path.rstrip("/") == output.rstrip("/") or path.startswith(output.rstrip("/") + "/")
