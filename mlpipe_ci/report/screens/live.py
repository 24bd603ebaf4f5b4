"""A live view on a terminal: what runs, how far it is, its last line; above it what has ended.

Symbols and words distinguish states; colour only repeats them.
"""

import re
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.run import Run, StepOutcome
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report import terminal
from mlpipe_ci.report.screens.base import has_colour
from mlpipe_ci.report.wording import clock, escape_controls

RATE = 5
"""Pictures in a second."""
KEPT = 1 << 12
"""Bytes of a step's output that may hold its last line."""
BAR, SHORTEST = 24, 8
"""Cells of a bar: at most, and at least."""
APART = "  "
"""Between a name and a time."""
LEAST = 8
"""Cells that are left for a name."""
ESCAPES = regex(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""Control sequences of ECMA-48: colours, cursor, titles."""
TABS = 8


class Running:
    """A step whose command runs, and why. `seconds`: what it took last time, None: not known."""

    def __init__(self, name: str, why: str, seconds: float | None) -> None:
        self.name, self.why, self.seconds = name, why, seconds
        self.since = time.monotonic()
        self.output = b""

    def last_line(self) -> str:
        """The last line with something in it, as a terminal shows it; before that why it runs."""
        text = ESCAPES.sub("", self.output.decode("utf-8", "replace"))
        lines = (line.strip() for line in re.split(r"[\r\n]+", text))
        found = [line for line in lines if line]
        return escape_controls(found[-1].expandtabs(TABS)) if found else self.why


class LiveScreen:
    """Finished steps as lines, and below them a picture that is drawn anew while steps run."""

    def __init__(self, stream: TextIO, env: Mapping[str, str]) -> None:
        self._colour = has_colour(stream, env)
        self._console = Console(
            file=stream, no_color=not self._colour, highlight=False, emoji=False, markup=False
        )
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._waiting: dict[str, str] = {}
        self._live: Live | None = None
        self._transfer = ""

    def head(self, workflow: Workflow, comparison: Comparison) -> None:
        """Say what is about to be run."""
        self._waiting = {step.id: escape_controls(step.name) for step in workflow.steps}
        self._print(terminal.head_line(workflow, comparison, colour=self._colour))

    def start(self, decision: Decision, seconds: float | None) -> None:
        """A step has been decided; if it runs, it is in the picture from now on."""
        if decision.action is not Action.RUN:
            return
        why = terminal.reasons(decision.reasons)
        with self._lock:
            self._waiting.pop(decision.step.id, None)
            self._running[decision.step.id] = Running(
                escape_controls(decision.step.name), why, seconds
            )
        self._open()

    def progress(self, text: str) -> None:
        """How far a transfer is: a line of the picture."""
        with self._lock:
            self._transfer = text
            idle = not self._running
        if text:
            self._open()
        elif idle:
            self.close()

    def _open(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=RATE,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def output(self, step: str, data: bytes) -> None:
        """A step has printed something; the last line of it is shown."""
        with self._lock:
            if one := self._running.get(step):
                one.output = (one.output + data[-KEPT:])[-KEPT:]

    def end(self, outcome: StepOutcome) -> None:
        """A step has ended; of one that failed the last lines of its log are shown."""
        with self._lock:
            self._waiting.pop(outcome.step.id, None)
            self._running.pop(outcome.step.id, None)
            idle = not self._running
        if idle:
            self.close()
        for line in terminal.outcome_lines(outcome, colour=self._colour, why=True):
            self._print(line)
        for line in terminal.log_lines(outcome):
            self._print(line)

    def message(self, text: str) -> None:
        """A word about the run itself, such as a warning."""
        self._print(text)

    def close(self) -> None:
        """Take the picture away."""
        if self._live:
            live, self._live = self._live, None
            try:
                live.stop()
            except OSError:
                return  # the terminal is gone

    def final(self, run: Run) -> None:
        """The verdict."""
        self.close()
        for line in terminal.end_lines(run, colour=self._colour):
            self._print(line)

    def _print(self, line: str) -> None:
        try:
            self._console.print(Text.from_ansi(line), soft_wrap=True)
        except OSError:
            return  # the terminal is gone; a run never ends for that

    def _picture(self) -> Group:
        """What runs and what waits, in as many lines as the terminal has room for."""
        with self._lock:
            running, waiting = list(self._running.values()), list(self._waiting.values())
            transfer = self._transfer
        width, height = self._console.size
        room = max(1, (height - 3) // 2)
        lines = [line for one in running[:room] for line in _two_lines(one, width)]
        if len(running) > room:
            lines.append(Text(f"  and {len(running) - room} more run", style="dim"))
        if waiting:
            lines.append(_cut(f"· {len(waiting)} to come: {', '.join(waiting)}", width, "dim"))
        if transfer:
            lines.append(_cut(f"⇅ {transfer}", width, "cyan"))
        return Group(*lines)


def _two_lines(one: Running, width: int) -> tuple[Text, Text]:
    """Name and progress, of which first the bar gives way, then the name; and its last line."""
    took = time.monotonic() - one.since
    progress = _progress(took, one.seconds)
    room = width - 1 - cell_len(progress) - len(APART)  # of the name
    name = f"▶ {one.name}"
    bar = _bar(took, one.seconds, room - cell_len(name) - len("[] "))
    name = _cut(name, max(LEAST, room + 1), "").plain
    last = _cut(f"  {one.last_line()}", width, "dim")
    return _cut(f"{name}{APART}{bar}{progress}", width, "yellow"), last


def _progress(took: float, seconds: float | None) -> str:
    """Time so far, beside that of the last time."""
    if not seconds or seconds < 1:
        return clock(took)
    if took > seconds:
        return f"{clock(took)}, last time {clock(seconds)}"
    return f"{int(took / seconds * 100)} %  {clock(took)} of about {clock(seconds)}"


def _bar(took: float, seconds: float | None, room: int) -> str:
    """How much of the time of the last time is over, where there is room for a bar."""
    cells = min(BAR, room)
    if not seconds or seconds < 1 or took > seconds or cells < SHORTEST:
        return ""
    return f"[{'━' * int(took / seconds * cells):<{cells}}] "


def _cut(text: str, width: int, style: str) -> Text:
    line = Text(text, style=style, no_wrap=True, overflow="ellipsis")
    line.truncate(max(1, width - 1), overflow="ellipsis")
    return line
