"""Where a workflow comes from."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlpipe_ci.frozen import frozen


@frozen
class Source:
    """A workflow file, and what is known around it.

    `shown`: its name in messages; `root`: of the repository; `name`: the workflow's if the file
    says none; `github`: None where no event is known; `settings`: what `--set` was given.
    `memory`: where the workflow that was read is remembered (None: it is not); `keep`: it may be
    written.
    """

    path: Path
    shown: str
    root: Path
    name: str
    github: Mapping[str, Any] | None = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    memory: Path | None = None
    keep: bool = False
