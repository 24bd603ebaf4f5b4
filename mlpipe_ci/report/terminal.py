"""A plan and a run as lines of a terminal."""

from dataclasses import replace
from itertools import groupby

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import NOT_ASKED, Action, Decision, Plan
from mlpipe_ci.core.run import BROKEN, Run, Status, StepOutcome
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report.audit import audited_words
from mlpipe_ci.report.metric_rows import gate_words, metric_words, verdict
from mlpipe_ci.report.wording import (
    FOLDED,
    RAN,
    compared,
    escape_controls,
    status_words,
    transfer_words,
    undeclared,
    whole,
)

RED, GREEN, YELLOW, DIM, PLAIN = "31", "32", "33", "2", ""
ACTIONS = {
    Action.RUN: ("▶", YELLOW),
    Action.REUSE: ("↺", GREEN),
    Action.SKIP: ("–", DIM),
    Action.MAYBE: ("?", YELLOW),
}
STATUSES = {
    Status.SUCCEEDED: ("✔", GREEN),
    Status.REUSED: ("↺", GREEN),
    Status.SKIPPED: ("–", DIM),
    Status.FAILED: ("✖", RED),
    Status.TIMED_OUT: ("✖", RED),
    Status.BLOCKED: ("–", DIM),
    Status.CANCELLED: ("✖", RED),
}
SHOWN_REASONS = 3


def head_line(workflow: Workflow, comparison: Comparison, *, colour: bool = False) -> str:
    """What is about to be planned or run."""
    steps = f"{len(workflow.steps)} step{'' if len(workflow.steps) == 1 else 's'}"
    return _paint(
        f"{escape_controls(workflow.name)} · {steps} · {compared(comparison)}", DIM, colour=colour
    )


def plan_lines(plan: Plan, *, colour: bool = False) -> list[str]:
    """One line for each step: what would be done, and why."""
    asked = _folded([one for one in plan.decisions if one.reasons != (NOT_ASKED,)])
    width = max(len(escape_controls(d.step.name)) for d in asked)
    lines = []
    for decision in asked:
        symbol, code = ACTIONS[decision.action]
        start = f"{symbol} {escape_controls(decision.step.name):<{width}}  {decision.action:<5}"
        lines.append(f"{_paint(start, code, colour=colour)}  {reasons(decision.reasons)}")
        lines += _notes(decision.notes)
    return lines


def _folded(decisions: list[Decision]) -> list[Decision]:
    """Items of one step that follow one another and are alike, as one."""
    found: list[Decision] = []
    for _, group in groupby(decisions, key=_likeness):
        alike = list(group)
        name = whole(alike[0].step)
        if name and len(alike) >= FOLDED:
            step = replace(alike[0].step, name=f"{name} ({len(alike)} items)")
            alike = [replace(alike[0], step=step)]
        found += alike
    return found


def _likeness(decision: Decision) -> tuple[str, ...]:
    """Equal for items that fit in one line; a step without items is like no other."""
    name = whole(decision.step)
    if not name or decision.notes:
        return (decision.step.id,)
    why = () if decision.action is Action.REUSE else decision.reasons  # they differ in their age
    return ("", name, str(decision.action), *why)


def start_line(decision: Decision, *, colour: bool = False) -> str:
    """A step's command is about to run."""
    start = _paint(f"▶ {escape_controls(decision.step.name)}", YELLOW, colour=colour)
    return f"{start}  {reasons(decision.reasons)}"


def outcome_lines(outcome: StepOutcome, *, colour: bool = False, why: bool = False) -> list[str]:
    """How a step ended; for one that did not run, why. None for one that was not asked for.

    `why`: also for one that ran, where that was not said when it began.
    """
    if outcome.reasons == (NOT_ASKED,):
        return []
    symbol, code = ("✖", RED) if outcome.measured.missed_gates else STATUSES[outcome.status]
    start = _paint(f"{symbol} {escape_controls(outcome.step.name)}", code, colour=colour)
    unfinished = outcome.status is Status.CANCELLED and outcome.execution.exit_code is None
    ended = outcome.status in RAN and not unfinished
    parts = [format_duration(outcome.execution.seconds)] if ended else []
    parts += [reasons(outcome.reasons)] if why or not ended else []
    parts.append(metric_words(outcome))
    line = "  ".join([start, status_words(outcome), *filter(None, parts)])
    seen = undeclared(outcome)
    notes = (*outcome.notes, seen) if seen else outcome.notes
    return [line, *_notes((*gate_lines(outcome), *notes))]


def gate_lines(outcome: StepOutcome) -> tuple[str, ...]:
    """The gates that were missed, that could not be checked, and those that a change takes away."""
    words = {False: "gate missed", None: "gate not checked"}
    shown = [gate for gate in outcome.measured.gates if not gate.passed or gate.origin == "base"]
    return tuple(f"{words.get(gate.passed, 'gate passed')}: {gate_words(gate)}" for gate in shown)


def log_lines(outcome: StepOutcome) -> list[str]:
    """The last lines that a failed step printed, where they were not shown before."""
    return (
        [f"    │ {escape_controls(line)}" for line in outcome.execution.log_tail]
        if outcome.status in BROKEN
        else []
    )


def end_lines(run: Run, *, colour: bool = False) -> list[str]:
    """The verdict, and what to do next."""
    code = GREEN if run.result == "success" else RED
    symbol = "✔" if run.result == "success" else "✖"
    lines = [
        _paint(f"{symbol} {verdict(run)} · {format_duration(run.seconds)}", code, colour=colour)
    ]
    lines += [f"  {line}" for line in (*transfer_words(run.transfers), audited_words(run)) if line]
    for name, gate in run.removed_gates:
        lines.append(
            f"  gate of {escape_controls(name)} missed: {escape_controls(gate_words(gate))}"
        )
    failed = [outcome.step for outcome in run.outcomes if outcome.fails_run and outcome.failed]
    if failed:
        names = ", ".join(escape_controls(step.name) for step in failed)
        verb = "runs" if len(failed) == 1 else "run"
        broke = [o for o in run.outcomes if o.fails_run and o.failed]
        printed = [o.step.id for o in broke if o.execution.exit_code is not None]
        lines += [f"  all that was printed: mlpipe logs {printed[0]}"] if printed else []
        lines.append(f"  {names} {verb} again next time: mlpipe run")
    return lines


def reasons(texts: tuple[str, ...]) -> str:
    """The first few reasons on one line."""
    more = len(texts) - SHOWN_REASONS
    return ", ".join(escape_controls(text) for text in texts[:SHOWN_REASONS]) + (
        f" and {more} more" if more > 0 else ""
    )


def _notes(notes: tuple[str, ...]) -> list[str]:
    return [f"    {escape_controls(note)}" for note in notes]


def _paint(text: str, code: str, *, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text
