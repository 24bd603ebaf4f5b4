"""A run as one HTML file: no script, no request, light and dark, for a phone and a desk."""

import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import GateResult, Run, Status, StepOutcome
from mlpipe_ci.core.units import format_duration
from mlpipe_ci.report import fold, svg
from mlpipe_ci.report.audit import audited_words
from mlpipe_ci.report.metric_rows import (
    MetricRow,
    change_words,
    gate_words,
    headline_metric,
    rows,
    rows_to_show,
    value_words,
    verdict,
    why_no_base,
)
from mlpipe_ci.report.metric_tables import BETTER, legend
from mlpipe_ci.report.sections import whose
from mlpipe_ci.report.vega import pictures
from mlpipe_ci.report.wording import (
    compared,
    count_words,
    escape_controls,
    number,
    result_words,
    status_words,
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
    page = run.url if run.url.startswith(("https://", "http://")) else ""
    return {
        "verdict": verdict(run),
        "workflow": escape_controls(run.workflow.name),
        "result": RESULTS[run.result],
        "good": run.result == "success",
        "headline": headline_metric(run),
        "tally": [*result_words(run), *count_words(run), format_duration(run.seconds)],
        "where": [escape_controls(text) for text in (run.branch, _date(run.finished)) if text],
        "commit": (run.comparison.head or "")[:7],
        "commit_page": _commit_page(page, run.comparison.head or ""),
        "faults": [_fault(run, o) for o in run.outcomes if o.failed],
        "missed": [one for one in _gates(run) if one["needs_you"]],
        "gates": list(_gates(run)),
        "graph": svg.graph(run),
        "changes": seen,
        "more_changes": max(0, len(changed) - MOST_CHANGES),
        "footer": [
            *map(escape_controls, footer),
            f"{head}{escape_controls(compared(run.comparison))}",
        ],
        "url": page,
    }


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)) if seconds else ""


def _commit_page(page: str, commit: str) -> str:
    """The page of a commit at GitHub, beside that of the run; empty where none is known."""
    repository, found, _ = page.partition("/actions/runs/")
    return f"{repository}/commit/{commit}" if found and commit.isalnum() else ""


def _fault(run: Run, outcome: StepOutcome) -> dict[str, str]:
    words = ["mlpipe", "run", outcome.step.id]
    words += ["--file", run.workflow.file] if run.workflow.file != "mlpipe.yml" else []
    return {
        "name": escape_controls(outcome.step.name),
        "why": escape_controls("; ".join(outcome.notes)),
        "tail": _text(outcome.execution.log_tail[-5:]),
        "command": escape_controls(shlex.join(words)),
    }


def _gates(run: Run) -> Iterator[dict[str, Any]]:
    gates = [(o.step.name, gate) for o in run.outcomes for gate in o.measured.gates]
    words = {
        False: ("missed", "gate missed", "✖", "worse"),
        None: ("not checked", "gate passed, but could not be checked", "–", ""),
        True: ("passed", "gate passed", "✔", "better"),
    }
    for name, gate in (*gates, *run.removed_gates):
        short, word, mark, colour = words[gate.passed]
        yield {
            "name": escape_controls(name),
            "short": short,
            "word": word,
            "mark": mark,
            "colour": colour,
            "kind": "bad" if gate.passed is False else "odd",
            "text": escape_controls(gate.gate),
            "why": _why(gate),
            "needs_you": not gate.passed or gate.origin == "base",
        }


def _why(gate: GateResult) -> str:
    rest = gate_words(replace(gate, why="")).removeprefix(gate.gate).strip(" ;")
    return escape_controls("; ".join(filter(None, (gate.why, rest))))


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
    figures: list[dict[str, Any]] = [
        {
            "title": escape_controls(plot.title),
            "images": list(_images(plot, pictures.get(plot.path, ""))),
            "notes": [escape_controls(note) for note in plot.notes],
        }
        for plot in plots
    ]
    without = "there is nothing to draw in it" if not why else "it could not be drawn"
    return {
        "plots": [one for one in figures if one["images"]],
        "undrawn": [
            (one["title"], "; ".join(one["notes"]) or without)
            for one in figures
            if not one["images"]
        ],
        "plot_note": escape_controls(why),
    }


def _images(plot: PlotData, made: str) -> Iterator[tuple[str, str, str]]:
    """Caption, text and address of each picture: of the base, then of here."""
    title = escape_controls(plot.title)
    if plot.base_picture:
        yield "base", f"{title}, base", plot.base_picture
    if plot.picture or made:
        caption, text = ("here", f"{title}, here") if plot.base_picture else ("", title)
        yield caption, text, plot.picture or made


def _notebooks(run: Run) -> dict[str, Any]:
    found = [(outcome.step.name, path) for outcome in run.outcomes for path in outcome.notebooks]
    return {
        "notebooks": [tuple(map(escape_controls, one)) for one in found[:MOST_NOTEBOOKS]],
        "more_notebooks": max(0, len(found) - MOST_NOTEBOOKS),
    }


def _steps(run: Run) -> dict[str, Any]:
    told, reused = fold.rows(run)
    found: list[dict[str, Any]] = [_fold(one) for one in told[:MOST_STEPS]]
    if reused:
        inner: list[dict[str, Any]] = [_fold(one) for one in reused[:MOST_STEPS]]
        count = sum(len(one.outcomes) for one in reused)
        saved = sum(o.left.saved_seconds for one in reused for o in one.outcomes)
        found.append(
            {
                "name": f"{count} steps",
                "kind": "reused",
                "mark": "↺",
                "status": "reused",
                "time": f"saved {format_duration(saved)}" if saved else "",
                "why": ", ".join(one["name"] for one in inner),
                "inner": inner,
                "open": False,
            }
        )
    return {"steps": found}


def _fold(one: fold.Fold) -> dict[str, Any]:
    """A step, or several that are told as one with each of them inside."""
    first, *more = map(_step, one.outcomes[:MOST_STEPS])
    if not more:
        return first
    seconds = sum(outcome.execution.seconds for outcome in one.outcomes)
    reasons = {whose(outcome.reasons) for outcome in one.outcomes}
    why = first["why"] if len(reasons) == 1 else "each for its own reasons"
    unstored = sum(bool(outcome.why_not_stored) for outcome in one.outcomes)
    return {
        "name": escape_controls(one.name),
        "kind": one.kind,
        "mark": first["mark"],
        "status": first["status"],
        "time": format_duration(seconds) if seconds else "",
        "why": f"{why}; {unstored} left no result to reuse" if unstored else why,
        "inner": [first, *more],
        "open": False,
    }


def _step(outcome: StepOutcome) -> dict[str, Any]:
    bad = fold.is_bad(outcome)
    seen = undeclared(outcome)
    seconds, provenance = outcome.execution.seconds, outcome.left.provenance
    return {
        "name": escape_controls(outcome.step.name),
        "kind": fold.kind_of(outcome),
        "mark": "✖" if bad else MARKS.get(outcome.status, "✖"),
        "status": status_words(outcome),
        "time": format_duration(seconds) if seconds else "",
        "why": escape_controls("; ".join(outcome.reasons)),
        "notes": [escape_controls(note) for note in (*outcome.notes, *((seen,) if seen else ()))],
        "log": _text(outcome.execution.log_tail),
        "command": _text(tuple(provenance.command.split("\n"))) if provenance else "",
        "facts": list(_facts(outcome)),
        "inner": [],
        "open": bad or bool(outcome.why_not_stored),
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
