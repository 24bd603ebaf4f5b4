"""No tracer: runs the command as it is, and knows nothing about it."""

from collections.abc import Mapping

from mlpipe_ci.tracing.base import Trace


class Untraced:
    """Sees nothing, and says so."""

    guards = False
    fds: tuple[int, ...] = ()

    def environment(self, env: Mapping[str, str]) -> Mapping[str, str]:
        """As it is."""
        return env

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command itself."""
        return argv

    def started(self) -> None:
        """Nothing is to be done."""

    def trace(self) -> Trace:
        """An incomplete trace."""
        return Trace()
