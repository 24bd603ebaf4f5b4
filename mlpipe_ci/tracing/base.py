"""What a tracer is, and what it tells."""

from typing import Protocol

from mlpipe_ci.frozen import frozen


@frozen
class Trace:
    """Paths that a command read and wrote, as bytes of the file system would name them.

    `complete` is False if something may have been missed; then the rest is not to be relied on.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    complete: bool = False


class Tracer(Protocol):
    """Watches one command."""

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command line that runs `argv` under watch."""

    def trace(self) -> Trace:
        """What was seen, once the command has ended."""
