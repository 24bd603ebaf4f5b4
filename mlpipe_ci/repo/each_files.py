"""Which files `each` means: those of the work tree, or of anywhere that can be listed."""

from collections.abc import Callable, Iterable
from pathlib import Path

from mlpipe_ci.core.paths import is_glob, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import ForEach
from mlpipe_ci.repo.disk import Disk

Items = Callable[[ForEach], tuple[str, ...]]
"""The files that are meant, sorted. Raises PathError."""


def on_disk(root: Path, each: ForEach) -> tuple[str, ...]:
    """Paths of the files that are there now, sorted. Raises PathError."""
    disk = Disk(root)
    found: set[str] = set()
    for pattern in included(each.patterns):
        top = literal_prefix(pattern)
        if not is_glob(pattern) and Path(disk.at(top)).is_file():
            found.add(top)
        walk = disk.walk(top, each.step, follow=True)
        found.update(path for path in walk if matches(pattern, path))
    return chosen(each.patterns, found)


def included(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns that take files in."""
    return tuple(pattern for pattern in patterns if not pattern.startswith("!"))


def chosen(patterns: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Of the paths those that no pattern takes out again, sorted."""
    excludes = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return tuple(sorted(p for p in paths if not any(matches(one, p) for one in excludes)))
