"""Calls that look paths up and open them."""

import os
import stat

from mlpipe_ci.tracing.access_log import FOUND, LISTED, NOT_FOUND, READ, STATED
from mlpipe_ci.tracing.file_identity import signature_of
from mlpipe_ci.tracing.seccomp.call_context import (
    GO_ON,
    HERE,
    LIBRARIES,
    PACKAGES,
    Arguments,
    Call,
    CallContext,
    Deed,
    Verdict,
    names_in,
    signed,
)
from mlpipe_ci.tracing.seccomp.kernel import memory
from mlpipe_ci.tracing.seccomp.python_imports import PythonImports

WRITING = os.O_WRONLY | os.O_RDWR
SYMLINK_NOFOLLOW = 0x100
METADATA = (b".dist-info/", b".egg-info/")


class OpenCalls:
    """`packages`: see `base.Trace`. `library`: files of Python's own library that were opened."""

    def __init__(self, context: CallContext, imports: PythonImports) -> None:
        self._context, self._imports = context, imports
        self.packages: dict[tuple[bytes, bytes], None] = {}
        self.library: dict[bytes, None] = {}

    def calls(self) -> dict[str, Call]:
        """The calls that are looked at here."""
        return {
            "open": (self._open, (HERE, 0, 1)),
            "openat": (self._open, (0, 1, 2)),
            "openat2": (self._openat2, ()),
            "creat": (self._creat, ()),
            "getdents64": (self._list, ()),
            "stat": (self._stat, (HERE, 0, -1)),
            "lstat": (self._lstat, (HERE, 0)),
            "newfstatat": (self._stat, (0, 1, 3)),
            "statx": (self._stat, (0, 1, 2)),
            "access": (self._access, (HERE, 0, -1)),
            "faccessat": (self._access, (0, 1, -1)),
            "faccessat2": (self._access, (0, 1, 3)),
            "chdir": (self._access, (HERE, 0, -1)),
            "readlink": (self._lstat, (HERE, 0)),
            "readlinkat": (self._lstat, (0, 1)),
        }

    def _stat(
        self, thread: int, arguments: Arguments, directory: int, path: int, flags: int
    ) -> Verdict:
        given = arguments[flags] if flags >= 0 else 0
        full = self._context.full(thread, arguments, directory, path)
        return self._look_up(thread, full, FOUND | STATED, follow=not given & SYMLINK_NOFOLLOW)

    def _access(
        self, thread: int, arguments: Arguments, directory: int, path: int, flags: int
    ) -> Verdict:
        given = arguments[flags] if flags >= 0 else 0
        full = self._context.full(thread, arguments, directory, path)
        return self._look_up(thread, full, FOUND, follow=not given & SYMLINK_NOFOLLOW)

    def _lstat(self, thread: int, arguments: Arguments, directory: int, path: int) -> Verdict:
        full = self._context.full(thread, arguments, directory, path)
        return self._look_up(thread, full, FOUND | STATED, follow=False)

    def _look_up(self, thread: int, full: bytes, there: int, *, follow: bool) -> Verdict:
        """`there`: what is noted of a path that is there."""
        context = self._context
        outside = context.elsewhere.get(full)
        if outside is not None:
            if outside:
                self._imports.asked(thread, outside)
            else:
                self._imports.missed(thread, full)
            return GO_ON
        found, status = context.resolver.find(full, follow=follow)
        is_directory = status is not None and stat.S_ISDIR(status.st_mode)
        if is_directory:
            self._imports.asked(thread, found)
        else:
            self._imports.missed(thread, found)
        flag = NOT_FOUND if status is None else there
        if context.seen.has(found, flag, is_file=not is_directory):
            return context.refuses(found, status), None
        if not context.counts(found):
            context.elsewhere[full] = found if is_directory else b""
            return GO_ON
        signature = signature_of(status)
        return context.refuses(found, status), lambda: context.seen.saw(found, flag, signature)

    def _open(
        self, thread: int, arguments: Arguments, directory: int, path: int, flags: int
    ) -> Verdict:
        full = self._context.full(thread, arguments, directory, path)
        return self._opened(thread, full, arguments[flags])

    def _openat2(self, thread: int, arguments: Arguments) -> Verdict:
        flags = int.from_bytes(memory(thread, arguments[2], 8), "little")
        return self._opened(thread, self._context.full(thread, arguments, 0, 1), flags)

    def _creat(self, thread: int, arguments: Arguments) -> Verdict:
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        return self._opened(thread, self._context.full(thread, arguments, HERE, 0), flags)

    def _opened(self, thread: int, full: bytes, flags: int) -> Verdict:
        context = self._context
        found, status = context.resolver.find(full, follow=not flags & os.O_NOFOLLOW)
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._imports.listing_begins(thread, found)
        elif status is not None or flags & os.O_CREAT:
            self._imports.opened(thread, found)
        elsewhere = self._of_environment(found, status)
        if elsewhere is None and not context.is_inside(found):
            elsewhere = self._of_package(full, status)  # a link to what uv keeps
        if elsewhere or not context.counts(found):
            return 0, elsewhere
        writes = bool(flags & WRITING or flags & os.O_TRUNC)
        refused = context.refuses(found, status, write=writes)
        if status is None:
            if flags & os.O_CREAT:
                return refused, lambda: context.seen.wrote(
                    found, was_there=False, fresh=True, added=_adds(flags)
                )
            return refused, lambda: context.seen.saw(found, NOT_FOUND)
        flag, signature = _sort(status, flags), signature_of(status)
        if flag:
            if flag == READ:
                context.will_read(found)
            return refused, lambda: context.seen.saw(found, flag, signature)
        if not stat.S_ISREG(status.st_mode):
            return GO_ON  # a terminal, a pipe, a device; or a file without a name in a directory
        fresh, added = bool(flags & os.O_TRUNC), _adds(flags)
        context.will_change(found, status, fresh=fresh or added)
        return refused, lambda: context.seen.wrote(
            found, was_there=True, fresh=fresh, added=added, signature=signature
        )

    def _list(self, thread: int, arguments: Arguments) -> Verdict:
        """Read names of a directory: to open it alone shows nothing of what is in it."""
        context = self._context
        found = os.readlink(b"/proc/%d/fd/%d" % (thread, signed(arguments[0])))
        self._imports.listed(thread, found)
        if not context.counts(found):
            return GO_ON
        if found not in context.seen.names and not context.seen.is_own(found):
            names = names_in(found)
            if names is not None:
                context.seen.names[found] = names
        return 0, lambda: context.seen.saw(found, LISTED)

    def _of_environment(self, path: bytes, status: os.stat_result | None) -> Deed | None:
        """What to note of a file that Python or an installed distribution brought."""
        deed = self._of_package(path, status)
        if deed is None and status is not None and any(mark in path for mark in LIBRARIES):
            self.library[path] = None
        return deed

    def _of_package(self, path: bytes, status: os.stat_result | None) -> Deed | None:
        one = in_packages(path)
        if one is None:
            return None
        is_file = status is not None and stat.S_ISREG(status.st_mode)
        noted = is_file or counts_always(one[1])
        return lambda: self.packages.update({one: None} if noted else {})


def in_packages(path: bytes) -> tuple[bytes, bytes] | None:
    """The `site-packages` directory that a path lies in, and the path below it."""
    for mark in PACKAGES:
        directory, found, below = (path + b"/").rpartition(mark)
        if found and b"../" not in below:
            return directory + mark[:-1], below[:-1]
    return None


def counts_always(below: bytes) -> bool:
    """True for the directory itself and for metadata, which count also where they are missing."""
    return not below or any(one in below for one in METADATA)


def _adds(flags: int) -> bool:
    """True if a file is opened so that it can only be added to: a log."""
    return bool(flags & os.O_APPEND) and not flags & (os.O_RDWR | os.O_TRUNC)


def _sort(status: os.stat_result, flags: int) -> int:
    """What opening something that is there shows, if it is not for writing; else 0."""
    if flags & os.O_PATH:
        return FOUND
    if stat.S_ISDIR(status.st_mode):
        return 0 if flags & WRITING else FOUND
    if stat.S_ISLNK(status.st_mode) or (flags & os.O_CREAT and flags & os.O_EXCL):
        return FOUND
    if stat.S_ISREG(status.st_mode) and not flags & (WRITING | os.O_TRUNC):
        return READ
    return 0
