"""The second tracer: `strace --seccomp-bpf` (5.3 and later), and how its lines are read.

It reports what became of each call, but only afterwards: whether a file was there before it was
opened for writing is not known then, and so is taken for a yes unless the file was begun anew.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from mlpipe_ci.core.regex import regex
from mlpipe_ci.tracing.access_log import (
    FOR_MAKE,
    FOUND,
    IMPORTED,
    LISTED,
    NOT_FOUND,
    OWN,
    READ,
    STATED,
    AccessLog,
)
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.seccomp.call_context import LIBRARIES, of_python, of_system
from mlpipe_ci.tracing.seccomp.exec_calls import interpreter, is_32_bit
from mlpipe_ci.tracing.seccomp.network_calls import HARMLESS
from mlpipe_ci.tracing.seccomp.open_calls import counts_always, in_packages
from mlpipe_ci.tracing.seccomp.path_resolver import PathResolver
from mlpipe_ci.tracing.seccomp.python_imports import PythonImports
from mlpipe_ci.tracing.strace.parse import HANDLE, STRING, Calls, plain

LISTS = frozenset({"getdents", "getdents64"})
LOOKS = frozenset(
    {
        *("stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2"),
        *("readlink", "readlinkat", "chdir"),
    }
)
OPENS = frozenset({"open", "openat", "openat2", "creat"})
REMOVES = frozenset({"unlink", "unlinkat", "rmdir"})
UNFOLLOWED = frozenset({"lstat", "readlink", "readlinkat", "symlink", "symlinkat"})
"""Calls that mean a link itself, beside those that remove and move."""
MOVES = frozenset({"rename", "renameat", "renameat2"})
TALKS = frozenset({"connect", "sendto", "sendmsg", "sendmmsg"})
STRANGE = frozenset(
    {"chroot", "pivot_root", "mount", "unshare", "setns", "open_by_handle_at", "io_uring_setup"}
)
BIRTHS = frozenset({"clone", "clone3", "fork", "vfork"})
OTHERS = frozenset(
    {
        *("execve", "execveat", "truncate", "mkdir", "mkdirat", "mknod", "mknodat", "symlink"),
        *("symlinkat", "link", "linkat", "bind", "fchdir"),
    }
)
CALLS = LOOKS | LISTS | OPENS | REMOVES | MOVES | TALKS | STRANGE | BIRTHS | OTHERS
INET = regex(rb'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"', re.DOTALL)
UNIX = regex(rb'sun_path=(@?"(?:[^"\\]|\\.)*")')
LOCAL = (b"127.", b"0.0.0.0", b"::1", b"::ffff:127.", b"::")
MISSING = (b"ENOENT", b"ENOTDIR")


def command(log: Path) -> tuple[str, ...]:
    """The words before a command that have it watched; none where there is no strace."""
    program = shutil.which("strace")
    if not program:
        return ()
    arguments = ("-f", "-y", "--seccomp-bpf", "-e", "signal=none")
    return (program, *arguments, "-e", f"trace=?{',?'.join(sorted(CALLS))}", "-o", str(log))


def read(log: Path, root: str, directory: str, python_path: str = "") -> Trace:
    """What a log shows. `root`: the repository; `directory`: where the command began;
    `python_path`: its PYTHONPATH.
    """
    reader = _Reader(os.fsencode(root), os.fsencode(directory), os.fsencode(python_path))
    try:
        with log.open("rb") as lines:
            for line in lines:
                reader.line(line)
    except OSError as error:
        return Trace(tracer="strace", why=(f"the log of strace cannot be read: {error.strerror}",))
    return reader.trace()


class _Reader:
    """Reads one log. `where`: each process's directory, as far as it is known."""

    def __init__(self, root: bytes, directory: bytes, path_of_python: bytes) -> None:
        self._root, self._inside = root, root.rstrip(b"/") + b"/"
        self._first = directory
        self._where: dict[bytes, bytes] = {}
        self._calls = Calls()
        self._bound: set[bytes] = set()
        self._resolver, self._seen = PathResolver(), AccessLog()
        self._leaders: dict[int, int] = {}
        self._imports = PythonImports(lambda _process, _name: path_of_python, self._leader)
        self._faults: dict[str, None] = {}
        self._programs: dict[tuple[str, str], None] = {}
        self._packages: dict[tuple[str, str], None] = {}
        self._library: dict[str, None] = {}
        self._network: dict[str, None] = {}

    def trace(self) -> Trace:
        """All that was read."""
        links = {p: target for p, target in self._resolver.links.items() if not of_system(p)}
        return Trace(
            tracer="strace",
            complete=not self._faults,
            why=tuple(self._faults),
            paths={os.fsdecode(path): self._flags(path) for path in self._seen.paths},
            links={os.fsdecode(path): os.fsdecode(target) for path, target in links.items()},
            programs=tuple(self._programs),
            packages=tuple(self._packages),
            library=tuple(self._library),
            network=tuple(self._network),
        )

    def _flags(self, path: bytes) -> int:
        flags = self._seen.paths[path]
        if flags & LISTED and self._imports.alone(path):
            return flags | IMPORTED
        return flags | FOR_MAKE if flags & LISTED and self._imports.for_make(path) else flags

    def line(self, line: bytes) -> None:
        """Read one line of the log."""
        call = self._calls.read(line)
        if call:
            self._call(*call)

    def _call(
        self, process: bytes, name: bytes, text: bytes, result: bytes, opened: bytes, error: bytes
    ) -> None:
        call = name.decode()
        failed = result.startswith(b"-") or result == b"?"
        for handle, path in HANDLE.findall(text)[:1]:
            if handle == b"AT_FDCWD":
                self._where[process] = plain(path)
        if call in BIRTHS:
            self._born(process, text, result)
        elif call in STRANGE:
            if not failed:
                self._faults["a process changed what paths mean, or used io_uring"] = None
        elif call in TALKS or call == "bind":
            self._talks(call, text, failed=failed and error != b"EINPROGRESS")
        elif call in LISTS or call == "fchdir":
            if not failed:
                path = next((plain(path) for _, path in HANDLE.findall(text)), b"")
                self._of_directory(process, call, path)
        else:
            paths = list(self._paths(process, text, call))
            if paths:
                self._path(process, call, text, paths, (failed, error, opened))

    def _of_directory(self, process: bytes, call: str, path: bytes) -> None:
        """A process goes to a directory that it has opened, or reads names of it."""
        if call == "fchdir":
            self._where[process] = path
            return
        self._imports.listed(int(process), path)
        if self._counts(path):
            self._seen.saw(path, LISTED)

    def _born(self, process: bytes, text: bytes, child: bytes) -> None:
        if b"CLONE_NEWNS" in text or b"CLONE_NEWUSER" in text:
            self._faults["a process changed what paths mean (a namespace)"] = None
        if child not in self._where and process in self._where:
            self._where[child] = self._where[process]
        if child.isdigit():
            self._leaders.setdefault(int(child), self._leader(int(process)))

    def _leader(self, thread: int) -> int:
        """The process of a thread, or that made a process; of a new one, whose birth is still on
        its way, the one that is making one.
        """
        begun = self._calls.begun.items()
        makers = [int(p) for p, (name, _) in begun if name.decode() in BIRTHS and int(p) != thread]
        if thread in self._leaders or len(makers) != 1:
            return self._leaders.get(thread, thread)
        return self._leaders.get(makers[0], makers[0])

    def _paths(self, process: bytes, text: bytes, call: str) -> Iterator[bytes]:
        """The absolute paths that a call names."""
        handles = {found.end(): plain(found[2]) for found in HANDLE.finditer(text)}
        strings = list(STRING.finditer(text))
        if call in {"execve", "execveat"}:
            strings = strings[:1]
        if call in {"symlink", "symlinkat"}:
            strings = strings[1:2]
        if call in {"readlink", "readlinkat"}:
            strings = strings[:1]
        for found in strings:
            path = plain(found[1])
            base = next(
                (p for end, p in handles.items() if text[end : found.start()] == b", "), None
            )
            if not path and base is not None:
                continue  # the descriptor itself, which was seen when it was opened
            if path[:1] != b"/":
                if base is None:
                    base = self._directory(process)
                path = base + b"/" + path
            yield path

    def _directory(self, process: bytes) -> bytes:
        """Where a process is; a new one begins where whoever is making one is."""
        if process not in self._where:
            parents = [p for p, (name, _) in self._calls.begun.items() if name.decode() in BIRTHS]
            known = {self._where.get(parent, self._first) for parent in parents}
            if len(known) > 1:
                self._faults["it is not known in which directory a process began"] = None
            self._where[process] = known.pop() if known else self._first
        return self._where[process]

    def _path(
        self,
        process: bytes,
        call: str,
        text: bytes,
        paths: list[bytes],
        end: tuple[bool, bytes, bytes],
    ) -> None:
        """`end`: whether the call failed, its error, and the path that was opened."""
        seen, (failed, error, opened) = self._seen, end
        follow = call not in REMOVES | MOVES | UNFOLLOWED
        follow = follow and b"AT_SYMLINK_NOFOLLOW" not in text and b"O_NOFOLLOW" not in text
        path = self._resolver.find(paths[0], follow=follow)[0]
        if call in OPENS and not failed:
            found = plain(opened) if opened else path
            self._opened(int(process), found, paths[0], text, call)
        elif failed:
            if call in OPENS and self._of_package(path, is_file=False):
                return
            self._imports.missed(int(process), path)
            counts = self._counts(path) and call not in {"execve", "execveat"}
            if counts and (error in MISSING or error in {b"EEXIST", b"EACCES"}):
                seen.saw(path, NOT_FOUND if error in MISSING else FOUND)
        elif call in LOOKS:
            if call == "chdir":
                self._where[process] = path
            if os.path.isdir(path):
                self._imports.asked(int(process), path)
            if self._counts(path):
                seen.saw(path, FOUND if "access" in call or call == "chdir" else FOUND | STATED)
        elif call in {"execve", "execveat"}:
            self._ran(process, paths[0], path)
        else:
            self._changed(call, path, paths, text)

    def _changed(self, call: str, path: bytes, paths: list[bytes], text: bytes) -> None:
        seen = self._seen
        self._resolver.forget()
        if call in REMOVES:
            seen.removed(path)
        elif call in MOVES and len(paths) > 1:
            target = self._resolver.find(paths[1], follow=False)[0]
            if target == path:
                return
            seen.moved(path, target, is_directory=os.path.isdir(target))
        elif call in {"mkdir", "mkdirat"}:
            seen.made(path)
        elif call in {"link", "linkat"} and len(paths) > 1:
            seen.linked(path, self._resolver.find(paths[1], follow=False)[0])
        elif call == "truncate":
            seen.wrote(path, was_there=True, fresh=text.endswith(b", 0"))
        else:
            seen.wrote(path, was_there=False, fresh=True)

    def _counts(self, path: bytes) -> bool:
        inside = path.startswith(self._inside) or path == self._root
        return not of_python(path) and (inside or not of_system(path))

    def _of_package(self, path: bytes, *, is_file: bool) -> bool:
        """True if a path lies in a `site-packages` directory; noted is what counts of it."""
        one = in_packages(path)
        if one and (is_file or counts_always(one[1])):
            self._packages[os.fsdecode(one[0]), os.fsdecode(one[1])] = None
        return one is not None

    def _opened(self, process: int, path: bytes, named: bytes, text: bytes, call: str) -> None:
        directory = b"O_DIRECTORY" in text or os.path.isdir(path)
        if directory:
            self._imports.listing_begins(process, path)
        else:
            self._imports.opened(process, path)
        inside = path.startswith(self._inside) or path == self._root
        if self._of_package(path, is_file=not directory):
            return
        if not inside and self._of_package(named, is_file=not directory):
            return  # a link to what uv keeps
        if any(mark in path for mark in LIBRARIES):
            self._library[os.fsdecode(path)] = None
        if not self._counts(path):
            return
        writes = call == "creat" or b"O_WRONLY" in text or b"O_RDWR" in text or b"O_TRUNC" in text
        if b"O_TMPFILE" in text:
            return
        if b"O_PATH" in text or directory:
            self._seen.saw(path, FOUND)
        elif not writes:
            self._seen.saw(path, READ)
        else:
            known = self._seen.paths.get(path, 0)
            fresh = call == "creat" or b"O_TRUNC" in text or b"O_EXCL" in text
            self._seen.wrote(
                path,
                was_there=not known & (NOT_FOUND | OWN),
                fresh=fresh,
                added=b"O_APPEND" in text and b"O_RDWR" not in text and b"O_TRUNC" not in text,
            )

    def _ran(self, process: bytes, name: bytes, path: bytes) -> None:
        self._programs[os.fsdecode(name), os.fsdecode(path)] = None
        if path.startswith(self._inside):
            self._seen.saw(path, READ)
        if is_32_bit(path):
            self._faults["a 32-bit program ran, of which not all is seen"] = None
        beneath = interpreter(path)
        directory = self._where.get(process, self._first)
        self._leaders[int(process)] = int(process)
        self._imports.started(int(process), path, directory)
        if beneath:
            file = self._resolver.find(beneath)[0]
            self._imports.started(int(process), file, directory)
            self._programs[os.fsdecode(beneath), os.fsdecode(file)] = None
            if file.startswith(self._inside):
                self._seen.saw(file, READ)

    def _talks(self, call: str, text: bytes, *, failed: bool) -> None:
        inet, unix = INET.search(text), UNIX.search(text)
        name = inet[1] if inet else unix[1] if unix else b""
        if call == "bind":
            self._bound.add(name)
            return
        if inet and not inet[2].startswith(LOCAL):
            self._network[inet[2].decode()] = None
        elif name and not failed and name not in self._bound and name != b"53":
            shown = os.fsdecode(name).strip('@"')
            if not shown.startswith(HARMLESS):
                self._faults[
                    f"it talks to another process of this machine ({shown}), which is not watched"
                ] = None
