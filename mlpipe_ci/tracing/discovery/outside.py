"""What a trace shows of things outside of the repository: data there, programs, environments."""

import os
from collections.abc import Iterator, Mapping

from mlpipe_ci.core.paths import is_under
from mlpipe_ci.tracing.access_log import CHANGED, OURS, OWN, READ
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery import env_variables
from mlpipe_ci.tracing.discovery.noise import TEMPORARY, is_data, parts_of, prefixes

MARKS = ("pyvenv.cfg", "conda-meta")
"""In a directory that is a Python environment."""
OF_SYSTEM = tuple(f"/{name}/" for name in ("usr", "bin", "sbin", "lib", "lib64", "snap", "nix"))


class OutsideAccess:
    """Reads one trace. `env`: the environment that the command had. `beside`: what belongs to the
    programs that ran.
    """

    def __init__(self, root: str, env: Mapping[str, str], trace: Trace) -> None:
        self._root, self._trace = root, trace
        self._home = os.path.realpath(env["HOME"]) if env.get("HOME") else ""
        own = os.path.realpath(env["TMPDIR"]) if env.get("TMPDIR") else ""
        self._scratch = (*TEMPORARY, *((own,) if own else ()))
        self.beside = self._environments()

    def outside(self, flag: int) -> Iterator[str]:
        """Absolute paths of data that was read, listed or written; in a place for scratch: read."""
        for path, flags in sorted(self._trace.paths.items()):
            inside = path == self._root or path.startswith(f"{self._root}/")
            scratch = not flag & READ and any(is_under(path, one) for one in self._scratch)
            if flags & flag and not inside and not scratch and self.is_data(path):
                yield path

    def is_data(self, path: str) -> bool:
        """True if a path outside is not a program's, nor a setting of the user."""
        return is_data(path, self._root, self.beside, self._home)

    def programs(self) -> Iterator[str]:
        """Programs of the user's own; those of the system and of an environment have versions."""
        for _, path in self._trace.programs:
            own = not path.startswith((*OF_SYSTEM, f"{self._root}/")) and "/python" not in path
            if own and self.is_data(path):
                yield path

    def _environments(self) -> tuple[str, ...]:
        """What belongs to the programs that ran, and is not data.

        Around and in the repository only a Python environment does: its `bin` may be the user's.
        """
        found: list[str] = []
        for prefix in prefixes(tuple(path for pair in self._trace.programs for path in pair)):
            near = is_under(self._root, prefix) or is_under(prefix, self._root)
            if not near or any(os.path.lexists(f"{prefix}/{mark}") for mark in MARKS):
                found += parts_of(prefix)
        return tuple(found)

    def fills(self, cache: str) -> bool:
        """True if the step itself writes into a directory of caches."""
        prefix, paths = f"{self._root}/{cache}/", self._trace.paths.items()
        return any(f & (OWN | CHANGED) and p.startswith(prefix) for p, f in paths)

    def made(self) -> tuple[str, ...]:
        """Python environments that the step made in the repository."""
        prefix = f"{self._root}/"
        marks = (p for p, f in self._trace.paths.items() if f & OURS and p.endswith("/pyvenv.cfg"))
        return tuple(p[len(prefix) :].rpartition("/")[0] for p in marks if p.startswith(prefix))

    def of_python(self) -> set[str]:
        """Environment variables that count because Python ran."""
        names = (os.path.basename(path) for _, path in self._trace.programs)
        ours = any(name.startswith("python") for name in names)
        return set(env_variables.OF_PYTHON) if ours else set()


def changed(path: str, since: float) -> bool:
    """True if a path was written since then (seconds since 1970)."""
    try:
        return os.lstat(path).st_mtime > since
    except OSError:
        return False
