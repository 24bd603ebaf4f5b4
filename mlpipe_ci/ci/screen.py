"""Where a run prints: a terminal, a file, or the log of GitHub Actions."""

from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.ci.github.runner import reads_commands
from mlpipe_ci.ci.github.screen import ActionsScreen
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.report.screens.base import Screen, has_colour, print_or_drop
from mlpipe_ci.report.screens.grouped import GroupedScreen
from mlpipe_ci.report.screens.plain import PlainScreen


def open_screen(
    stream: TextIO, env: Mapping[str, str], *, progress: str, quiet: bool, many: bool = False
) -> Screen:
    """The screen that fits. `progress`: `auto`, `live`, `plain`; `many`: steps may run at once."""
    return GroupedScreen(_open(stream, env, progress, quiet=quiet, many=many))


def _open(
    stream: TextIO, env: Mapping[str, str], progress: str, *, quiet: bool, many: bool
) -> Screen:
    if reads_commands(env):
        return ActionsScreen(stream, env, quiet=quiet, many=many)
    able = stream.isatty() and from_env(env).term not in {"", "dumb"} and not quiet
    if progress == "live" or (progress == "auto" and able):
        # 0.1 s to import, which a run in CI need not pay.
        from mlpipe_ci.report.screens.live import LiveScreen  # noqa: PLC0415

        return LiveScreen(stream, env)
    return PlainScreen(stream, env, quiet=quiet, many=many)


__all__ = ["Screen", "has_colour", "open_screen", "print_or_drop"]
