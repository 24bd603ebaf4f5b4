"""A run from its JSON (schema/report.schema.json): what another job did, as it tells of it.

Who wrote the file may have meant harm, so nothing but its values is believed to be what it says.
"""

from collections.abc import Mapping
from typing import Any

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.plot_data import PlotData, Series
from mlpipe_ci.core.run import (
    BaseMetrics,
    GateResult,
    PastMetrics,
    Provenance,
    Run,
    Status,
    StepOutcome,
    Transfers,
)
from mlpipe_ci.core.workflow import Step, Workflow


def run_of(told: Mapping[str, Any]) -> Run:
    """The run. `told` has been held against the schema."""
    outcomes = tuple(_outcome(one) for one in told["steps"])
    steps = tuple(outcome.step for outcome in outcomes)
    workflow = Workflow(name=told["workflow"], file=told["file"], steps=steps)
    return Run(
        workflow=workflow,
        comparison=_comparison(told),
        outcomes=outcomes,
        seconds=float(told["seconds"]),
        cancelled=told["result"] == "cancelled",
        transfers=_transfers(told.get("transfers")),
        edges=tuple(_edge(edge) for edge in told.get("edges", ())),
        url=told.get("run_url", ""),
        removed_gates=tuple((one["step"], _held(one)) for one in told.get("lost_gates", ())),
        comment_url=told.get("comment_url", ""),
    )


def _comparison(told: Mapping[str, Any]) -> Comparison:
    base, changed = told["base"] or {}, told["changed"]
    return Comparison(
        head=told["head"],
        base=base.get("sha"),
        how=base.get("how") or told["base_unknown"] or "",
        changed=None if changed is None else tuple(_change(one) for one in changed),
        warnings=tuple(told["warnings"]),
        trigger=told.get("trigger") or "",
    )


def _change(told: Mapping[str, Any]) -> Change:
    return Change(
        path=told["path"],
        change=told["change"],
        from_base=told.get("from_base", False),
        pointer=told.get("pointer", ""),
    )


def _edge(told: Mapping[str, Any]) -> Edge:
    return Edge(
        before=told["before"], after=told["after"], kind=told["kind"], paths=tuple(told["paths"])
    )


def _transfers(told: Mapping[str, Any] | None) -> Transfers | None:
    if told is None:
        return None
    fields = {**told, "scope": told["scope"] or "", "warnings": tuple(told["warnings"])}
    return Transfers(**fields)


def _metrics(told: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """What is not finite is told as `NaN`, `Infinity`, `-Infinity`, which `float` knows."""
    return tuple((name, float(value)) for name, value in told.items())


def _samples(told: Mapping[str, Any]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    return tuple((name, tuple(map(float, many))) for name, many in told.items())


def _measured(told: Mapping[str, Any] | None) -> BaseMetrics | None:
    if told is None:
        return None
    metrics, samples = _metrics(told["metrics"]), _samples(told["samples"])
    return BaseMetrics(metrics=metrics, samples=samples, source=told["source"])


def _making(told: Mapping[str, Any] | None) -> Provenance | None:
    if told is None:
        return None
    return Provenance(
        command=told["command"],
        params=tuple(told["params"].items()),
        inputs=tuple(Input(path=path, digest=one) for path, one in told["inputs"].items()),
        more=told["more_inputs"],
        commit=told["commit"] or "",
        ref=told["ref"] or "",
        url=told["run_url"] or "",
        finished=float(told["finished"] or 0),
    )


def _drawn(told: Mapping[str, Any]) -> PlotData:
    series = tuple(
        Series(
            name=one["name"],
            side=one["side"],
            points=tuple(
                (x if isinstance(x, str) else float(x), float(y)) for x, y in one["points"]
            ),
        )
        for one in told["series"]
    )
    return PlotData(**{**told, "series": series, "notes": tuple(told["notes"])})


def _coordinate(x: float | str) -> float | str:
    return x if isinstance(x, str) else float(x)


def _earlier(told: Mapping[str, Any]) -> PastMetrics:
    metrics = _metrics(told["metrics"])
    return PastMetrics(commit=told["commit"], finished=float(told["finished"]), metrics=metrics)


def _held(told: Mapping[str, Any]) -> GateResult:
    passed = {"passed": True, "missed": False, "unknown": None}[told["result"]]
    return GateResult(gate=told["gate"], passed=passed, why=told["why"], origin=told["origin"])


def _outcome(told: Mapping[str, Any]) -> StepOutcome:
    declared = () if told.get("undeclared") else (".",)
    step = Step(
        id=told["id"],
        name=told["name"],
        run="",
        inputs=declared,
        continue_on_error=told.get("continue_on_error", False),
        directions=tuple((name, better) for name, better in told.get("directions", ())),
    )
    return StepOutcome(
        step=step,
        status=Status(told["status"]),
        reasons=tuple(told["reasons"]),
        seconds=float(told["seconds"]),
        saved_seconds=float(told["saved_seconds"]),
        exit_code=told["exit_code"],
        attempts=told["attempts"],
        outputs=tuple(told["outputs"]),
        metrics=_metrics(told["metrics"]),
        samples=_samples(told.get("samples", {})),
        base=_measured(told.get("base")),
        provenance=_making(told.get("making")),
        plots=tuple(_drawn(one) for one in told.get("plots", ())),
        history=tuple(_earlier(one) for one in told.get("history", ())),
        gates=tuple(_held(gate) for gate in told["gates"]),
        strict_gates=told.get("strict_gates", False),
        notes=tuple(told["notes"]),
        log_tail=tuple(told.get("log_tail", ())),
        reads=tuple(told["discovered"]),
        writes=tuple(told["undeclared_outputs"]),
        variables=tuple(told["variables"]),
        tracer=told["tracer"],
    )
