"""Where a workflow comes from."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlpipe_ci.frozen import frozen
from mlpipe_ci.items import Items, on_disk
from mlpipe_ci.workflow import Each


@frozen
class Source:
    """A workflow file, and what is known around it.

    `shown`: its name in messages; `root`: of the repository; `name`: the workflow's if the file
    says none; `github`: None where no event is known; `settings`: what `--set` was given.
    `memory`: where the workflow that was read is remembered (None: it is not); `keep`: it may be
    written. `items`: what finds the files of `each` (None: those on the disk below `root`).
    """

    path: Path
    shown: str
    root: Path
    name: str
    github: Mapping[str, Any] | None = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    memory: Path | None = None
    keep: bool = False
    items: Items | None = None

    def files(self, wanted: Each) -> tuple[str, ...]:
        """The files that `each` of a step means. Raises PathError."""
        return self.items(wanted) if self.items else on_disk(self.root, wanted)
