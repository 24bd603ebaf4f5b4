"""Why a step runs or does not: the parts of its key, and what differs from an earlier run."""

import difflib
from typing import Any

from mlpipe_ci.core.cache_key import Input, KeyParts, as_record
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.report.terminal import reasons
from mlpipe_ci.report.wording import escape_controls

SHOWN_INPUTS = 20
DIGITS = 12


@frozen
class Explained:
    """A decision, what it is compared with, and what differs since, in words.

    `previous`: the parts of what it is compared with; `since`: that in words. `newest`: the newest
    result of its key, whose discovered inputs are shown; `seen`: these in words, each with a label.
    `found` is None if it is not known what differs.
    """

    decision: Decision
    previous: KeyParts | None
    found: tuple[str, ...] | None
    since: str = ""
    newest: Result | None = None
    seen: tuple[tuple[str, str], ...] = ()


def explain_lines(one: Explained, now: float) -> list[str]:
    """The explanation as lines of a terminal. `now` in seconds since 1970."""
    decision, parts = one.decision, one.decision.parts
    lines = [
        f"{escape_controls(decision.step.name)}: {decision.action}, {reasons(decision.reasons)}"
    ]
    lines += [f"  {escape_controls(note)}" for note in decision.notes]
    if decision.result:
        lines.append(f"  the result was made {_made(decision.result, now)}")
    if parts is None:
        return [*lines, "  its key is not known yet"]
    lines += _part_lines(decision.key or "", parts)
    lines += [f"  {label:<9}  {escape_controls(text)}" for label, text in one.seen]
    if one.previous is None or one.found is None:
        return [*lines, "  it has not succeeded here yet"]
    if not one.found:
        return [*lines, f"  its key is the same {one.since}"]
    lines.append(f"  {one.since}:")
    lines += [f"    {escape_controls(text)}" for text in one.found]
    return lines + [f"    {line}" for line in _command_lines(one.previous.run, parts.run)]


def explain_json(one: Explained) -> dict[str, Any]:
    """The explanation as values that `json.dumps` takes."""
    decision, parts, previous = one.decision, one.decision.parts, one.previous
    newest = decision.result or one.newest
    return {
        "id": decision.step.id,
        "name": escape_controls(decision.step.name),
        "action": str(decision.action),
        "reasons": [escape_controls(reason) for reason in decision.reasons],
        "notes": [escape_controls(note) for note in decision.notes],
        "key": decision.key,
        "parts": as_record(parts) if parts else None,
        "previous": as_record(previous) if previous else None,
        "discovered": [vars(item) for item in newest.discovered] if newest else [],
        "differences": None if one.found is None else [escape_controls(text) for text in one.found],
    }


def _made(result: Result, now: float) -> str:
    """`3 days ago by commit 1a2b3c4, main, https://…, in 41 min`."""
    by = result.producer
    where = [
        f"commit {by.commit[:7]}" if by.commit else "",
        escape_controls(by.ref),
        escape_controls(by.run_url),
    ]
    made = ", ".join(word for word in where if word)
    ago = format_duration(max(0.0, now - result.finished))
    return f"{ago} ago{' by ' * bool(made)}{made}, in {format_duration(result.seconds)}"


def _part_lines(key: str, parts: KeyParts) -> list[str]:
    rows = [("key", key), ("shell", parts.shell), ("directory", parts.directory)]
    rows += [("command", line) for line in parts.run.splitlines()]
    rows += [("repeat", str(parts.repeat))] if parts.repeat > 1 else []
    rows += [("params", f"{path} = {text}") for path, text in parts.params]
    rows += [("env", f"{name}={value}") for name, value in parts.env]
    rows += [("output", path) for path in parts.outputs]
    rows += [("input", _input(item)) for item in parts.inputs[:SHOWN_INPUTS]]
    more = len(parts.inputs) - SHOWN_INPUTS
    rows += [("input", f"and {more:,} more")] if more > 0 else []
    return [f"  {name:<9}  {escape_controls(text)}" for name, text in rows]


def _input(item: Input) -> str:
    kind, mark, rest = item.digest.partition(":")
    return f"{item.path}  {kind}{mark}{rest[:DIGITS]}" + ("  executable" if item.executable else "")


def _command_lines(old: str, new: str) -> list[str]:
    """The lines of the command that differ, as `diff` marks them."""
    if old == new:
        return []
    found = difflib.ndiff(old.splitlines(), new.splitlines())
    return [escape_controls(line) for line in found if line.startswith(("- ", "+ "))]
