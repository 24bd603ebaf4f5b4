"""Where a workflow comes from."""

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.workflow import ForEach

FindItems = Callable[[ForEach], tuple[str, ...]]
"""The files that `each` means, sorted. Raises PathError."""


@frozen
class WorkflowFile:
    """A workflow file, and what is known around it.

    `shown`: its name in messages; `root`: of the repository; `name`: the workflow's if the file
    says none; `github`: None where no event is known; `settings`: what `--set` was given.
    `memory`: where the workflow that was read is remembered (None: it is not); `keep`: it may be
    written. `items`: what finds the files of `each`.
    """

    path: Path
    shown: str
    root: Path
    name: str
    items: FindItems
    github: Mapping[str, Any] | None = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    memory: Path | None = None
    keep: bool = False

    def files(self, each: ForEach) -> tuple[str, ...]:
        """The files that `each` of a step means. Raises PathError."""
        return self.items(each)
