"""Why a step runs or does not: the parts of its key, and what differs from its last success."""

import difflib
from typing import Any

from mlpipe_ci.decide import Decision
from mlpipe_ci.frozen import frozen
from mlpipe_ci.keys import Input, KeyParts, as_record, differences
from mlpipe_ci.report.terminal import reasons
from mlpipe_ci.report.words import shown
from mlpipe_ci.result import Result

SHOWN_INPUTS = 20
DIGITS = 12


@frozen
class Explained:
    """A decision, the parts of the step's last success here, and what differs since, in words.

    `found` is None if that is not known: it has not succeeded here, or its key is not known yet.
    """

    decision: Decision
    previous: KeyParts | None
    found: tuple[str, ...] | None


def explained(decision: Decision, previous: KeyParts | None, now: KeyParts | None) -> Explained:
    """Hold the last success against now; both with the files of the listings that differ."""
    found = differences(previous, now) if previous and now else None
    return Explained(decision=decision, previous=previous, found=found)


def explain_lines(one: Explained) -> list[str]:
    """The explanation as lines of a terminal."""
    decision, parts = one.decision, one.decision.parts
    lines = [f"{shown(decision.step.name)}: {decision.action}, {reasons(decision.reasons)}"]
    lines += [f"  {shown(note)}" for note in decision.notes]
    if decision.result:
        lines += _result_lines(decision.result)
    if parts is None:
        return [*lines, "  its key is not known yet"]
    lines += _part_lines(decision.key or "", parts)
    if one.previous is None or one.found is None:
        return [*lines, "  it has not succeeded here yet"]
    if not one.found:
        return [*lines, "  its last success here had the same key"]
    lines.append("  since its last success here:")
    lines += [f"    {shown(text)}" for text in one.found]
    return lines + [f"    {line}" for line in _command_lines(one.previous.run, parts.run)]


def explain_json(one: Explained) -> dict[str, Any]:
    """The explanation as values that `json.dumps` takes."""
    decision, parts, previous = one.decision, one.decision.parts, one.previous
    return {
        "id": decision.step.id,
        "name": shown(decision.step.name),
        "action": str(decision.action),
        "reasons": [shown(reason) for reason in decision.reasons],
        "notes": [shown(note) for note in decision.notes],
        "key": decision.key,
        "parts": as_record(parts) if parts else None,
        "previous": as_record(previous) if previous else None,
        "differences": None if one.found is None else [shown(text) for text in one.found],
    }


def _result_lines(result: Result) -> list[str]:
    by = result.producer
    where = [f"commit {by.commit[:7]}" if by.commit else "", shown(by.ref), shown(by.run_url)]
    made = ", ".join(word for word in where if word) or "here"
    return [f"  the result was made by {made}, in {result.seconds:.1f} s"]


def _part_lines(key: str, parts: KeyParts) -> list[str]:
    rows = [("key", key), ("shell", parts.shell), ("directory", parts.directory)]
    rows += [("command", line) for line in parts.run.splitlines()]
    rows += [("params", f"{path} = {text}") for path, text in parts.params]
    rows += [("env", f"{name}={value}") for name, value in parts.env]
    rows += [("output", path) for path in parts.outputs]
    rows += [("input", _input(item)) for item in parts.inputs[:SHOWN_INPUTS]]
    more = len(parts.inputs) - SHOWN_INPUTS
    rows += [("input", f"and {more:,} more")] if more > 0 else []
    return [f"  {name:<9}  {shown(text)}" for name, text in rows]


def _input(item: Input) -> str:
    kind, _, rest = item.digest.partition(":")
    return f"{item.path}  {kind}:{rest[:DIGITS]}" + ("  executable" if item.executable else "")


def _command_lines(old: str, new: str) -> list[str]:
    """The lines of the command that differ, as `diff` marks them."""
    if old == new:
        return []
    found = difflib.ndiff(old.splitlines(), new.splitlines())
    return [shown(line) for line in found if line.startswith(("- ", "+ "))]
