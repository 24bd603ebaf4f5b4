"""Where a run prints: a terminal, a file, or the log of GitHub Actions."""

import os
from collections.abc import Mapping
from typing import TextIO

from mlpipe_ci.decide import Action, Decision
from mlpipe_ci.report import actions, terminal
from mlpipe_ci.run import Comparison, Run, StepOutcome
from mlpipe_ci.workflow import Workflow


def has_colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """True for a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb."""
    return stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def print_or_drop(text: str, stream: TextIO) -> None:
    """Print a line, or nothing from here on if the stream is gone: a run never ends for that.

    Who read it may have left (`mlpipe run | head`), or the disk that it goes to may be full.
    """
    try:
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Screen:
    """Prints a run as it goes. In GitHub Actions a step's output is folded, and inert."""

    def __init__(self, stream: TextIO, env: Mapping[str, str], *, quiet: bool) -> None:
        self._stream, self._quiet = stream, quiet
        self._colour = has_colour(stream, env)
        self._in_actions = env.get("GITHUB_ACTIONS") == "true"
        self._token = ""

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """Say what is about to be run."""
        self._print(terminal.head_line(workflow, comparison, colour=self._colour))

    def start(self, decision: Decision) -> None:
        """A step has been decided; if it runs, what follows is its output."""
        if decision.action is not Action.RUN:
            return
        if self._in_actions:
            self._token = os.urandom(16).hex()
            self._print(
                actions.group(f"{decision.step.name}: {terminal.reasons(decision.reasons)}")
            )
            self._print(actions.stop_commands(self._token), always=True)
        else:
            self._print(terminal.start_line(decision, colour=self._colour))

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended."""
        self.resume()
        if self._quiet and not outcome.broke:
            return
        for line in terminal.outcome_lines(outcome, colour=self._colour):
            self._print(line, always=outcome.broke)

    def resume(self) -> None:
        """Close what `start` opened, if anything."""
        if self._token:
            # A command counts at the start of a line only, and the step may have left one open.
            self._print("\n" + actions.resume_commands(self._token), always=True)
            self._print(actions.end_group())
            self._token = ""

    def final(self, run: Run) -> None:
        """The verdict."""
        for line in terminal.end_lines(run, colour=self._colour):
            self._print(line, always=True)

    def say(self, text: str) -> None:
        """A word about the run itself, such as a warning."""
        if self._in_actions and text.startswith("warning: "):
            text = actions.warning(text.removeprefix("warning: "))
        self._print(text, always=True)

    def _print(self, line: str, *, always: bool = False) -> None:
        if always or not self._quiet:
            print_or_drop(line, self._stream)
