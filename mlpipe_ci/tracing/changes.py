"""Calls that make, move and remove."""

import os
import stat

from mlpipe_ci.tracing.sight import GO_ON, HERE, Arguments, Call, Deed, Sight, Verdict
from mlpipe_ci.tracing.sightings import ABSENT, EXISTS


class Changes:
    """Notes what a step writes other than by opening it."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def calls(self) -> dict[str, Call]:
        """The calls that are looked at here."""
        return {
            "truncate": (self._truncate, ()),
            "unlink": (self._remove, (HERE, 0)),
            "rmdir": (self._remove, (HERE, 0)),
            "unlinkat": (self._remove, (0, 1)),
            "mkdir": (self._make, (HERE, 0)),
            "mkdirat": (self._make, (0, 1)),
            "mknod": (self._create, (HERE, 0)),
            "mknodat": (self._create, (0, 1)),
            "symlink": (self._create, (HERE, 1)),
            "symlinkat": (self._create, (1, 2)),
            "rename": (self._rename, (HERE, 0, HERE, 1)),
            "renameat": (self._rename, (0, 1, 2, 3)),
            "renameat2": (self._rename, (0, 1, 2, 3)),
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

    def _remove(self, thread: int, arguments: Arguments, directory: int, path: int) -> Verdict:
        sight = self._sight
        full = sight.full(thread, arguments, directory, path).rstrip(b"/")
        found, status = sight.places.find(full, follow=False)
        if status is None:
            return 0, lambda: sight.seen.saw(found, ABSENT)
        refused = self._refuses(found, status)
        sight.places.forget()
        return refused, self._forgetting(lambda: sight.seen.removed(found))

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

    def _rename(
        self, thread: int, arguments: Arguments, base: int, path: int, to: int, target: int
    ) -> Verdict:
        sight = self._sight
        source_full = sight.full(thread, arguments, base, path).rstrip(b"/")
        target_full = sight.full(thread, arguments, to, target).rstrip(b"/")
        source, status = sight.places.find(source_full, follow=False)
        place, there = sight.places.find(target_full, follow=False)
        if status is None:
            return 0, lambda: sight.seen.saw(source, ABSENT)
        refused = self._refuses(source, status) or self._refuses(place, there)
        sight.places.forget()
        is_directory = stat.S_ISDIR(status.st_mode)
        return refused, self._forgetting(
            lambda: sight.seen.moved(source, place, is_directory=is_directory)
        )

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
