"""A plan and a run as JSON, in the shapes of schema/plan.schema.json and report.schema.json."""

import json
from typing import Any

from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.result import Result, plain_number
from mlpipe_ci.core.run import BaseMetrics, GateResult, Provenance, Run, StepOutcome, Transfers
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report.wording import escape_control_lines, escape_controls

VERSION = 1


def plan_json(plan: Plan, comparison: Comparison) -> dict[str, Any]:
    """The plan as values that `json.dumps` takes."""
    steps = [_decision(decision) for decision in plan.decisions]
    return {**_head(plan.workflow, comparison), "steps": steps}


def report(run: Run) -> str:
    """The run as the text of a file."""
    return json.dumps(run_json(run), indent=2)


def run_json(run: Run) -> dict[str, Any]:
    """The run as values that `json.dumps` takes."""
    steps = [_outcome(outcome) for outcome in run.outcomes]
    head = _head(run.workflow, run.comparison)
    record = {**head, "result": run.result, "seconds": round(run.seconds, 3), "steps": steps}
    record |= {"run_url": run.url} if run.url else {}
    record |= {"branch": escape_controls(run.branch)} if run.branch else {}
    record |= {"finished": round(run.finished, 3)} if run.finished else {}
    named = {name: escape_controls(text) for name, text in vars(run.job).items() if text}
    record |= {"job": named} if named else {}
    lost = [{"step": escape_controls(step), **_held(gate)} for step, gate in run.removed_gates]
    record |= {"lost_gates": lost} if lost else {}
    record |= {"edges": [_edge(edge) for edge in run.edges]} if run.edges else {}
    record |= {"transfers": _transfers(run.transfers)} if run.transfers else {}
    return record | ({"comment_url": run.comment_url} if run.comment_url else {})


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "before": edge.before,
        "after": edge.after,
        "kind": edge.kind,
        "paths": [escape_controls(path) for path in edge.paths],
    }


def _transfers(transfers: Transfers) -> dict[str, Any]:
    record = {**vars(transfers), "scope": transfers.scope or None}
    return record | {
        "remote": escape_controls(transfers.remote),
        "warnings": [escape_controls(text) for text in transfers.warnings],
    }


def _head(workflow: Workflow, comparison: Comparison) -> dict[str, Any]:
    base = {"sha": comparison.base, "how": comparison.how} if comparison.base else None
    changed = [_change(change) for change in comparison.changed or ()]
    return {
        "version": VERSION,
        "workflow": escape_controls(workflow.name),
        "file": escape_controls(workflow.file),
        "head": comparison.head,
        "base": base,
        "base_unknown": None if comparison.base else escape_controls(comparison.how),
        "trigger": escape_controls(comparison.trigger) or None,
        "changed": None if comparison.changed is None else changed,
        "warnings": [escape_controls(warning) for warning in comparison.warnings],
    }


def _change(change: Change) -> dict[str, Any]:
    record: dict[str, Any] = {"path": escape_controls(change.path), "change": change.change}
    record |= {"from_base": True} if change.from_base else {}
    return record | ({"pointer": escape_controls(change.pointer)} if change.pointer else {})


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.step.id,
        "name": escape_controls(decision.step.name),
        "action": str(decision.action),
        "reasons": [escape_controls(reason) for reason in decision.reasons],
        "notes": [escape_controls(note) for note in decision.notes],
        "key": decision.key,
        "result": _result(decision.result) if decision.result else None,
        "saved_seconds": round(decision.saved_seconds, 3),
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "finished": round(result.finished, 3),
        "seconds": round(result.seconds, 3),
        "commit": result.producer.commit or None,
        "ref": escape_controls(result.producer.ref) or None,
        "run_url": result.producer.run_url or None,
        "outputs": [escape_controls(output.path) for output in result.outputs],
    }


def _metrics(metrics: tuple[tuple[str, float], ...]) -> dict[str, float | str]:
    return {escape_controls(name): plain_number(value) for name, value in metrics}


def _numbers(many: tuple[float, ...]) -> list[float | str]:
    return [plain_number(value) for value in many]


def _base(base: BaseMetrics) -> dict[str, Any]:
    return {
        "metrics": _metrics(base.metrics),
        "samples": {escape_controls(name): _numbers(many) for name, many in base.samples},
        "source": escape_controls(base.source),
    }


def _provenance(provenance: Provenance) -> dict[str, Any]:
    return {
        "command": escape_control_lines(provenance.command),
        "params": {escape_controls(path): text for path, text in provenance.params},
        "inputs": {escape_controls(item.path): item.digest for item in provenance.inputs},
        "more_inputs": provenance.more,
        "commit": provenance.commit or None,
        "ref": escape_controls(provenance.ref) or None,
        "run_url": escape_controls(provenance.url) or None,
        "finished": round(provenance.finished, 3) or None,
    }


def _drawn(plot: PlotData) -> dict[str, Any]:
    texts = ("path", "title", "x_label", "y_label")
    record: dict[str, Any] = {name: escape_controls(getattr(plot, name)) for name in texts}
    series = [
        {
            "name": escape_controls(one.name),
            "side": one.side,
            "points": [[escape_controls(x) if isinstance(x, str) else x, y] for x, y in one.points],
        }
        for one in plot.series
    ]
    record |= {
        "kind": plot.kind,
        "series": series,
        "notes": [escape_controls(note) for note in plot.notes],
    }
    pictures = {"picture": plot.picture, "base_picture": plot.base_picture, "spec": plot.spec}
    return record | {name: text for name, text in pictures.items() if text}


def _held(gate: GateResult) -> dict[str, Any]:
    words = {True: "passed", False: "missed", None: "unknown"}
    return {
        "gate": escape_controls(gate.gate),
        "result": words[gate.passed],
        "why": escape_controls(gate.why),
        "origin": gate.origin,
    }


def _outcome(outcome: StepOutcome) -> dict[str, Any]:
    step, execution, left = outcome.step, outcome.execution, outcome.left
    discovered, measured = outcome.discovered, outcome.measured
    record: dict[str, Any] = {"continue_on_error": True} if step.continue_on_error else {}
    record |= {"undeclared": True} if step.declares_nothing else {}
    if step.strategy:
        shown, each = escape_controls(step.strategy.shown), bool(step.strategy.each)
        record |= {"instance": {"of": step.group, "shown": shown, "each": each}}
    record |= {"strict_gates": True} if measured.strict_gates else {}
    record |= {"audited": vars(left.audited)} if left.audited is not None else {}
    return record | {
        "id": outcome.step.id,
        "name": escape_controls(outcome.step.name),
        "status": str(outcome.status),
        "reasons": [escape_controls(reason) for reason in outcome.reasons],
        "notes": [escape_controls(note) for note in outcome.notes],
        "seconds": round(execution.seconds, 3),
        "saved_seconds": round(left.saved_seconds, 3),
        "exit_code": execution.exit_code,
        "attempts": execution.attempts,
        "outputs": [escape_controls(path) for path in left.outputs],
        "metrics": _metrics(measured.metrics),
        "samples": {escape_controls(name): _numbers(many) for name, many in measured.samples},
        "base": _base(measured.base) if measured.base else None,
        "making": _provenance(left.provenance) if left.provenance else None,
        "history": [
            {"commit": one.commit, "finished": one.finished, "metrics": _metrics(one.metrics)}
            for one in measured.history
        ],
        "plots": [_drawn(plot) for plot in measured.plots],
        "directions": [list(pair) for pair in outcome.step.directions],
        "gates": [_held(gate) for gate in measured.gates],
        "discovered": [escape_controls(path) for path in discovered.reads],
        "undeclared_outputs": [escape_controls(path) for path in discovered.writes],
        "variables": [escape_controls(name) for name in discovered.variables],
        "tracer": execution.tracer,
        "log_tail": [escape_controls(line) for line in execution.log_tail],
    }
