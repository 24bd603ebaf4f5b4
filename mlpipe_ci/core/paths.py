"""The rules of declared paths: relative to the root, with `/`, inside of the repository. Pure."""

import posixpath
from collections.abc import Iterator

SHOWN = 3
"""Paths that a sentence names."""


def is_glob(pattern: str) -> bool:
    """True if the path holds a wildcard."""
    return "*" in pattern or "?" in pattern or "[" in pattern


def normal(path: str) -> str:
    """The one spelling of a path: `./a//b` is `a/b`; a directory keeps its `/` at the end."""
    plain = posixpath.normpath(path) if path else ""
    return plain + "/" if path.endswith("/") and plain != "." else plain


def normal_pattern(pattern: str) -> str:
    """The one spelling of an input pattern, which may begin with `!`."""
    return "!" + normal(pattern[1:]) if pattern.startswith("!") else normal(pattern)


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
    if not is_glob(pattern):
        return pattern.rstrip("/")
    parts = pattern.rstrip("/").split("/")
    kept = [part for index, part in enumerate(parts) if not is_glob("/".join(parts[: index + 1]))]
    return "/".join(kept)


def is_under(path: str, output: str) -> bool:
    """True if `path` is the declared output, or lies inside of it if that is a directory."""
    plain = output.rstrip("/")
    return path.startswith(plain) and (path.rstrip("/") == plain or path.startswith(plain + "/"))


def above(path: str) -> Iterator[str]:
    """All directories that a path lies in, the nearest first: `a/b/c` gives `a/b`, `a`."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def some(paths: tuple[str, ...]) -> str:
    """The first few of them, as a sentence names them."""
    return ", ".join(paths[:SHOWN]) + (", …" if len(paths) > SHOWN else "")
