"""What a tracer is, and what it reports."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Protocol

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.tracing.access_log import Signature


@frozen
class Trace:
    """What a command did, as far as it was seen. Paths are absolute, without links.

    `tracer`: its name, empty for none. `why`: what was not seen, or why nothing was. `paths`: the
    flags of `access_log` for each; `first`, `names`, `before`: as there, empty where the tracer
    cannot tell. `links`: symbolic links that were followed, and where each led. `programs`: each as
    it was named, and the file that was run. `packages`: a `site-packages` directory, and the path
    below it of a file that was opened there; metadata also where they are missing, and an empty
    path if the directory itself was opened. `library`: files of Python's own library that were
    opened. `network`: addresses of other machines. `refused`: what strict tracing did not let
    through, and whether that was a write. `complete` is False if something may have been missed;
    then the rest decides nothing.
    """

    tracer: str = ""
    complete: bool = False
    why: tuple[str, ...] = ()
    paths: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, Signature] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    programs: tuple[tuple[str, str], ...] = ()
    packages: tuple[tuple[str, str], ...] = ()
    library: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    refused: tuple[tuple[str, bool], ...] = ()


@frozen
class TraceRequest:
    """What is to be watched. `root`: the repository; `directory`: where the command begins; `log`:
    a file that the tracer may write.

    `preferred`: `auto`, or the only tracer that may be used (see `select.TRACERS`). `rules`: a file
    that says what strict tracing allows, empty if nothing is refused.
    """

    root: Path
    directory: Path
    log: Path
    preferred: str = "auto"
    rules: str = ""


class Tracer(Protocol):
    """Watches one command. `fds`: file descriptors that it has to inherit.

    `guards`: the command's processes are ended by the tracer if mlpipe dies.
    """

    guards: bool
    fds: tuple[int, ...]

    def environment(self, env: Mapping[str, str]) -> Mapping[str, str]:
        """What the command line is started with, for a command that is to have `env`."""

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command line that runs `argv` under watch."""

    def started(self) -> None:
        """The command line has been started, or could not be."""

    def trace(self) -> Trace:
        """What was seen, once the command has ended."""
