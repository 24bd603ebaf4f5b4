"""A step that was watched: its trace, and what is known of the step and of the work tree."""

import os
from collections.abc import Mapping
from functools import cached_property

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob, is_under, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.readers import Readers


@frozen
class WatchedStep:
    """One run of a command. Its paths are relative to the root, or absolute and spelled from an
    anchor, as inputs have them.
    """

    root: str
    """Absolute, without links."""
    step: Step
    index: int
    """The step's in the workflow."""
    started: float
    """Seconds since 1970."""
    env: Mapping[str, str]
    """The environment that the command had."""
    trace: Trace
    checker: InputChecker
    readers: Readers

    def at(self, path: str) -> str:
        """The absolute path of one in the repository."""
        return f"{self.root}/{path}" if path else self.root

    def whole(self, path: str) -> str:
        """The absolute path of an input here."""
        return self.checker.anchors.located(path) if path.startswith("/") else self.at(path)

    def is_declared(self, path: str) -> bool:
        """True if the step's own patterns mean it, or leave it out."""
        both = self.step.reads
        return bool(both) and any(matches(one.removeprefix("!"), path) for one in both)

    def is_described(self, folder: str) -> bool:
        """True if the step declares all of a directory, or says what does not count in it."""
        whole = (f"{folder}/*", f"{folder}/**", f"{folder}/**/*") if folder else ("*", "**", "**/*")
        return any(matches(one, folder) or one in whole for one in self._wanted) or any(
            matches(one, folder) or (is_glob(one) and literal_prefix(one) == folder)
            for one in self._excluded
        )

    def is_output(self, path: str) -> bool:
        """True if the step declares to write it."""
        writes = self.step.writes
        return bool(writes) and any(is_under(path, declared) for declared in writes)

    def is_told(self, path: str) -> bool:
        """True if the step declares to read or to write it, or says that it does not count."""
        return self.is_output(path) or self.is_declared(path)

    def has_content(self, path: str) -> bool:
        """True for a file, and for a link wherever it leads: that is what `readlink` tells."""
        whole = self.at(path)
        return os.path.islink(whole) or os.path.isfile(whole)

    @cached_property
    def _wanted(self) -> list[str]:
        return [pattern for pattern in self.step.reads if not pattern.startswith("!")]

    @cached_property
    def _excluded(self) -> list[str]:
        return [pattern[1:] for pattern in self.step.reads if pattern.startswith("!")]
