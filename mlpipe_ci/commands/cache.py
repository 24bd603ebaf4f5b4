"""`mlpipe cache`: what the local cache holds, what is damaged, and what may go."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any, TextIO

from mlpipe_ci.cache import care
from mlpipe_ci.errors import UsageError
from mlpipe_ci.lock import hold
from mlpipe_ci.report.words import shown
from mlpipe_ci.workspace import Options, cache_directory

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DAY = 86_400.0


def main(options: Options, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Exit code 0; 1 if `verify` found damage. Raises UsageError."""
    top = cache_directory(env) / "v1"
    told, code = {"status": _status, "verify": _verify, "gc": _gc}[options.action](
        options, top, err
    )
    if options.json:
        json.dump({"version": 1, "directory": shown(str(top.parent))} | told, out, indent=2)
        print(file=out)
    else:
        for line in _lines(told):
            print(line, file=out)
        print(shown(str(top.parent)), file=out)
    return code


def _status(_options: Options, top: Any, _err: TextIO) -> tuple[dict[str, Any], int]:
    return vars(care.look(top)), 0


def _verify(options: Options, top: Any, err: TextIO) -> tuple[dict[str, Any], int]:
    damaged = 0
    for path, why in care.verify(top):
        damaged += 1
        if not options.quiet:
            print(f"{shown(str(path.relative_to(top)))}: {why}", file=err)
    return {**vars(care.look(top)), "damaged": damaged}, int(damaged > 0)


def _gc(options: Options, top: Any, err: TextIO) -> tuple[dict[str, Any], int]:
    limit, age = size(options.max_size), options.max_age * DAY
    with hold(top / "locks" / "gc", lambda text: print(text, file=err)):
        removed, freed = care.collect(top, time.time(), max_bytes=limit, max_age=age)
    told = {"removed": removed, "removed_bytes": freed}
    return {**vars(care.look(top)), **told}, 0


def size(text: str) -> int:
    """Bytes of a size such as `500M`, `20G` or `1.5T`. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.strip().upper())
    if not found:
        raise UsageError(f"--max-size {text}: not a size; write 500M, 20G or 1.5T")
    return int(float(found[1]) * UNITS[found[2]])


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
