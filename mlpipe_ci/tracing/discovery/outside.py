"""What a step sees outside of the repository: spelled so that it fits on another machine, too.

Content counts there as it does inside, but for what `exceptions` names, for what belongs to an
environment or an interpreter (its packages count by their files), and for what the step made.
"""

import os
from collections.abc import Iterator, Mapping

from mlpipe_ci.core.paths import above, is_under
from mlpipe_ci.tracing.access_log import APPENDED, CHANGED, LISTED, MADE, OURS, OWN, READ, TREE
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.exceptions import (
    ENVIRONMENT_MARKS,
    exception_for,
    ways,
    why_outside,
)
from mlpipe_ci.tracing.file_identity import signature_of

HOME, TEMPORARY = "/~", "/~tmp"
"""What stands for the directories of `$HOME` and `$TMPDIR` in the path of an input."""
BESIDE = "/.."
"""What stands for the directory in which the repository lies."""
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what is written there is nobody's
SYSTEM = tuple(f"/{name}/" for name in ("usr", "bin", "sbin", "lib", "lib64", "snap", "nix"))
LOCAL = "/usr/local/"
INFO = (".dist-info", ".egg-info")
"""Endings of the directory that says what is installed."""
SHARED = ("/", "/usr", "/usr/local", "/opt")
"""Not only an interpreter lies in these."""
OF_INTERPRETER = ("bin", "lib", "lib64", "include", "share", "pyvenv.cfg")


class Anchors:
    """Spells absolute paths from `$HOME` and `$TMPDIR` of an environment, and back.

    `root`: the repository, from which what lies beside it is spelled as well (`/../conf`).
    """

    def __init__(self, env: Mapping[str, str], root: str = "") -> None:
        self._root = root
        names = (("TMPDIR", TEMPORARY), ("HOME", HOME))
        found = ((os.path.realpath(env[name]), mark) for name, mark in names if env.get(name))
        self._known = [(path, mark) for path, mark in found if path != "/"]
        self.home = next((path for path, mark in self._known if mark == HOME), "")

    def spelled(self, path: str) -> str:
        """How an absolute path is written down."""
        for where, mark in self._known:
            if is_under(path, where):
                return mark + path[len(where) :]
        return path

    def spellings(self, path: str) -> tuple[str, ...]:
        """All ways in which a command may have meant an absolute path: what lies beside the
        repository has two, and a trace does not say which one it was.
        """
        shared = os.path.commonpath((path, self._root)) if self._root else "/"
        if shared == "/" or shared in {where for where, _ in self._known}:
            return (self.spelled(path),)
        return self.spelled(path), f"/{os.path.relpath(path, self._root)}"

    def located(self, path: str) -> str:
        """Where that is here; all other paths stay as they are."""
        if path == BESIDE or path.startswith(f"{BESIDE}/"):
            return os.path.normpath(self._root + path)
        for where, mark in self._known:
            if path == mark or path.startswith(mark + "/"):
                return where + path[len(mark) :]
        return path


class Environments:
    """Knows which paths lie in an environment of Python, by the marks that it leaves."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {"": False, "/": False}

    def holds(self, path: str) -> bool:
        """True for what is in an environment, or is one. `path` is absolute."""
        known = self._known.get(path)
        if known is None:
            marked = any(os.path.lexists(f"{path}/{mark}") for mark in ENVIRONMENT_MARKS)
            known = self._known[path] = marked or self.holds(path.rpartition("/")[0])
        return known

    def top(self, path: str) -> str:
        """The directory of the environment that a path lies in."""
        above = path.rpartition("/")[0]
        return self.top(above) if self.holds(above) else path


class OutsideAccess:
    """Reads one trace. `env`: the environment that the command had."""

    def __init__(self, root: str, env: Mapping[str, str], trace: Trace) -> None:
        self._root, self._trace = root, trace
        self.anchors, self.environments = Anchors(env), Environments()
        own = os.path.realpath(env["TMPDIR"]) if env.get("TMPDIR") else ""
        self._scratch = (*SCRATCH, *((own,) if own else ()))
        self._interpreters = tuple(self._trees())
        paths = env.get("PATH", os.defpath).split(os.pathsep)
        self._path = frozenset(os.path.realpath(path) for path in paths if path)
        self._names = {os.path.basename(named) for named, _ in trace.programs}
        known = (*self._interpreters, *self._path, self.anchors.home, *self._sites())
        self._passed = {path for one in known for path in (one, *above(one))}
        self._passed |= ways(self.anchors.home)

    def is_data(self, path: str) -> bool:
        """True if a path outside counts."""
        if any(is_under(path, tree) for tree in self._interpreters):
            return False
        around = is_under(self._root, path)  # a directory that is only passed through
        return not around and not (
            self.environments.holds(path) or why_outside(path, self.anchors.home)
        )

    def ignored(self, path: str) -> tuple[str, str]:
        """The place of an exception that a path lies in, and its reason; empty if there is none."""
        pattern, reason = exception_for(path, self.anchors.home)
        return (self.anchors.home + pattern[1:] if pattern[:1] == "~" else pattern), reason

    def seen(self) -> Iterator[tuple[str, int]]:
        """Absolute paths that count, with their flags, but for what the step itself made there."""
        for path, flags in sorted(self._trace.paths.items()):
            if flags & OWN or not self._is_outside(path) or self._is_search(path, flags):
                continue
            if path in self._passed and not flags & (READ | LISTED):
                continue  # on the way to an interpreter, a package, a program, or what tools keep
            if self.is_data(path):
                yield path, flags

    def _sites(self) -> Iterator[str]:
        return iter({site for site, _ in self._trace.packages})

    def _is_search(self, path: str, flags: int) -> bool:
        """True for a look along PATH for a program that ran: which one that is counts."""
        folder, _, name = path.rpartition("/")
        return not flags & READ and name in self._names and folder in self._path

    def written(self) -> Iterator[str]:
        """What it wrote outside and left, but in a place for scratch."""
        for path, flags in sorted(self._trace.paths.items()):
            wrote = flags & (OURS | CHANGED | APPENDED) and self._is_outside(path)
            if (
                wrote
                and not self._is_scratch(path)
                and self.is_data(path)
                and self._is_changed(path, flags)
            ):
                yield path

    def _is_scratch(self, path: str) -> bool:
        return self._is_outside(path) and any(is_under(path, one) for one in self._scratch)

    def _is_changed(self, path: str, flags: int) -> bool:
        """False for a file that was opened in a way to change it, and is as it was."""
        first = self._trace.first.get(path)
        if flags & (OURS | APPENDED) or first is None:
            return True
        try:
            return signature_of(os.lstat(path)) != first
        except OSError:
            return True

    def _is_outside(self, path: str) -> bool:
        return path != self._root and not path.startswith(f"{self._root}/")

    def _trees(self) -> Iterator[str]:
        """What belongs to the interpreters that ran, and is neither data nor a package."""
        for named, file in self._trace.programs:
            if not os.path.basename(file).startswith(("python", "pypy")):
                continue
            for path in {named, file}:
                prefix = path.rpartition("/bin/")[0]
                mixed = prefix in SHARED or is_under(self.anchors.home or "/", prefix)
                if not prefix or is_under(self._root, prefix):
                    continue
                if mixed or prefix == f"{self.anchors.home}/.local":
                    yield from (f"{prefix}/{name}" for name in ("bin/python3", "include"))
                else:
                    yield from (f"{prefix}/{name}" for name in OF_INTERPRETER)

    def made(self) -> tuple[str, ...]:
        """Python environments that the step made in the repository."""
        prefix = f"{self._root}/"
        marks = (p for p, f in self._trace.paths.items() if f & OURS and p.endswith("/pyvenv.cfg"))
        return tuple(p[len(prefix) :].rpartition("/")[0] for p in marks if p.startswith(prefix))

    def installed(self) -> tuple[str, ...]:
        """Directories of packages, here or elsewhere, into which the step has installed one that is
        there now.
        """
        made = (p for p, f in self._trace.paths.items() if f & (MADE | TREE) and p.endswith(INFO))
        there = (p for p in made if os.path.isdir(p) and not self._is_scratch(p))
        return tuple(sorted({os.path.dirname(path) for path in there}))

    def programs(self) -> Iterator[tuple[str, str]]:
        """Programs as they were named, and their files; without the interpreters of Python."""
        for named, file in self._trace.programs:
            if not os.path.basename(file).startswith(("python", "pypy")):
                yield named, file


def is_system(path: str) -> bool:
    """True for a program that a package of the system brought."""
    return path.startswith(SYSTEM) and not path.startswith(LOCAL)
