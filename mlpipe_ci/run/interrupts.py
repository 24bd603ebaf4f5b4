"""SIGINT, SIGTERM and SIGHUP in a run: the first ends it in order, the second at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mlpipe_ci.core.errors import MlpipeError

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Raises KeyboardInterrupt when a signal comes, but not while the result of a step is saved or
    files are moved: code that is interrupted between two lines may end in another exception.

    Without `watch` nothing is changed: Python's own handlers do what they do. `count`: of signals.
    """

    def __init__(self) -> None:
        self.count = 0
        self._deferring = self._pending = False
        self._urgent: Callable[[], None] | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Take the signals, but those that are ignored (`nohup`); give them back at the end.

        In a thread of a program that uses mlpipe as a library they stay the program's.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in NUMBERS}
        taken = [number for number, old in before.items() if old is not signal.SIG_IGN]
        for number in taken:
            signal.signal(number, self._handle)
        try:
            yield
        except MlpipeError:
            raise
        except Exception as error:
            if self.count:  # A signal between two lines became this exception.
                raise KeyboardInterrupt from error
            raise
        finally:
            for number in taken:
                signal.signal(number, before[number])

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the first signal wait: what is done here is worth more than a second or two."""
        before, self._deferring = self._deferring, True
        try:
            yield
        finally:
            self._deferring = before

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was held back, or that became another exception."""
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def ending(self, urgent: Callable[[], None]) -> None:
        """From now on the run ends anyway: another signal calls `urgent`, and raises only if the
        result of a step is saved just then.
        """
        self._pending, self._urgent = False, urgent

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._urgent:
            self._urgent()
            if self._deferring:
                raise KeyboardInterrupt
            return
        is_first, self._pending = not self._pending, True
        if not (self._deferring and is_first):
            raise KeyboardInterrupt
