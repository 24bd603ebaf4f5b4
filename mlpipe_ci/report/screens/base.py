"""What a screen is, and what all share: colours, and a stream that may go away."""

import os
from collections.abc import Mapping
from typing import Protocol, TextIO

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.core.settings import from_env
from mlpipe_ci.core.workflow import Workflow


class Screen(Protocol):
    """Shows a run as it goes. `printed` is called from several threads, the rest from one."""

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """Say what is about to be run."""

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided; if it runs, it took so many `seconds` last time."""

    def output(self, step: str, data: bytes) -> None:
        """A step (its id) has printed something."""

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""

    def message(self, text: str) -> None:
        """A word about the run itself, such as a warning."""

    def progress(self, text: str) -> None:
        """How far a transfer is, in place of what was said of it before; empty: it is over.

        Called from several threads.
        """

    def close(self) -> None:
        """Nothing runs any more; what was opened is closed. May be called twice."""

    def final(self, run: Run) -> None:
        """The verdict."""


def has_colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """True for a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb."""
    settings = from_env(env)
    return stream.isatty() and not settings.no_color and settings.term != "dumb"


def print_or_drop(text: str, stream: TextIO) -> None:
    """Print a line, or nothing from here on if the stream is gone: a run never ends for that.

    Who read it may have left (`mlpipe run | head`), or the disk that it goes to may be full.
    """
    try:
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
