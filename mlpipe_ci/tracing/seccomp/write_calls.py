"""Calls that make, move and remove."""

import os
import stat

from mlpipe_ci.tracing.access_log import ABSENT, EXISTS, LISTED
from mlpipe_ci.tracing.seccomp.call_context import (
    GO_ON,
    HERE,
    Arguments,
    Call,
    Deed,
    Sight,
    Verdict,
)

REMOVE_DIRECTORY = 0x200
NO_REPLACE, EXCHANGE = 1, 2


class Changes:
    """Notes what a step writes other than by opening it."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def calls(self) -> dict[str, Call]:
        """The calls that are looked at here."""
        return {
            "truncate": (self._truncate, ()),
            "unlink": (self._remove, (HERE, 0, -1)),
            "rmdir": (self._remove, (HERE, 0, -2)),
            "unlinkat": (self._remove, (0, 1, 2)),
            "mkdir": (self._make, (HERE, 0)),
            "mkdirat": (self._make, (0, 1)),
            "mknod": (self._create, (HERE, 0)),
            "mknodat": (self._create, (0, 1)),
            "symlink": (self._create, (HERE, 1)),
            "symlinkat": (self._create, (1, 2)),
            "rename": (self._rename, (HERE, 0, HERE, 1, -1)),
            "renameat": (self._rename, (0, 1, 2, 3, -1)),
            "renameat2": (self._rename, (0, 1, 2, 3, 4)),
            "link": (self._link, (HERE, 0, HERE, 1)),
            "linkat": (self._link, (0, 1, 2, 3)),
        }

    def _refuses(self, found: bytes, status: os.stat_result | None) -> int:
        self._sight.elsewhere.clear()
        return self._sight.refuses(found, status, write=True)

    def _truncate(self, thread: int, arguments: Arguments) -> Verdict:
        sight = self._sight
        found, status = sight.places.find(sight.full(thread, arguments, HERE, 0))
        if status is None:
            return 0, lambda: sight.seen.saw(found, ABSENT)
        fresh = arguments[1] == 0
        refused = self._refuses(found, status)
        return refused, lambda: sight.seen.wrote(found, was_there=True, fresh=fresh)

    def _remove(
        self, thread: int, arguments: Arguments, directory: int, path: int, flags: int
    ) -> Verdict:
        """`flags`: the argument that says whether a directory is meant; -1: no, -2: yes."""
        sight = self._sight
        folder = flags == -2 or (flags >= 0 and bool(arguments[flags] & REMOVE_DIRECTORY))  # noqa: PLR2004
        full = sight.full(thread, arguments, directory, path).rstrip(b"/")
        found, status = sight.places.find(full, follow=False)
        if status is None:
            return 0, lambda: sight.seen.saw(found, ABSENT)
        if folder != stat.S_ISDIR(status.st_mode) or (folder and _is_full(found)):
            return self._fails(found, LISTED if folder else EXISTS)
        if not _may_change(found):
            return self._fails(found, EXISTS)
        refused = self._refuses(found, status)
        sight.places.forget()
        return refused, self._forgetting(lambda: sight.seen.removed(found))

    def _fails(self, *seen: bytes | int) -> Verdict:
        """The kernel will refuse it (unlink(2), rmdir(2), rename(2)): what that tells is noted."""
        sight = self._sight
        *paths, flag = seen

        def note() -> None:
            for path in paths:
                if isinstance(path, bytes) and isinstance(flag, int) and sight.is_inside(path):
                    sight.seen.saw(path, flag)

        return 0, note

    def _forgetting(self, deed: Deed) -> Deed:
        """Others may have looked between the question and the change."""

        def done() -> None:
            self._sight.places.forget()
            deed()

        return done

    def _make(self, thread: int, arguments: Arguments, directory: int, path: int) -> Verdict:
        sight = self._sight
        full = sight.full(thread, arguments, directory, path).rstrip(b"/")
        found, status = sight.places.find(full, follow=False)
        if status is not None:
            return GO_ON  # that it is there already is what most who make one want
        sight.elsewhere.clear()
        return 0, lambda: sight.seen.made(found)

    def _create(self, thread: int, arguments: Arguments, directory: int, path: int) -> Verdict:
        sight = self._sight
        full = sight.full(thread, arguments, directory, path)
        found, status = sight.places.find(full, follow=False)
        if status is not None:
            return 0, lambda: sight.seen.saw(found, EXISTS)
        refused = self._refuses(found, status)
        sight.places.forget()
        deed = self._forgetting(lambda: sight.seen.wrote(found, was_there=False, fresh=True))
        return refused, deed

    def _rename(  # noqa: PLR0913, PLR0917 - renameat2(2) has five
        self,
        thread: int,
        arguments: Arguments,
        base: int,
        path: int,
        to: int,
        target: int,
        flags: int,
    ) -> Verdict:
        sight = self._sight
        source_full = sight.full(thread, arguments, base, path).rstrip(b"/")
        target_full = sight.full(thread, arguments, to, target).rstrip(b"/")
        source, status = sight.places.find(source_full, follow=False)
        place, there = sight.places.find(target_full, follow=False)
        if status is None:
            return 0, lambda: sight.seen.saw(source, ABSENT)
        given = arguments[flags] if flags >= 0 else 0
        if given & EXCHANGE:
            return 0, lambda: self._exchanged(source, place)
        if there is not None and not _can_replace(status, there, place, given):
            return self._fails(source, place, LISTED if stat.S_ISDIR(there.st_mode) else EXISTS)
        if not (_may_change(source) and _may_change(place)):
            return self._fails(source, EXISTS)
        refused = self._refuses(source, status) or self._refuses(place, there)
        sight.places.forget()
        is_directory = stat.S_ISDIR(status.st_mode)
        return refused, self._forgetting(
            lambda: sight.seen.moved(source, place, is_directory=is_directory)
        )

    def _exchanged(self, *paths: bytes) -> None:
        """Two files take each other's place: rare, and not followed."""
        if any(map(self._sight.is_inside, paths)):
            self._sight.faults["a process exchanged two files in one call"] = None

    def _link(
        self, thread: int, arguments: Arguments, base: int, path: int, to: int, target: int
    ) -> Verdict:
        """A new name for a file; one without a name gets its first (O_TMPFILE)."""
        sight = self._sight
        source, status = sight.places.find(sight.full(thread, arguments, base, path))
        place, there = sight.places.find(sight.full(thread, arguments, to, target), follow=False)
        if there is not None:
            return 0, lambda: sight.seen.saw(place, EXISTS)
        refused = self._refuses(place, there)
        if status is None or not sight.is_inside(source):
            return refused, lambda: sight.seen.wrote(place, was_there=False, fresh=True)
        return refused, lambda: sight.seen.linked(source, place)


def _is_full(place: bytes) -> bool:
    """True for a directory with something in it."""
    try:
        with os.scandir(place) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _may_change(path: bytes) -> bool:
    """True if the directory that holds a path can be changed."""
    return os.access(os.path.dirname(path), os.W_OK | os.X_OK)


def _can_replace(source: os.stat_result, target: os.stat_result, place: bytes, flags: int) -> bool:
    """True if what is at a target can be replaced by renaming (rename(2))."""
    if flags & NO_REPLACE or (source.st_dev, source.st_ino) == (target.st_dev, target.st_ino):
        return False
    folder = stat.S_ISDIR(target.st_mode)
    if stat.S_ISDIR(source.st_mode) != folder:
        return False
    return not (folder and _is_full(place))
