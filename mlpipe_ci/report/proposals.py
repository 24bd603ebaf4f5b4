"""What steps were seen to read and write, as the lines that would declare it."""

from typing import Any

from mlpipe_ci.core.proposal import Proposal, quoted
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.report.wording import escape_controls


def proposal_lines(file: str, found: list[tuple[Step, Proposal]], unseen: list[str]) -> list[str]:
    """For each step the lines to add, as they would stand in the file."""
    lines: list[str] = []
    for step, proposal in found:
        if not proposal:
            continue
        lines.append(f"{escape_controls(step.name)} ({escape_controls(file)}:{step.line})")
        for key, entries in (("inputs", proposal.inputs), ("outputs", proposal.outputs)):
            lines += [f"    {key}:"] if entries else []
            lines += [f"      - {escape_controls(quoted(entry))}" for entry in entries]
        names = ", ".join(f"${escape_controls(name)}" for name in proposal.variables)
        lines += [f"    # reads {names}: name it under env, and its value counts"] if names else []
    if unseen:
        lines.append(
            f"not watched yet: {', '.join(map(escape_controls, unseen))}; mlpipe run watches them"
        )
    return lines or ["all that was seen is declared"]


def proposal_json(step: Step, proposal: Proposal) -> dict[str, Any]:
    """The same as values that `json.dumps` takes."""
    return {
        "id": step.id,
        "name": escape_controls(step.name),
        "inputs": [escape_controls(one) for one in proposal.inputs],
        "outputs": [escape_controls(one) for one in proposal.outputs],
        "variables": [escape_controls(one) for one in proposal.variables],
    }
