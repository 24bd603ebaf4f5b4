"""Which paths of a trace say nothing about what a step would do. Pure."""

import re

from mlpipe_ci.paths import above

FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".venv", "venv"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".idea", ".vscode"),
        *(".cache", ".tox", ".nox", ".DS_Store", ".coverage", ".snakemake"),
    }
)
"""Caches and the notes of tools: what is in them changes nothing that a step computes."""
LEFTOVER = re.compile(r"(-journal|-wal|-shm|~|\.swp|\.swx|\.py[co](\.\d+)?)$")
NOISE = rf"(?:.*/)?(?:{'|'.join(map(re.escape, sorted(FOLDERS)))})(?:/.*)?|.*{LEFTOVER.pattern}"
"""The same as one expression for a whole path."""
BYTE_CODE = re.compile(
    r"(?:(?P<place>.*)/)?__pycache__/(?P<name>[^/]+)\.[^./]+-[^./]+(\.opt-\d)?\.pyc"
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
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what lies there is left out
LIBRARY = re.compile(r"\.(so|dylib)(\.\d+)*$|/lib(64)?/python\d\.\d+/")


def is_noise(path: str) -> bool:
    """True for a path of the repository that does not count."""
    return bool(LEFTOVER.search(path)) or not FOLDERS.isdisjoint(path.split("/"))


def source_of(path: str) -> str:
    """The Python source that a byte-code file was made from; empty for all else."""
    found = BYTE_CODE.fullmatch(path)
    if not found:
        return ""
    place = found["place"]
    return f"{place}/{found['name']}.py" if place else f"{found['name']}.py"


def prefixes(programs: tuple[str, ...]) -> tuple[str, ...]:
    """Directories that belong to the programs that ran: their environment, not their data."""
    places = {path.rpartition("/bin/")[0] for path in programs if "/bin/" in path}
    return tuple(f"{place}/{name}" for place in sorted(places) if place for name in PREFIXES)


def is_data(path: str, root: str, environment: tuple[str, ...], home: str, temporary: str) -> bool:
    """True if a file outside of the repository is data: not a program's, not the user's settings.

    `environment`: see `prefixes`; `home` and `temporary`: directories, empty if not known.
    """
    around = (*above(root), *above(path))
    if path in around[: root.count("/")] or LIBRARY.search(path) or path.endswith("/pyvenv.cfg"):
        return False
    if home and path.startswith(f"{home}/."):
        return False
    others = (*TEMPORARY, *environment, *((temporary,) if temporary else ()))
    return not any(path.startswith(f"{other.rstrip('/')}/") or path == other for other in others)
