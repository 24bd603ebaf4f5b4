"""What a reader sees first: the verdict, why anything ran, what to do, what failed."""

import shlex
from collections.abc import Iterator

from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import NO_RESULT, NOT_ASKED
from mlpipe_ci.core.run import GateResult, Run, Status, StepOutcome
from mlpipe_ci.report.escape import code, fence, plain
from mlpipe_ci.report.metric_rows import gate_words, verdict
from mlpipe_ci.report.tracebacks import frame, shown_tail
from mlpipe_ci.report.wording import FOLDED, RAN, SYMBOLS, family, many

SHOWN_FAILED = 5
SHOWN_REASONS = 3
SHOWN_CHANGES = 50
SHOWN_ALIKE = 20
LONGEST_ERROR = 200
LAST_LINES = 5


def headline(run: Run) -> str:
    """The verdict. It fits a phone."""
    return f"### {SYMBOLS[run.result]} {plain(verdict(run))}"


def why_ran(run: Run) -> str:
    """Why anything ran, in one sentence, or that nothing had to; and what there is to do."""
    trigger = run.comparison.trigger
    started = f"**Started by** {plain(trigger)}" if trigger else ""
    return "\n\n".join(part for part in (started, _why(run), _to_do(run)) if part)


def _to_do(run: Run) -> str:
    """What is asked of the reader."""
    broke = [outcome for outcome in run.outcomes if outcome.fails_run]
    failed = [outcome for outcome in broke if outcome.failed]
    if run.cancelled:
        return "**To do:** run it again; what had ended is not done again."
    if any(outcome.source_unavailable for outcome in failed):
        return "**To do:** make the data reachable that is named below, and run the job again."
    if failed:
        file_line = frame(failed[0].execution.log_tail, run.root)
        where = (
            f"{code(f'{file_line[0]}:{file_line[1]}')}" if file_line else code(failed[0].step.name)
        )
        return f"**To do:** mend {where}, and push."
    if broke or run.removed_gates:
        whose = " of the base branch" if any(_is_of_base(one) for one in broke) else ""
        return (
            f"**To do:** make the model better, or, if this is meant, have the gate changed in "
            f"{code(run.workflow.file)}{whose}."
        )
    unchecked = sum(
        gate.passed is None for outcome in run.outcomes for gate in outcome.measured.gates
    )
    if unchecked:
        gates = "1 gate" if unchecked == 1 else f"{unchecked} gates"
        return (
            f"**To do:** nothing; {gates} could not be checked, with nothing to compare with yet."
        )
    return _to_do_for_reuse(run)


def _to_do_for_reuse(run: Run) -> str:
    """What keeps steps from being reused, or that there is nothing to do."""
    unstored = [outcome for outcome in run.outcomes if outcome.why_not_stored]
    if not unstored:
        return "**To do:** nothing."
    names = ", ".join(code(one.step.name) for one in unstored[:SHOWN_REASONS])
    more = f" and {len(unstored) - SHOWN_REASONS:,} more" if len(unstored) > SHOWN_REASONS else ""
    verb = "runs" if len(unstored) == 1 else "run"
    return (
        f"**To do:** {names}{more} left no result to reuse, and {verb} again next time; the table "
        "says why, and what helps."
    )


def _is_of_base(outcome: StepOutcome) -> bool:
    return any(gate.origin == "base" for gate in outcome.measured.missed_gates)


def _why(run: Run) -> str:
    asked = [o for o in run.outcomes if o.reasons != (NOT_ASKED,)]
    ran = [o for o in asked if o.status in RAN and o.reasons]
    if not ran:
        return _untouched(run)
    if all(one.reasons == (NO_RESULT,) for one in ran):
        return "**Why:** first run of these steps: there was no result to reuse."
    first = next((one for one in ran if one.reasons != (NO_RESULT,)), ran[0])
    more = sum(family(one.step) == family(first.step) != "" for one in ran)
    name = many(first.step, more) if more >= FOLDED else first.step.name
    return f"**Why:** {_what(run)}{plain(first.reasons[0])} ({code(name)})"


def _what(run: Run) -> str:
    """What went wrong, before what it came from."""
    for outcome in run.outcomes:
        if (
            outcome.fails_run
            and outcome.measured.missed_gates
            and outcome.measured.missed_gates[0].why
        ):
            return f"{plain(outcome.measured.missed_gates[0].why)}; "
        if outcome.fails_run and frame(outcome.execution.log_tail, run.root):
            return f"{plain(outcome.execution.log_tail[-1][:LONGEST_ERROR])}; "
    return ""


def _untouched(run: Run) -> str:
    left = {path for one in run.outcomes for path in (*one.left.outputs, *one.discovered.writes)}
    changed = [
        one
        for one in run.comparison.changed or ()
        if one.change != "untracked" or not any(is_under(one.path, path) for path in left)
    ]  # what the steps themselves have left is no change, though git may not ignore it
    if not changed or not run.count(Status.REUSED):
        return ""
    names = ", ".join(code(one.path) for one in changed[:SHOWN_REASONS])
    more = f" and {len(changed) - SHOWN_REASONS:,} more" if len(changed) > SHOWN_REASONS else ""
    patterns = {p for o in run.outcomes for p in o.step.reads if not p.startswith("!")}
    read = any(matches(p, one.path) for one in changed[:SHOWN_CHANGES] for p in patterns)
    what = "all results are known for what changed" if read else "no step reads what changed"
    return f"**Why:** {what}: {names}{more}"


def next_steps(run: Run) -> str:
    """What needs a person: the failed steps, their last lines, how to see it at a desk."""
    alike: dict[object, list[StepOutcome]] = {}
    for number, one in enumerate(outcome for outcome in run.outcomes if outcome.failed):
        file_line = frame(one.execution.log_tail, run.root)
        alike.setdefault((family(one.step), file_line) if file_line else number, []).append(one)
    parts = [_failure(run, group) for group in list(alike.values())[:SHOWN_FAILED]]
    more = sum(map(len, list(alike.values())[SHOWN_FAILED:]))
    parts += [f"{more} more failed: see the table below."] if more else []
    return "\n\n".join((*parts, *_gates(run)))


def _gates(run: Run) -> Iterator[str]:
    """Gates that were missed; then those that passed, and that the change takes away."""
    gates = [(o.step.name, o.tolerated, gate) for o in run.outcomes for gate in o.measured.gates]
    gates += [(name, False, gate) for name, gate in run.removed_gates]
    missed = [one for one in gates if one[2].passed is False]
    for name, forgiven, gate in missed[:SHOWN_FAILED]:
        alert, allowed = ("NOTE", ", as allowed") if forgiven else ("CAUTION", "")
        yield f"> [!{alert}]\n> **{code(name)}** missed a gate{allowed}: {gate_text(gate)}"
    if len(missed) > SHOWN_FAILED:
        yield f"{len(missed) - SHOWN_FAILED} more gates were missed."
    taken = [(name, gate) for name, _, gate in gates if gate.passed and gate.origin == "base"]
    for name, gate in taken[:SHOWN_FAILED]:
        yield f"> [!WARNING]\n> Gate of {code(name)} passed: {gate_text(gate)}"


def gate_text(gate: GateResult) -> str:
    """A gate with what is to be said of it, as Markdown."""
    return f"{code(gate.gate)}{plain(gate_words(gate).removeprefix(gate.gate))}"


def _failure(run: Run, alike: list[StepOutcome]) -> str:
    """A failure, and those of the same step at the same place."""
    outcome = alike[0]
    why, tail = plain("; ".join(outcome.notes)), outcome.execution.log_tail
    file_line = frame(tail, run.root)
    where = f", at {code(f'{file_line[0]}:{file_line[1]}')}" if file_line else ""
    where += f": {plain(tail[-1][:LONGEST_ERROR])}" if file_line else ""
    others = ", ".join(code(one.step.name) for one in alike[1:SHOWN_ALIKE])
    also = f"<br>The same in: {others}" if others else ""
    alert, allowed = ("NOTE", ", as allowed") if outcome.tolerated else ("CAUTION", "")
    parts = [f"> [!{alert}]\n> **{code(outcome.step.name)}** failed{allowed}: {why}{where}{also}"]
    if tail:
        parts.append(fence(shown_tail(tail, run.root, LAST_LINES)))
    words = ["mlpipe", "run", outcome.step.id]
    if run.workflow.file != "mlpipe.yml":
        words += ["--file", run.workflow.file]
    parts.append(f"To reproduce it: {code(shlex.join(words))}")
    return "\n\n".join(parts)
