"""`mlpipe cache`: what the local cache holds, what is damaged, and what may go.

What has to do with the remote one: `cache_remote`.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from mlpipe_ci.cache import layout, maintenance
from mlpipe_ci.cache.auto_gc import Limits, limits
from mlpipe_ci.cli.locate import cache_directory, find_locations
from mlpipe_ci.cli.options import CommonOptions, add_common, add_file
from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.repo.lock import hold
from mlpipe_ci.report.wording import escape_controls, size_words

EXAMPLE = "mlpipe cache status\n  mlpipe cache push\n  mlpipe cache gc --remote --dry-run"
MOST_LISTED = 200


@frozen
class Options(CommonOptions):
    """What `mlpipe cache` takes."""

    action: str = "status"
    there: bool = False
    dry_run: bool = False
    file: str | None = None
    max_size: str | None = None
    max_age: float | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is done, to which cache, and what of it stays."""
    add_common(parser)
    add = parser.add_argument
    help_ = (
        "what is in it; what is damaged; remove what was used longest ago; list results; send to "
        "the remote cache what a run would reuse here; get from it what a run would reuse"
    )
    add("action", choices=("status", "verify", "gc", "ls", "push", "pull"), help=help_)
    help_ = "status, ls, gc: of the remote cache that the workflow file names"
    add("--remote", dest="there", action="store_true", help=help_)
    add("-n", "--dry-run", action="store_true", help="gc: only say what would be removed")
    add_file(parser)
    help_ = "gc: keep so much, as in 500M (default: MLPIPE_CACHE_MAX_SIZE, else 20G)"
    add("--max-size", metavar="SIZE", help=help_)
    help_ = "gc: keep what was used in so many days (default: MLPIPE_CACHE_MAX_AGE, else 90)"
    add("--max-age", metavar="DAYS", type=float, help=help_)


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if `verify` found damage, or a transfer failed. Raises UsageError."""
    if options.there or options.action in {"push", "pull"}:
        record, lines, code = _remote(options, env, err)
        if options.json:
            lines = [json.dumps({"version": 1} | record, indent=2)]
        print(*lines, sep="\n", file=out)
        return code
    if options.dry_run:
        raise UsageError("--dry-run is for gc --remote")
    top = layout.top_of(cache_directory(env))
    asked = limits(env, options.max_size, options.max_age)
    if options.action == "gc":
        record, code = _gc(asked, top, err)
    elif options.action == "verify":
        record, code = _verify(options, top, err)
    elif options.action == "ls":
        record, code = {"results": _listed(top)}, 0
    else:
        record, code = vars(maintenance.measure(top)), 0
    if options.json:
        json.dump(
            {"version": 1, "directory": escape_controls(str(top.parent))} | record, out, indent=2
        )
        print(file=out)
    else:
        for line in _lines(record):
            print(line, file=out)
        print(escape_controls(str(top.parent)), file=out)
    return code


def _remote(
    options: Options, env: Mapping[str, str], err: TextIO
) -> tuple[dict[str, Any], list[str], int]:
    # 30 ms to import, which the local cache does not need.
    from mlpipe_ci.cli.commands import cache_remote  # noqa: PLC0415

    locations = find_locations(options.directory, env)
    if options.action in {"push", "pull"}:
        push, quiet = options.action == "push", options.quiet
        return cache_remote.transfer(locations, options.file, env, err, push=push, quiet=quiet)
    if options.action == "verify":
        raise UsageError("verify is for the local cache; what comes from there is verified anyway")
    client = cache_remote.connect(locations, options.file, env, err)
    if options.action == "status":
        return cache_remote.status(client)
    if options.action == "ls":
        return cache_remote.ls(client)
    most, age = options.max_size, options.max_age
    return cache_remote.gc(client, most, age, dry_run=options.dry_run)


def _listed(top: Path) -> list[dict[str, Any]]:
    """The newest results."""
    return [
        {
            "key": one.key,
            "step": escape_controls(one.step),
            "size": sum(output.size for output in one.outputs),
            "finished": one.finished,
            "seconds": one.seconds,
            "producer": {name: escape_controls(text) for name, text in vars(one.producer).items()},
        }
        for one in maintenance.newest(top, MOST_LISTED)
    ]


def _verify(options: Options, top: Path, err: TextIO) -> tuple[dict[str, Any], int]:
    damaged = 0
    for path, why in maintenance.verify(top):
        damaged += 1
        if not options.quiet:
            print(f"{escape_controls(str(path.relative_to(top)))}: {why}", file=err)
    return {**vars(maintenance.measure(top)), "damaged": damaged}, int(damaged > 0)


def _gc(asked: Limits, top: Path, err: TextIO) -> tuple[dict[str, Any], int]:
    with hold(layout.gc_lock(top), lambda text: print(text, file=err)):
        removed, freed = maintenance.collect(
            top, time.time(), max_bytes=asked.max_bytes, max_age=asked.max_age
        )
    record = {"removed": removed, "removed_bytes": freed}
    return {**vars(maintenance.measure(top)), **record}, 0


def _lines(record: dict[str, Any]) -> list[str]:
    if "results" in record and isinstance(record["results"], list):
        return [_line(one) for one in record["results"]] or ["it is empty"]
    lines = [
        f"{record['results']:,} results, {size_words(record['result_bytes'])}",
        f"{record['objects']:,} contents, {size_words(record['object_bytes'])}",
    ]
    if record["unfinished"]:
        lines.append(f"{record['unfinished']:,} files that are being written, or were left")
    if "damaged" in record:
        lines.append(
            f"{record['damaged']:,} damaged" if record["damaged"] else "nothing is damaged"
        )
    if "removed" in record:
        lines.append(f"{record['removed']:,} files removed, {size_words(record['removed_bytes'])}")
    return lines


def _line(one: dict[str, Any]) -> str:
    by = one["producer"]
    words = (by["event"], by["ref"].removeprefix("refs/heads/"), by["commit"][:7])
    made = f"{format_duration(max(0.0, time.time() - one['finished']))} ago"
    return "  ".join(
        (one["key"][:12], one["step"], size_words(one["size"]), made, *filter(None, words))
    )
