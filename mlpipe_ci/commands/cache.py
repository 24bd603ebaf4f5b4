"""`mlpipe cache`: what the local cache holds, what is damaged, and what may go."""

import json
import time
from collections.abc import Mapping
from typing import Any, TextIO

from mlpipe_ci.cache import care
from mlpipe_ci.lock import hold
from mlpipe_ci.options import Options
from mlpipe_ci.place import cache_directory
from mlpipe_ci.report.words import shown
from mlpipe_ci.tidy import Limits, limits


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if `verify` found damage. Raises UsageError."""
    top = cache_directory(env) / "v1"
    asked = limits(env, options.max_size, options.max_age)
    if options.action == "gc":
        told, code = _gc(asked, top, err)
    elif options.action == "verify":
        told, code = _verify(options, top, err)
    else:
        told, code = vars(care.look(top)), 0
    if options.json:
        json.dump({"version": 1, "directory": shown(str(top.parent))} | told, out, indent=2)
        print(file=out)
    else:
        for line in _lines(told):
            print(line, file=out)
        print(shown(str(top.parent)), file=out)
    return code


def _verify(options: Options, top: Any, err: TextIO) -> tuple[dict[str, Any], int]:
    damaged = 0
    for path, why in care.verify(top):
        damaged += 1
        if not options.quiet:
            print(f"{shown(str(path.relative_to(top)))}: {why}", file=err)
    return {**vars(care.look(top)), "damaged": damaged}, int(damaged > 0)


def _gc(asked: Limits, top: Any, err: TextIO) -> tuple[dict[str, Any], int]:
    with hold(top / "locks" / "gc", lambda text: print(text, file=err)):
        removed, freed = care.collect(
            top, time.time(), max_bytes=asked.max_bytes, max_age=asked.max_age
        )
    told = {"removed": removed, "removed_bytes": freed}
    return {**vars(care.look(top)), **told}, 0


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [
        f"{told['results']:,} results, {_in_words(told['result_bytes'])}",
        f"{told['objects']:,} contents, {_in_words(told['object_bytes'])}",
    ]
    if told["unfinished"]:
        lines.append(f"{told['unfinished']:,} files that are being written, or were left")
    if "damaged" in told:
        lines.append(f"{told['damaged']:,} damaged" if told["damaged"] else "nothing is damaged")
    if "removed" in told:
        lines.append(f"{told['removed']:,} files removed, {_in_words(told['removed_bytes'])}")
    return lines


def _in_words(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1000
    return f"{value:.1f} TB"
