"""What nobody has to declare under `tracing: strict`: the notes and caches of tools. Pure."""

import re

from mlpipe_ci.core.regex import regex

FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".venv", "venv"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
        *(".cache", ".tox", ".nox", ".DS_Store", ".coverage", ".snakemake"),
    }
)
LEFTOVER = regex(r"(\.\w+-(?:journal|wal|shm)|~|\.swp|\.swx|\.py[co](\.\d+)?)$")
NOISE = rf"(?:.*/)?(?:{'|'.join(map(re.escape, sorted(FOLDERS)))})(?:/.*)?|.*{LEFTOVER.pattern}"
"""An expression for a whole path."""
