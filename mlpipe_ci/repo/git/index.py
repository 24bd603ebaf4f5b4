"""What git tracks: the index, each entry read when it is asked for."""

import os
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from itertools import repeat

from mlpipe_ci.core.frozen import frozen

SUBMODULE = "160000"
SYMLINK = "120000"


@frozen(kw_only=False)
class IndexEntry:
    """One tracked path as the index has it: mode (`100644` …), object id, and if it is as usual.

    Not `plain`: in a merge conflict, or hidden from status by a flag. `sparse`: a sparse checkout
    leaves it out.
    """

    mode: str
    oid: str
    plain: bool
    sparse: bool = False


class GitIndex:
    """All tracked paths. `raw`: what `git ls-files -s -v -z` prints."""

    def __init__(self, raw: bytes = b"") -> None:
        records = os.fsdecode(raw).split("\0")[:-1]
        parts = map(str.partition, records, repeat("\t"))
        self._found = {path: about for about, _, path in parts}

    def __contains__(self, path: object) -> bool:
        return path in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, path: str) -> IndexEntry | None:
        """The entry of a path, None if it is not tracked."""
        about = self._found.get(path)
        if about is None:
            return None
        flag, mode, oid, stage = about.split()
        plain = flag == "H" and stage == "0" and oid.strip("0") != ""
        return IndexEntry(mode, oid, plain, flag in {"S", "s"})

    def plain_files(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Paths below a prefix, and `H 100644 <object id> 0` of each ordinary file; else an empty
        text. 100,000 files come by here.
        """
        found = self._found
        for path in self.under(prefix):
            about = found[path]
            usual = about[:5] == "H 100" and about[-2:] == " 0" and about[9:17] != "00000000"
            yield path, about if usual else ""

    def under(self, prefix: str) -> list[str]:
        """Tracked paths that begin with a prefix that ends in `/`, sorted; all for an empty one."""
        if not prefix:
            return self._sorted
        end = prefix[:-1] + "0"  # the character after `/`
        return self._sorted[bisect_left(self._sorted, prefix) : bisect_left(self._sorted, end)]

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._found)

    @cached_property
    def submodules(self) -> tuple[str, ...]:
        """Paths at which another repository belongs."""
        mark = f" {SUBMODULE} "
        return tuple(path for path, about in self._found.items() if mark in about)

    @cached_property
    def sparse(self) -> tuple[str, ...]:
        """Paths that a sparse checkout leaves out."""
        return tuple(path for path, about in self._found.items() if about[0] in "Ss")
