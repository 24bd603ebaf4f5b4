"""A plan and a run as JSON, in the shapes of schema/plan.schema.json and report.schema.json."""

from typing import Any

from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.plan import Decision, Plan
from mlpipe_ci.core.plot_data import Drawn
from mlpipe_ci.core.result import Result, plain_number
from mlpipe_ci.core.run import Held, Making, Measured, Run, StepOutcome, Transfers
from mlpipe_ci.core.workflow import Workflow
from mlpipe_ci.report.wording import shown, shown_lines

VERSION = 1


def plan_json(plan: Plan, comparison: Comparison) -> dict[str, Any]:
    """The plan as values that `json.dumps` takes."""
    steps = [_decision(decision) for decision in plan.decisions]
    return {**_head(plan.workflow, comparison), "steps": steps}


def run_json(run: Run) -> dict[str, Any]:
    """The run as values that `json.dumps` takes."""
    steps = [_outcome(outcome) for outcome in run.outcomes]
    head = _head(run.workflow, run.comparison)
    told = {**head, "result": run.result, "seconds": round(run.seconds, 3), "steps": steps}
    told |= {"run_url": run.url} if run.url else {}
    lost = [{"step": shown(step), **_held(gate)} for step, gate in run.lost]
    told |= {"lost_gates": lost} if lost else {}
    told |= {"edges": [_edge(edge) for edge in run.edges]} if run.edges else {}
    return told | ({"transfers": _transfers(run.transfers)} if run.transfers else {})


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "before": edge.before,
        "after": edge.after,
        "kind": edge.kind,
        "paths": [shown(path) for path in edge.paths],
    }


def _transfers(transfers: Transfers) -> dict[str, Any]:
    told = {**vars(transfers), "scope": transfers.scope or None}
    return told | {
        "remote": shown(transfers.remote),
        "warnings": [shown(text) for text in transfers.warnings],
    }


def _head(workflow: Workflow, comparison: Comparison) -> dict[str, Any]:
    base = {"sha": comparison.base, "how": comparison.how} if comparison.base else None
    changed = [_change(change) for change in comparison.changed or ()]
    return {
        "version": VERSION,
        "workflow": shown(workflow.name),
        "file": shown(workflow.file),
        "head": comparison.head,
        "base": base,
        "base_unknown": None if comparison.base else shown(comparison.how),
        "trigger": shown(comparison.trigger) or None,
        "changed": None if comparison.changed is None else changed,
        "warnings": [shown(warning) for warning in comparison.warnings],
    }


def _change(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"path": shown(change.path), "change": change.change}
    told |= {"from_base": True} if change.from_base else {}
    return told | ({"pointer": shown(change.pointer)} if change.pointer else {})


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.step.id,
        "name": shown(decision.step.name),
        "action": str(decision.action),
        "reasons": [shown(reason) for reason in decision.reasons],
        "notes": [shown(note) for note in decision.notes],
        "key": decision.key,
        "result": _result(decision.result) if decision.result else None,
        "saved_seconds": round(decision.saved_seconds, 3),
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "finished": round(result.finished, 3),
        "seconds": round(result.seconds, 3),
        "commit": result.producer.commit or None,
        "ref": shown(result.producer.ref) or None,
        "run_url": result.producer.run_url or None,
        "outputs": [shown(output.path) for output in result.outputs],
    }


def _metrics(metrics: tuple[tuple[str, float], ...]) -> dict[str, float | str]:
    return {shown(name): plain_number(value) for name, value in metrics}


def _numbers(many: tuple[float, ...]) -> list[float | str]:
    return [plain_number(value) for value in many]


def _measured(base: Measured) -> dict[str, Any]:
    return {
        "metrics": _metrics(base.metrics),
        "samples": {shown(name): _numbers(many) for name, many in base.samples},
        "source": shown(base.source),
    }


def _making(making: Making) -> dict[str, Any]:
    return {
        "command": shown_lines(making.command),
        "params": {shown(path): text for path, text in making.params},
        "inputs": {shown(item.path): item.digest for item in making.inputs},
        "more_inputs": making.more,
        "commit": making.commit or None,
        "ref": shown(making.ref) or None,
        "run_url": shown(making.url) or None,
        "finished": round(making.finished, 3) or None,
    }


def _drawn(plot: Drawn) -> dict[str, Any]:
    texts = ("path", "title", "x_label", "y_label")
    told: dict[str, Any] = {name: shown(getattr(plot, name)) for name in texts}
    series = [
        {
            "name": shown(one.name),
            "side": one.side,
            "points": [[shown(x) if isinstance(x, str) else x, y] for x, y in one.points],
        }
        for one in plot.series
    ]
    told |= {"kind": plot.kind, "series": series, "notes": [shown(note) for note in plot.notes]}
    pictures = {"picture": plot.picture, "base_picture": plot.base_picture, "spec": plot.spec}
    return told | {name: text for name, text in pictures.items() if text}


def _held(gate: Held) -> dict[str, Any]:
    words = {True: "passed", False: "missed", None: "unknown"}
    return {
        "gate": shown(gate.gate),
        "result": words[gate.passed],
        "why": shown(gate.why),
        "origin": gate.origin,
    }


def _outcome(outcome: StepOutcome) -> dict[str, Any]:
    step = outcome.step
    told: dict[str, Any] = {"continue_on_error": True} if step.continue_on_error else {}
    told |= {"undeclared": True} if step.undeclared else {}
    told |= {"strict_gates": True} if outcome.strict_gates else {}
    return told | {
        "id": outcome.step.id,
        "name": shown(outcome.step.name),
        "status": str(outcome.status),
        "reasons": [shown(reason) for reason in outcome.reasons],
        "notes": [shown(note) for note in outcome.notes],
        "seconds": round(outcome.seconds, 3),
        "saved_seconds": round(outcome.saved_seconds, 3),
        "exit_code": outcome.exit_code,
        "attempts": outcome.attempts,
        "outputs": [shown(path) for path in outcome.outputs],
        "metrics": _metrics(outcome.metrics),
        "samples": {shown(name): _numbers(many) for name, many in outcome.samples},
        "base": _measured(outcome.base) if outcome.base else None,
        "making": _making(outcome.making) if outcome.making else None,
        "history": [
            {"commit": one.commit, "finished": one.finished, "metrics": _metrics(one.metrics)}
            for one in outcome.history
        ],
        "plots": [_drawn(plot) for plot in outcome.plots],
        "directions": [list(pair) for pair in outcome.step.directions],
        "gates": [_held(gate) for gate in outcome.gates],
        "discovered": [shown(path) for path in outcome.reads],
        "undeclared_outputs": [shown(path) for path in outcome.writes],
        "variables": [shown(name) for name in outcome.variables],
        "tracer": outcome.tracer,
        "log_tail": [shown(line) for line in outcome.log_tail],
    }
