"""Gives restored outputs new times, in the order in which they were written.

A build tool in a later step compares times: what was made of another file must be newer than that.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from mlpipe_ci.core.result import Output

STEP = 1_000
"""Nanoseconds between two files that were written one after the other."""
SLACK = 20_000_000
"""Nanoseconds by which the clock that stamps files may be behind: what a command writes from now on
is newer.
"""


class OutputTimes:
    """The outputs of reused steps that are in place. `root`: of the work tree."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._placed: dict[int, tuple[Output, ...]] = {}
        self._first: int | None = None
        self._last = 0

    def placed(self, index: int, outputs: tuple[Output, ...], *, restored: bool) -> None:
        """The outputs of the step at an index are right. `restored`: something of them is new.

        Then all of them get new times, and those of later steps.
        """
        self._placed[index] = outputs
        if restored:
            self._first = index if self._first is None else min(index, self._first)
            for later in sorted(one for one in self._placed if one >= index):
                self._renew(self._placed[later])
        elif self._first is not None and index > self._first:
            self._renew(outputs)

    def _renew(self, outputs: tuple[Output, ...]) -> None:
        most = max((output.order for output in outputs), default=0)
        begin = max(self._last + STEP, time.time_ns() - SLACK - most * STEP)
        for output in outputs:
            moment = begin + output.order * STEP
            with suppress(OSError):  # it stayed in the cache
                path = f"{self._root}/{output.path}"
                os.utime(path, ns=(moment, moment), follow_symlinks=False)
        self._last = begin + most * STEP
