"""Stops asking a store that does not answer: three failures, then a pause, then a probe."""

import threading
import time
from collections.abc import Callable

FAILURES = 3
PAUSE = 30.0
"""Seconds until the first probe; twice as long after each probe that fails."""


class CircuitBreaker:
    """Safe to use from several threads. `clock` gives seconds that only go up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failures, self._pause, self._until = 0, PAUSE, 0.0

    @property
    def open(self) -> bool:
        """True while nothing is asked."""
        with self._lock:
            return self._failures >= FAILURES and self._clock() < self._until

    def allows(self) -> bool:
        """True if a request may be made; of those that wait for a pause to end, one at a time."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            if self._clock() < self._until:
                return False
            self._until = self._clock() + self._pause  # this one is the probe
            return True

    def succeeded(self) -> None:
        """The store has answered, whatever it said."""
        with self._lock:
            self._failures, self._pause = 0, PAUSE

    def failed(self) -> bool:
        """The store has not answered. True if it is not asked for a while from now on."""
        with self._lock:
            self._failures += 1
            if self._failures < FAILURES:
                return False
            first = self._failures == FAILURES
            self._until = self._clock() + self._pause
            self._pause *= 2
            return first
