"""Which paths of a trace say nothing about what a step would do. Pure."""

import re

from mlpipe_ci.core.paths import above

FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".venv", "venv"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
        *(".cache", ".tox", ".nox", ".DS_Store", ".coverage", ".snakemake"),
    }
)
"""Caches and the notes of tools: what is in them changes nothing that a step computes."""
LEFTOVER = re.compile(r"(\.\w+-(?:journal|wal|shm)|~|\.swp|\.swx|\.py[co](\.\d+)?)$")
NOISE = rf"(?:.*/)?(?:{'|'.join(map(re.escape, sorted(FOLDERS)))})(?:/.*)?|.*{LEFTOVER.pattern}"
"""The same as one expression for a whole path."""
BYTE_CODE = re.compile(
    r"(?:(?P<directory>.*)/)?__pycache__/(?P<name>[^/]+)\.[^./]+-[^./]+(\.opt-\d)?\.pyc"
)
PREFIXES = (
    "bin",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "include",
    "share",
    "etc",
    "ssl",
    "conda-meta",
)
"""What belongs to a program beside it, where `PREFIX/bin` is where it lies."""
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - listing these means nothing
CACHE = re.compile(r"(?:.*/)?\.cache(?=/)")
LIBRARY = re.compile(r"\.(so|dylib)(\.\d+)*$|/lib(64)?/python\d\.\d+/")


def is_noise(path: str) -> bool:
    """True for a path of the repository that does not count."""
    return bool(LEFTOVER.search(path)) or not FOLDERS.isdisjoint(path.split("/"))


def source_of(path: str) -> str:
    """The Python source that a byte-code file was made from; empty for all else."""
    found = BYTE_CODE.fullmatch(path)
    if not found:
        return ""
    directory = found["directory"]
    return f"{directory}/{found['name']}.py" if directory else f"{found['name']}.py"


def prefixes(programs: tuple[str, ...]) -> tuple[str, ...]:
    """Directories above the `bin` of programs that ran."""
    paths = {path.rpartition("/bin/")[0] for path in programs if "/bin/" in path}
    return tuple(sorted(path for path in paths if path))


def parts_of(path: str) -> tuple[str, ...]:
    """What belongs to the programs below a directory."""
    return tuple(f"{path}/{name}" for name in PREFIXES)


def is_data(path: str, root: str, environment: tuple[str, ...], home: str) -> bool:
    """True if a file outside of the repository is data: not a program's, not the user's settings.

    `environment`: what belongs to programs, see `parts_of`; `home`: empty if it is not known.
    """
    around = (*above(root), *above(path))
    if path in around[: root.count("/")] or LIBRARY.search(path) or path.endswith("/pyvenv.cfg"):
        return False
    if home and path.startswith(f"{home}/."):
        return False
    return not any(path.startswith(f"{other}/") or path == other for other in environment)
