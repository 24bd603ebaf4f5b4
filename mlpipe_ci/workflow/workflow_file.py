"""Where a workflow comes from: its file, and what is known around it."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.workflow import ForEach

DEFAULT_FILE = "mlpipe.yml"
NAME = regex(r"^name:[ \t].*$", re.MULTILINE)
MOST = 4 << 20
"""Characters in which the name of a workflow is looked for."""

FindItems = Callable[[ForEach], tuple[str, ...]]
"""The files that `each` means, sorted. Raises PathError."""


@frozen
class WorkflowFile:
    """A workflow file, which need not be there. `root`: of the repository. `shown`: its name in
    messages, reports and comments: its path below the root.
    """

    path: Path
    shown: str
    root: Path

    def stated_name(self) -> str | None:
        """The workflow's name, as far as it is known of a file that may be broken: empty if the
        file has none, None if the file cannot be read.
        """
        # The YAML parser takes 0.015 s to import, which a run that starts does not pay here.
        from mlpipe_ci.core.yaml.parse import YamlError, parse  # noqa: PLC0415

        try:
            with self.path.open(encoding="utf-8-sig", errors="replace") as file:
                text = file.read(MOST)
        except OSError:
            return None
        line = NAME.search(text)
        for part in (text, line[0] if line else ""):
            try:
                value = parse(part).value
            except YamlError:
                continue
            name = value.get("name") if isinstance(value, dict) else None
            return name if isinstance(name, str) else ""
        return ""


@frozen
class LoadRequest:
    """What is needed to read a workflow file.

    `name`: the workflow's if the file says none. `items`: what finds the files of `each`. `github`:
    the context of that name; None where no event is known. `settings`: what `--set` was given.
    `memory`: the directory in which the workflow is remembered (None: it is not); `remember`: this
    directory may be written.
    """

    file: WorkflowFile
    name: str
    items: FindItems
    github: Mapping[str, Any] | None = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    memory: Path | None = None
    remember: bool = False


def find_workflow_file(start: Path, named: str | None, root: Path) -> WorkflowFile:
    """The file that is named, from the directory `start`; if none is, the usual one at the root."""
    path = start / named if named else root / DEFAULT_FILE
    path = Path(os.path.realpath(path.parent), path.name)  # `../x.yml` is called as from the root
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return WorkflowFile(path=path, shown=shown, root=root)
