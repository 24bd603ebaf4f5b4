"""A run as one HTML file: no script, no request, light and dark, for a phone and a desk."""

import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlpipe_ci.core.plan import NOT_ASKED
from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import GateResult, Run, Status, StepOutcome
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.report import svg
from mlpipe_ci.report.audit import audited_words
from mlpipe_ci.report.metric_rows import (
    MetricRow,
    change_words,
    gate_words,
    rows,
    rows_to_show,
    value_words,
    verdict,
    why_no_base,
)
from mlpipe_ci.report.metric_tables import BETTER, legend
from mlpipe_ci.report.vega import pictures
from mlpipe_ci.report.wording import (
    compared,
    count_words,
    escape_controls,
    number,
    transfer_words,
    undeclared,
)

RESULTS = {
    "success": "succeeded",
    "failure": "failed",
    "gate-missed": "a gate was missed",
    "cancelled": "cancelled",
}
MARKS = {Status.SUCCEEDED: "✔", Status.REUSED: "↺", Status.SKIPPED: "–", Status.BLOCKED: "–"}
MOST_METRICS, MOST_STEPS, MOST_CHANGES, MOST_VALUES = 200, 1000, 500, 5
MOST_NOTEBOOKS = 50
LINE = 2000


def report(run: Run) -> str:
    """The report as a page, with pictures of its plots where they can be made."""
    plots = tuple(plot for outcome in run.outcomes for plot in outcome.measured.plots)
    return page(run, *pictures(plots))


def page(run: Run, pictures: Mapping[str, str], why: str = "") -> str:
    """The whole report. What is left out of a huge one is said.

    `pictures`: addresses (`data:`) of plots by path; `why`: why some have none.
    """
    here = files("mlpipe_ci.report") / "templates"
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((here / "report.html").read_text("utf-8"))
    style = (here / "report.css").read_text("utf-8")
    return template.render(
        style=style,
        **_head(run),
        **_metrics(run),
        **_notebooks(run),
        **_steps(run),
        **_plots(run, pictures, why),
    )


def _head(run: Run) -> dict[str, Any]:
    changed = run.comparison.changed or ()
    seen = [{"change": c.change, "path": escape_controls(c.path)} for c in changed[:MOST_CHANGES]]
    head = f"Commit {run.comparison.head[:7]}, " if run.comparison.head else ""
    footer = [*run.comparison.warnings, *transfer_words(run.transfers)]
    footer += filter(None, [audited_words(run)])
    return {
        "verdict": verdict(run),
        "workflow": escape_controls(run.workflow.name),
        "result": RESULTS[run.result],
        "good": run.result == "success",
        "tally": [*count_words(run), format_duration(run.seconds)],
        "faults": [_fault(run, o) for o in run.outcomes if o.failed],
        "gates": list(_gates(run)),
        "graph": svg.graph(run),
        "changes": seen,
        "more_changes": max(0, len(changed) - MOST_CHANGES),
        "footer": [
            *map(escape_controls, footer),
            f"{head}{escape_controls(compared(run.comparison))}",
        ],
        "url": run.url if run.url.startswith(("https://", "http://")) else "",
    }


def _fault(run: Run, outcome: StepOutcome) -> dict[str, str]:
    words = ["mlpipe", "run", outcome.step.id]
    words += ["--file", run.workflow.file] if run.workflow.file != "mlpipe.yml" else []
    return {
        "name": escape_controls(outcome.step.name),
        "why": escape_controls("; ".join(outcome.notes)),
        "tail": _text(outcome.execution.log_tail[-5:]),
        "command": escape_controls(shlex.join(words)),
    }


def _gates(run: Run) -> Iterator[dict[str, str]]:
    gates = [(o.step.name, gate) for o in run.outcomes for gate in o.measured.gates]
    words = {
        False: "gate missed",
        None: "gate passed, but could not be checked",
        True: "gate passed",
    }
    for name, gate in (*gates, *run.removed_gates):
        if not gate.passed or gate.origin == "base":
            yield {
                "name": escape_controls(name),
                "word": words[gate.passed],
                "kind": "bad" if gate.passed is False else "odd",
                "text": escape_controls(gate.gate),
                "why": _why(gate),
            }


def _why(gate: GateResult) -> str:
    return escape_controls(gate_words(gate).removeprefix(gate.gate).strip(" ;"))


def _metrics(run: Run) -> dict[str, Any]:
    some, more = rows_to_show(rows(run), MOST_METRICS)
    notes = [escape_controls(text) for text in why_no_base(run)] + legend(some)
    history = {
        outcome.step.name: outcome.measured.history
        for outcome in run.outcomes
        if len(outcome.measured.history) > 1
    }
    return {
        "metrics": [_row(row, run) for row in some],
        "compared": any(row.base is not None for row in some),
        "base": (run.comparison.base or "")[:7],
        "history": bool(history),
        "metric_notes": notes + ([f"{more:,} more metrics are in the report's JSON"] * bool(more)),
    }


def _row(row: MetricRow, run: Run) -> dict[str, Any]:
    outcome = next(o for o in run.outcomes if o.step.name == row.step)
    earlier = [dict(one.metrics).get(row.name) for one in outcome.measured.history]
    values = [value for value in earlier if value is not None]
    points = svg.line(values)
    return {
        "label": escape_controls(row.label),
        "arrow": row.direction.arrow,
        "meaning": f"{row.direction.better} is better",
        "base": value_words(row.base, row.base_spread),
        "here": value_words(row.value, row.spread),
        "change": " ".join(
            part
            for part in (change_words(row), BETTER[row.better], "within noise" * row.is_noise)
            if part
        ),
        "kind": BETTER[row.better],
        "line": " ".join(f"{x},{y}" for x, y in points),
        "last": points[-1] if points else None,
        "count": len(values),
        "last_values": ", ".join(number(value) for value in values[-MOST_VALUES:]),
    }


def _plots(run: Run, pictures: Mapping[str, str], why: str) -> dict[str, Any]:
    plots = [plot for outcome in run.outcomes for plot in outcome.measured.plots]
    figures = [
        {
            "title": escape_controls(plot.title),
            "images": list(_images(plot, pictures.get(plot.path, ""))),
            "notes": [escape_controls(note) for note in plot.notes],
        }
        for plot in plots
    ]
    return {"plots": figures, "plot_note": escape_controls(why)}


def _images(plot: PlotData, made: str) -> Iterator[tuple[str, str]]:
    """Text and address of each picture: of the base, then of here."""
    title = escape_controls(plot.title)
    if plot.base_picture:
        yield f"{title}, the base", plot.base_picture
    if plot.picture or made:
        yield f"{title}, here" if plot.base_picture else title, plot.picture or made


def _notebooks(run: Run) -> dict[str, Any]:
    found = [(outcome.step.name, path) for outcome in run.outcomes for path in outcome.notebooks]
    return {
        "notebooks": [tuple(map(escape_controls, one)) for one in found[:MOST_NOTEBOOKS]],
        "more_notebooks": max(0, len(found) - MOST_NOTEBOOKS),
    }


def _steps(run: Run) -> dict[str, Any]:
    asked = [o for o in run.outcomes if o.reasons != (NOT_ASKED,)]
    return {"steps": [_step(outcome) for outcome in asked[:MOST_STEPS]]}


def _step(outcome: StepOutcome) -> dict[str, Any]:
    bad = outcome.failed or bool(outcome.measured.missed_gates)
    seen = undeclared(outcome)
    seconds, provenance = outcome.execution.seconds, outcome.left.provenance
    return {
        "name": escape_controls(outcome.step.name),
        "kind": svg.kind_of(outcome.status, failed=bad),
        "mark": "✖" if bad else MARKS.get(outcome.status, "✖"),
        "status": "missed a gate" if bad and not outcome.failed else str(outcome.status),
        "time": format_duration(seconds) if seconds else "",
        "why": escape_controls("; ".join(outcome.reasons)),
        "notes": [escape_controls(note) for note in (*outcome.notes, *((seen,) if seen else ()))],
        "log": _text(outcome.execution.log_tail),
        "command": _text(tuple(provenance.command.split("\n"))) if provenance else "",
        "facts": list(_facts(outcome)),
        "open": bad,
    }


def _facts(outcome: StepOutcome) -> Iterator[tuple[str, str]]:
    """Its lineage: who made the result, from which params and inputs, and what it wrote."""
    provenance = outcome.left.provenance
    if provenance:
        by = " ".join(
            word for word in (provenance.commit[:7], provenance.ref, provenance.url) if word
        )
        if by:
            yield "made by", escape_controls(by)
        for path, text in provenance.params:
            yield "param", escape_controls(f"{path} = {text}")
        for item in provenance.inputs:
            kind, _, digest = item.digest.partition(":")
            yield "input", f"{escape_controls(item.path)} ({kind} {digest[:12]})"
        if provenance.more:
            yield "input", f"and {provenance.more:,} more"
    for path in outcome.discovered.reads[:MOST_CHANGES]:
        yield "read", escape_controls(path)
    for path in outcome.left.outputs[:MOST_CHANGES]:
        yield "wrote", escape_controls(path)


def _text(lines: tuple[str, ...]) -> str:
    return "\n".join(escape_controls(line)[:LINE] for line in lines)
