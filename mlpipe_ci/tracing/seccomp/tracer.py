"""A command that runs below the supervisor: its command line, and the trace that it leaves."""

import marshal
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import blake3

from mlpipe_ci.tracing.base import Trace, TraceRequest
from mlpipe_ci.tracing.strace import tracer as strace

SUPERVISOR = Path(__file__).with_name("supervisor.py")
LIBRARIES = str(Path(blake3.__file__).parent.parent)
"""Where the supervisor finds the library that takes digests."""
LOST = "the process that watched was killed"
NEEDED = ("LD_LIBRARY_PATH", "PATH", "LANG", "LC_ALL")
"""What the interpreter that runs mlpipe may need to start."""


class SupervisedTracer:
    """Watches one command, by the way that the request prefers: seccomp, strace, or none."""

    guards = True

    def __init__(self, request: TraceRequest) -> None:
        self._request, self._python_path = request, ""
        request.log.parent.mkdir(parents=True, exist_ok=True)
        read, self._alive = os.pipe()
        self._out = os.memfd_create("mlpipe-trace")  # a full disk costs no trace
        self._env = os.memfd_create("mlpipe-environment")
        self.fds: tuple[int, ...] = (read, self._out, self._env)

    def environment(self, env: Mapping[str, str]) -> Mapping[str, str]:
        """Mlpipe's own for the supervisor: a library that the step brings is not for it."""
        pairs = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in env.items())
        self._python_path = env.get("PYTHONPATH", "")
        while pairs:
            pairs = pairs[os.write(self._env, pairs) :]
        return {name: os.environ[name] for name in NEEDED if name in os.environ}

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The supervisor with the command. The file descriptors are inherited."""
        request = self._request
        words = [*map(str, self.fds), os.path.realpath(request.root), request.preferred]
        by_strace = strace.command(self._request.log) if request.preferred != "notify" else ()
        flags = (sys.executable, "-I", "-S", str(SUPERVISOR))
        return (*flags, *words, request.rules, LIBRARIES, *by_strace, "--", *argv)

    def started(self) -> None:
        """What only the supervisor needs is closed here."""
        for index in self.fds[::2]:
            os.close(index)
        self.fds = ()

    def trace(self) -> Trace:
        """Read what the supervisor wrote; nothing is believed if it did not come to its end."""
        os.close(self._alive)
        found: dict[str, Any] = {}
        with open(self._out, "rb") as out, suppress(OSError, ValueError, EOFError, TypeError):
            out.seek(0)
            found = marshal.loads(out.read())  # noqa: S302 - our own file
        if not found.get("complete") and not found.get("why"):
            return Trace(why=(LOST,))
        if found["tracer"] == "strace":
            root = os.path.realpath(self._request.root)
            directory = os.path.realpath(self._request.directory)
            trace = strace.read(self._request.log, root, directory, self._python_path)
            self._request.log.unlink(missing_ok=True)
            return trace
        if found["tracer"] != "notify":
            return Trace(why=(str(found["why"]) or "nothing here can watch commands",))
        faults = tuple(found["faults"])
        return Trace(
            tracer="notify",
            complete=not faults,
            why=faults,
            paths={os.fsdecode(path): flags for path, flags in found["paths"].items()},
            links=dict(_pairs(found["links"])),
            first={os.fsdecode(path): one for path, one in found["first"].items()},
            names={
                os.fsdecode(path): tuple(map(os.fsdecode, names))
                for path, names in found["names"].items()
            },
            before={os.fsdecode(path): one for path, one in found["before"].items()},
            programs=_pairs(found["programs"]),
            packages=_pairs(found["packages"]),
            library=tuple(map(os.fsdecode, found["library"])),
            network=tuple(found["network"]),
            refused=tuple((os.fsdecode(path), write) for path, write in found["refused"]),
        )


def _pairs(found: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((os.fsdecode(one), os.fsdecode(other)) for one, other in found)
