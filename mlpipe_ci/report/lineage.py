"""Where a file comes from, as lines of a terminal and as JSON."""

from collections.abc import Iterator
from typing import Any

from mlpipe_ci.core.lineage import LineageNode
from mlpipe_ci.core.result import Result, plain_number
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.report.wording import escape_controls, number

VERSION = 1
DIGITS = 12
SHOWN = 30
"""Sources of one step that are listed."""
KINDS = {"git": "in git", "blake3": "not in git", "commit": "submodule", "link": "link"}


def lines(one: LineageNode, now: float) -> list[str]:
    """The file, what made it, and below each what that was made from. `now`: since 1970."""
    found = [f"{escape_controls(one.path)}  {_short(one.digest)}"]
    if one.result is None:
        return [*found, "  no stored result made this file as it is now"]
    found += [f"  {line}" for line in _made(one.result, now)]
    for result in one.measured:
        numbers = ", ".join(
            f"{escape_controls(n)} {number(v, 5)}" for n, v in result.metrics[:SHOWN]
        )
        found.append(f"  {escape_controls(result.step)} measured {numbers}")
    return found + [f"  {line}" for line in _inputs(one, now)]


def _made(result: Result, now: float) -> Iterator[str]:
    by = result.producer
    commit = f"commit {by.commit[:7]}" if by.commit else ""
    where = [commit, by.ref.removeprefix("refs/heads/"), by.run_url]
    made = ", ".join(escape_controls(word) for word in where if word)
    ago = format_duration(max(0.0, now - result.finished))
    took = format_duration(result.seconds)
    origin = f" of {made}" if made else ""
    yield f"made by step {escape_controls(result.step)}, {ago} ago{origin}, in {took}"
    if result.parts:
        yield from (f"command  {escape_controls(line)}" for line in result.parts.run.splitlines())
        yield from (
            f"param    {escape_controls(path)} = {escape_controls(text)}"
            for path, text in result.parts.params
        )
        yield from (
            f"env      {escape_controls(name)}={escape_controls(v)}" for name, v in result.parts.env
        )


def _inputs(one: LineageNode, now: float) -> Iterator[str]:
    sources = [item for item in one.inputs if item.result is None]
    for item in sources[:SHOWN]:
        yield f"from     {escape_controls(item.path)}  {_short(item.digest)}"
    if len(sources) > SHOWN:
        yield f"from     and {len(sources) - SHOWN:,} more"
    for item in (item for item in one.inputs if item.result is not None):
        step = escape_controls(item.result.step) if item.result else ""
        if item.again:
            yield f"from     {escape_controls(item.path)}, which {step} made: see above"
            continue
        yield f"from     {escape_controls(item.path)}  {_short(item.digest)}"
        if item.result:
            yield from (f"  {line}" for line in _made(item.result, now))
        yield from (f"  {line}" for line in _inputs(item, now))


def _short(digest: str) -> str:
    kind, _, rest = digest.partition(":")
    if kind == "listing":
        count, _, rest = rest.partition(":")
        return f"{int(count):,} files, {rest[:DIGITS]}"
    return f"{rest[:DIGITS]} ({KINDS.get(kind, kind)})"


def as_json(one: LineageNode) -> dict[str, Any]:
    """In the shape of schema/show.schema.json."""
    return {"version": VERSION, **_record(one)} | {
        "measured": [
            {
                "step": escape_controls(r.step),
                "metrics": {escape_controls(n): plain_number(v) for n, v in r.metrics},
            }
            for r in one.measured
        ]
    }


def _record(one: LineageNode) -> dict[str, Any]:
    return {
        "path": escape_controls(one.path),
        "digest": one.digest,
        "made_by": _result(one.result) if one.result else None,
        "see_above": one.again,
        "inputs": [_record(item) for item in one.inputs],
    }


def _result(result: Result) -> dict[str, Any]:
    parts, by = result.parts, result.producer
    return {
        "step": escape_controls(result.step),
        "key": result.key,
        "finished": round(result.finished, 3),
        "seconds": round(result.seconds, 3),
        "repository": escape_controls(by.repository) or None,
        "commit": by.commit or None,
        "ref": escape_controls(by.ref) or None,
        "run_url": escape_controls(by.run_url) or None,
        "command": escape_controls(parts.run) if parts else None,
        "params": {escape_controls(path): text for path, text in parts.params} if parts else {},
        "env": {escape_controls(name): escape_controls(value) for name, value in parts.env}
        if parts
        else {},
    }
