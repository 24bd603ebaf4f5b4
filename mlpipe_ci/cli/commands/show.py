"""`mlpipe show FILE`: which result made a file, and from what; it runs and writes nothing."""

import argparse
import json
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TextIO

from mlpipe_ci.ci.screen import open_screen
from mlpipe_ci.cli.locate import check_out_and_locate
from mlpipe_ci.cli.open_session import Messages, open_session
from mlpipe_ci.cli.options import (
    DEFAULTS,
    CommonOptions,
    SessionOptions,
    add_common,
    add_no_remote,
    add_workflow,
)
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.lineage import LineageNode, lineage_of
from mlpipe_ci.core.result import Result
from mlpipe_ci.plan.decide import make_plan
from mlpipe_ci.plan.session import Session
from mlpipe_ci.report import lineage

EXAMPLE = "mlpipe show models/model.pkl\n  mlpipe show models/model.pkl --json"


@frozen
class Options(CommonOptions):
    """What `mlpipe show` takes."""

    session: SessionOptions = DEFAULTS
    files: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which files, and of which workflow."""
    add_common(parser)
    add_workflow(parser)
    help_ = "files that steps have written, or directories of such"
    parser.add_argument("files", metavar="FILE", nargs="+", help=help_)
    add_no_remote(parser)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if no result made one of the files; 2 for a path that is not there."""
    screen = open_screen(err, env, progress="plain", quiet=options.quiet)
    locations = check_out_and_locate(
        options.directory, options.session.checkout, env, screen.message
    )
    session = open_session(
        locations, options.session, env, Messages(line=screen.message), readonly=True
    )
    now = time.time()
    # Results that only a remote cache has are found by their keys: those of what is here now.
    make_plan(session.workflow, session.collector(now))
    found = [one for name in options.files for one in _origins(session, locations.start, name)]
    session.cache.state.close()
    if options.json:
        print(json.dumps([lineage.as_json(one) for one in found], indent=2), file=out)
    else:
        print("\n\n".join("\n".join(lineage.lines(one, now)) for one in found), file=out)
    return 0 if all(one.result for one in found) else 1


def _origins(session: Session, start: Path, name: str) -> list[LineageNode]:
    """Of a file, or of all files of a directory. Raises UsageError."""
    path = Path(os.path.abspath(start / name))  # noqa: PTH100 - links are not followed
    if not path.is_relative_to(session.repo.root):
        raise UsageError(f"{name} is not in {session.repo.root}")
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not path.exists() or not files:
        raise UsageError(f"{name}: there is no such file; mlpipe run brings back what was made")

    @cache
    def find(digest: str) -> tuple[Result, ...]:
        return tuple(session.cache.store.mentioning(digest))

    root, digest_cache = session.repo.root, session.cache.state.digest_cache
    return [
        lineage_of(one.relative_to(root).as_posix(), digest_cache.digest(str(one)), find)
        for one in files
    ]
