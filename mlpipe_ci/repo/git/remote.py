"""Where commits are fetched from, with a token that exists for the one command only."""

import re
import time
from dataclasses import field

from mlpipe_ci.core.errors import GitError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.repo.git.command import Command, Settings

NAME = "origin"
"""What the remote is called in a clone."""
VIA = "mlpipe-remote"
"""What it is called for the one command: a clone may have another address, or none, for origin."""
PAUSE = 1.0
"""Seconds between two attempts."""
FINAL = regex(
    "not our ref|unadvertised|couldn't find remote ref|not found|Authentication|could not read "
    "(?:Username|Password)|Permission denied|does not appear to be a git repository|no end after|"
    "not allowed|Invalid|returned error: 4",
    re.IGNORECASE,
)
"""What a second attempt does not mend."""
PASSED_ON = regex(r"(https?|credential|url|ssh|protocol)\..*|core\.(sshcommand|askpass)")
STALLED = (("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "20"))
QUIET = (("core.hooksPath", "/dev/null"), ("gc.auto", "0"), ("maintenance.auto", "false"))
"""No hook of the user's runs in what mlpipe fetches, and nothing goes on in the background."""


@frozen(kw_only=False)
class Remote:
    """One address. `settings` are git's; `seconds`: the most that one deadline gives.

    `is_origin`: the clone was made from it, so that its `refs/remotes/origin/` are of this remote.
    """

    url: str
    settings: Settings = field(default=(), repr=False)
    seconds: float = 60.0
    is_origin: bool = True

    def deadline(self) -> "Deadline":
        """Start the clock."""
        return Deadline(time.monotonic() + self.seconds)

    def reach(self, command: Command, deadline: "Deadline", *words: str) -> bytes:
        """Run a command that reaches this remote under the name VIA. Raises GitError.

        What may be a moment's fault of the network is tried once more.
        """
        named = (*STALLED, *QUIET, (f"remote.{VIA}.url", self.url), *self.settings)
        for last in (False, True):
            try:
                seconds = deadline.left()
                return command.transfer(*words, settings=named, seconds=seconds)
            except GitError as error:
                if last or FINAL.search(str(error)) or deadline.left() < PAUSE:
                    raise
            time.sleep(PAUSE)
        raise AssertionError("unreachable: the last attempt returns or raises")


@frozen(kw_only=False)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    end: float

    def left(self) -> float:
        """Seconds that are left. Raises GitError if there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise GitError("the time for fetching is over")
        return left


def settings_of(command: Command) -> Settings:
    """What a repository's own configuration says about reaching its remote."""
    raw = command.attempt("config", "--local", "--includes", "--list", "-z") or b""
    pairs = [entry.partition("\n") for entry in raw.decode("utf-8", "surrogateescape").split("\0")]
    # A name without a value means true; with an empty one it would mean false.
    return tuple(
        (n, value if is_set else "true") for n, is_set, value in pairs if PASSED_ON.fullmatch(n)
    )


def without_password(url: str) -> str:
    """An address as it may be shown and stored: without password and query."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    # The user of ssh is no secret, and nobody can log in without it.
    kept = "" if scheme.startswith("http") else user.partition(":")[0] + at
    return f"{scheme}://{kept}{host}{slash}{path}".split("?")[0]
