"""Calls that make, move and remove."""

import os
import stat

from mlpipe_ci.tracing.access_log import FOUND, LISTED, NOT_FOUND
from mlpipe_ci.tracing.file_identity import signature_of
from mlpipe_ci.tracing.seccomp.call_context import (
    GO_ON,
    HERE,
    Arguments,
    Call,
    CallContext,
    Deed,
    Verdict,
)

REMOVE_DIRECTORY = 0x200
NO_REPLACE, EXCHANGE = 1, 2


class WriteCalls:
    """Notes what a step writes other than by opening it."""

    def __init__(self, context: CallContext) -> None:
        self._context = context

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
        self._context.elsewhere.clear()
        return self._context.refuses(found, status, write=True)

    def _truncate(self, thread: int, arguments: Arguments) -> Verdict:
        context = self._context
        found, status = context.resolver.find(context.full(thread, arguments, HERE, 0))
        if status is None:
            return 0, lambda: context.seen.saw(found, NOT_FOUND)
        fresh, signature = arguments[1] == 0, signature_of(status)
        refused = self._refuses(found, status)
        context.will_change(found, status, fresh=fresh)
        return refused, lambda: context.seen.wrote(
            found, was_there=True, fresh=fresh, signature=signature
        )

    def _remove(
        self, thread: int, arguments: Arguments, directory: int, path: int, flags: int
    ) -> Verdict:
        """`flags`: the argument that says whether a directory is meant; -1: no, -2: yes."""
        context = self._context
        folder = flags == -2 or (flags >= 0 and bool(arguments[flags] & REMOVE_DIRECTORY))  # noqa: PLR2004
        full = context.full(thread, arguments, directory, path).rstrip(b"/")
        found, status = context.resolver.find(full, follow=False)
        if status is None:
            return 0, lambda: context.seen.saw(found, NOT_FOUND)
        if folder != stat.S_ISDIR(status.st_mode) or (folder and _is_full(found)):
            return self._fails(found, LISTED if folder else FOUND)
        if not _may_change(found):
            return self._fails(found, FOUND)
        refused = self._refuses(found, status)
        context.will_change(found, status, fresh=True)
        context.resolver.forget()
        return refused, self._forgetting(lambda: context.seen.removed(found))

    def _fails(self, *seen: bytes | int) -> Verdict:
        """The kernel will refuse it (unlink(2), rmdir(2), rename(2)): what that shows is noted."""
        context = self._context
        *paths, flag = seen

        def note() -> None:
            for path in paths:
                if isinstance(path, bytes) and isinstance(flag, int) and context.is_inside(path):
                    context.seen.saw(path, flag)

        return 0, note

    def _forgetting(self, deed: Deed) -> Deed:
        """Others may have looked between the question and the change."""

        def done() -> None:
            self._context.resolver.forget()
            deed()

        return done

    def _make(self, thread: int, arguments: Arguments, directory: int, path: int) -> Verdict:
        context = self._context
        full = context.full(thread, arguments, directory, path).rstrip(b"/")
        found, status = context.resolver.find(full, follow=False)
        if status is not None:
            return GO_ON  # that it is there already is what most who make one want
        context.elsewhere.clear()
        return 0, lambda: context.seen.made(found)

    def _create(self, thread: int, arguments: Arguments, directory: int, path: int) -> Verdict:
        context = self._context
        full = context.full(thread, arguments, directory, path)
        found, status = context.resolver.find(full, follow=False)
        if status is not None:
            return 0, lambda: context.seen.saw(found, FOUND)
        refused = self._refuses(found, status)
        context.resolver.forget()
        deed = self._forgetting(lambda: context.seen.wrote(found, was_there=False, fresh=True))
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
        context = self._context
        source_full = context.full(thread, arguments, base, path).rstrip(b"/")
        target_full = context.full(thread, arguments, to, target).rstrip(b"/")
        source, status = context.resolver.find(source_full, follow=False)
        destination, there = context.resolver.find(target_full, follow=False)
        if status is None:
            return 0, lambda: context.seen.saw(source, NOT_FOUND)
        given = arguments[flags] if flags >= 0 else 0
        if given & EXCHANGE:
            return 0, lambda: self._exchanged(source, destination)
        if there is not None and not _can_replace(status, there, destination, given):
            return self._fails(
                source, destination, LISTED if stat.S_ISDIR(there.st_mode) else FOUND
            )
        if not (_may_change(source) and _may_change(destination)):
            return self._fails(source, FOUND)
        refused = self._refuses(source, status) or self._refuses(destination, there)
        context.will_change(destination, there, fresh=True)
        context.resolver.forget()
        is_directory, signature = stat.S_ISDIR(status.st_mode), signature_of(status)
        return refused, self._forgetting(
            lambda: context.seen.moved(
                source, destination, is_directory=is_directory, signature=signature
            )
        )

    def _exchanged(self, *paths: bytes) -> None:
        """Two files take each other's place: rare, and not followed."""
        if any(map(self._context.is_inside, paths)):
            self._context.faults["a process exchanged two files in one call"] = None

    def _link(
        self, thread: int, arguments: Arguments, base: int, path: int, to: int, target: int
    ) -> Verdict:
        """A new name for a file; one without a name gets its first (O_TMPFILE)."""
        context = self._context
        source, status = context.resolver.find(context.full(thread, arguments, base, path))
        destination, there = context.resolver.find(
            context.full(thread, arguments, to, target), follow=False
        )
        if there is not None:
            return 0, lambda: context.seen.saw(destination, FOUND)
        refused = self._refuses(destination, there)
        if status is None or not context.is_inside(source):
            return refused, lambda: context.seen.wrote(destination, was_there=False, fresh=True)
        signature = signature_of(status)
        return refused, lambda: context.seen.linked(source, destination, signature)


def _is_full(path: bytes) -> bool:
    """True for a directory with something in it."""
    try:
        with os.scandir(path) as entries:
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
