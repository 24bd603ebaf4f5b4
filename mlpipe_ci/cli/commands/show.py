"""`mlpipe show FILE`: which result made a file, and from what; it runs and writes nothing."""

import json
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import provide
from mlpipe_ci.cli.open_session import Telling, open_workspace
from mlpipe_ci.cli.options import Options
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.lineage import Origin, origin
from mlpipe_ci.core.result import Result
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Workspace
from mlpipe_ci.report import lineage


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if no result made one of the files; 2 for a path that is not there."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    place = provide(options, env, screen.say)
    workspace = open_workspace(place, options, env, Telling(say=screen.say), readonly=True)
    now = time.time()
    # Results that only a remote cache has are found by their keys: those of what is here now.
    make_plan(workspace.workflow, workspace.gatherer(now))
    found = [one for name in options.files for one in _origins(workspace, place.start, name)]
    workspace.state.close()
    if options.json:
        print(json.dumps([lineage.as_json(one) for one in found], indent=2), file=out)
    else:
        print("\n\n".join("\n".join(lineage.lines(one, now)) for one in found), file=out)
    return 0 if all(one.result for one in found) else 1


def _origins(workspace: Workspace, start: Path, name: str) -> list[Origin]:
    """Of a file, or of all files of a directory. Raises UsageError."""
    path = Path(os.path.abspath(start / name))  # noqa: PTH100 - links are not followed
    if not path.is_relative_to(workspace.root):
        raise UsageError(f"{name} is not in {workspace.root}")
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not path.exists() or not files:
        raise UsageError(f"{name}: there is no such file; mlpipe run brings back what was made")

    @cache
    def find(digest: str) -> tuple[Result, ...]:
        return tuple(workspace.store.mentioning(digest))

    root, memo = workspace.root, workspace.state.memo
    return [origin(one.relative_to(root).as_posix(), memo.digest(str(one)), find) for one in files]
