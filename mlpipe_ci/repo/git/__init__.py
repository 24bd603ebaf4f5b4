"""The only package that talks to git; plain values out. `command` alone knows GitPython."""

from mlpipe_ci.repo.git.checkout import (
    OURS,
    CheckoutTarget,
    check_out,
    empty,
    fetch_large_files,
    give_up,
    is_unstarted,
    move_to,
    resolve,
)
from mlpipe_ci.repo.git.command import HEX_ID, clear_local_environment, is_null
from mlpipe_ci.repo.git.commits import Difference
from mlpipe_ci.repo.git.history import Common, History
from mlpipe_ci.repo.git.index import SUBMODULE, SYMLINK, GitIndex, IndexEntry
from mlpipe_ci.repo.git.remote import Remote
from mlpipe_ci.repo.git.repository import Git, Snapshot, open_git
from mlpipe_ci.repo.git.second_directory import second_directory

__all__ = [
    "HEX_ID",
    "OURS",
    "SUBMODULE",
    "SYMLINK",
    "CheckoutTarget",
    "Common",
    "Difference",
    "Git",
    "GitIndex",
    "History",
    "IndexEntry",
    "Remote",
    "Snapshot",
    "check_out",
    "clear_local_environment",
    "empty",
    "fetch_large_files",
    "give_up",
    "is_null",
    "is_unstarted",
    "move_to",
    "open_git",
    "resolve",
    "second_directory",
]
