"""How long to wait before a request is made again: what GitHub says, and never over a bound.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import time
from collections.abc import Callable, Mapping

BOUND = 120.0
"""Seconds for all that one run has to say to GitHub, waiting included."""
TRIES = 4
FIRST_WAIT = 1.0
SECONDARY_WAIT = 60.0
"""GitHub asks for so many seconds at least, where an answer about a limit says no number."""
AT_ONCE = 5
"""Writes that are few; GitHub asks for a second between two of many."""
BETWEEN_WRITES = 1.0
LIMITED = (403, 429)


class RetryBudget:
    """Counts down from BOUND. `now` and `sleep` in seconds.

    The clock runs from the first request on: a run that posts at its end has all of it then.
    """

    def __init__(
        self,
        bound: float = BOUND,
        now: Callable[[], float] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.left = bound
        self._now, self._sleep = now or time.monotonic, sleep or time.sleep
        self._writes, self._wrote = 0, 0.0

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        return self._now()

    def spend(self, since: float) -> None:
        """Take off what has gone by since a moment."""
        self.left -= self._now() - since

    def wait(self, seconds: float) -> bool:
        """Wait, if that is within the bound; False if it is not."""
        if seconds >= self.left:
            return False
        started = self._now()
        self._sleep(max(0.0, seconds))
        self.spend(started)
        return True

    def before_write(self) -> None:
        """Wait a second between two, if they are many."""
        self._writes += 1
        if self._writes > AT_ONCE:
            self.wait(self._wrote + BETWEEN_WRITES - self._now())
        self._wrote = self._now()


def asked_to_wait(status: int, headers: Mapping[str, str], said: str, today: float) -> float | None:
    """Seconds that an answer asks to wait; None if it is not about a limit.

    `headers` in any case; `today` in seconds since 1970.
    """
    if status not in LIMITED:
        return None
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdecimal():
        return float(after)
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(0.0, float(reset) - today)
    limit = status == 429 or "rate limit" in said.lower()  # noqa: PLR2004
    return SECONDARY_WAIT if limit else None
