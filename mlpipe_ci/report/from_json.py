"""A run from its JSON (schema/report.schema.json): what another job did, as it wrote it down.

Who wrote the file may have meant harm, so nothing but its values is believed to be what it says.
"""

from collections.abc import Mapping
from typing import Any

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.parts import JobName
from mlpipe_ci.core.plot_data import PlotData, Series
from mlpipe_ci.core.result import Audited
from mlpipe_ci.core.run import (
    BaseMetrics,
    Discoveries,
    Execution,
    GateResult,
    LeftBehind,
    Measurements,
    PastMetrics,
    Provenance,
    Run,
    Status,
    StepOutcome,
    Transfers,
)
from mlpipe_ci.core.workflow import Step, StepInstance, Workflow


def run_of(record: Mapping[str, Any]) -> Run:
    """The run. `record` fits the schema."""
    outcomes = tuple(_outcome(one) for one in record["steps"])
    steps = tuple(outcome.step for outcome in outcomes)
    workflow = Workflow(name=record["workflow"], file=record["file"], steps=steps)
    return Run(
        workflow=workflow,
        comparison=_comparison(record),
        outcomes=outcomes,
        seconds=float(record["seconds"]),
        cancelled=record["result"] == "cancelled",
        transfers=_transfers(record.get("transfers")),
        edges=tuple(_edge(edge) for edge in record.get("edges", ())),
        url=record.get("run_url", ""),
        branch=record.get("branch", ""),
        finished=float(record.get("finished", 0)),
        removed_gates=tuple((one["step"], _gate(one)) for one in record.get("lost_gates", ())),
        comment_url=record.get("comment_url", ""),
        job=JobName(**record.get("job", {})),
    )


def _comparison(record: Mapping[str, Any]) -> Comparison:
    base, changed = record["base"] or {}, record["changed"]
    return Comparison(
        head=record["head"],
        base=base.get("sha"),
        how=base.get("how") or record["base_unknown"] or "",
        changed=None if changed is None else tuple(_change(one) for one in changed),
        warnings=tuple(record["warnings"]),
        trigger=record.get("trigger") or "",
    )


def _change(record: Mapping[str, Any]) -> Change:
    return Change(
        path=record["path"],
        change=record["change"],
        from_base=record.get("from_base", False),
        pointer=record.get("pointer", ""),
    )


def _edge(record: Mapping[str, Any]) -> Edge:
    return Edge(
        before=record["before"],
        after=record["after"],
        kind=record["kind"],
        paths=tuple(record["paths"]),
    )


def _transfers(record: Mapping[str, Any] | None) -> Transfers | None:
    if record is None:
        return None
    fields = {**record, "scope": record["scope"] or "", "warnings": tuple(record["warnings"])}
    return Transfers(**fields)


def _metrics(record: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """What is not finite is written as `NaN`, `Infinity`, `-Infinity`, which `float` knows."""
    return tuple((name, float(value)) for name, value in record.items())


def _samples(record: Mapping[str, Any]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    return tuple((name, tuple(map(float, many))) for name, many in record.items())


def _base(record: Mapping[str, Any] | None) -> BaseMetrics | None:
    if record is None:
        return None
    metrics, samples = _metrics(record["metrics"]), _samples(record["samples"])
    return BaseMetrics(metrics=metrics, samples=samples, source=record["source"])


def _provenance(record: Mapping[str, Any] | None) -> Provenance | None:
    if record is None:
        return None
    return Provenance(
        command=record["command"],
        params=tuple(record["params"].items()),
        inputs=tuple(Input(path=path, digest=one) for path, one in record["inputs"].items()),
        more=record["more_inputs"],
        commit=record["commit"] or "",
        ref=record["ref"] or "",
        url=record["run_url"] or "",
        finished=float(record["finished"] or 0),
    )


def _drawn(record: Mapping[str, Any]) -> PlotData:
    series = tuple(
        Series(
            name=one["name"],
            side=one["side"],
            points=tuple(
                (x if isinstance(x, str) else float(x), float(y)) for x, y in one["points"]
            ),
        )
        for one in record["series"]
    )
    return PlotData(**{**record, "series": series, "notes": tuple(record["notes"])})


def _earlier(record: Mapping[str, Any]) -> PastMetrics:
    metrics = _metrics(record["metrics"])
    return PastMetrics(commit=record["commit"], finished=float(record["finished"]), metrics=metrics)


def _gate(record: Mapping[str, Any]) -> GateResult:
    passed = {"passed": True, "missed": False, "unknown": None}[record["result"]]
    return GateResult(
        gate=record["gate"], passed=passed, why=record["why"], origin=record["origin"]
    )


def _outcome(record: Mapping[str, Any]) -> StepOutcome:
    declared = () if record.get("undeclared") else (".",)
    step = Step(
        id=record["id"],
        name=record["name"],
        run="",
        inputs=declared,
        strategy=_instance(record.get("instance")),
        continue_on_error=record.get("continue_on_error", False),
        directions=tuple((name, better) for name, better in record.get("directions", ())),
    )
    return StepOutcome(
        step=step,
        status=Status(record["status"]),
        reasons=tuple(record["reasons"]),
        notes=tuple(record["notes"]),
        execution=_execution(record),
        left=_left(record),
        discovered=_discovered(record),
        measured=_measured(record),
    )


def _instance(record: Mapping[str, Any] | None) -> StepInstance | None:
    if record is None:
        return None
    each = "." if record["each"] else ""  # which item it is, its name says
    return StepInstance(group=record["of"], values=(), shown=record["shown"], each=each)


def _execution(record: Mapping[str, Any]) -> Execution:
    return Execution(
        seconds=float(record["seconds"]),
        exit_code=record["exit_code"],
        attempts=record["attempts"],
        log_tail=tuple(record.get("log_tail", ())),
        tracer=record["tracer"],
    )


def _left(record: Mapping[str, Any]) -> LeftBehind:
    return LeftBehind(
        outputs=tuple(record["outputs"]),
        saved_seconds=float(record["saved_seconds"]),
        provenance=_provenance(record.get("making")),
        audited=_audited(record.get("audited")),
    )


def _audited(record: Mapping[str, Any] | None) -> Audited | None:
    if record is None:
        return None
    finished, age = float(record["finished"]), float(record["age"])
    return Audited(finished=finished, identical=record["identical"], age=age)


def _discovered(record: Mapping[str, Any]) -> Discoveries:
    return Discoveries(
        reads=tuple(record["discovered"]),
        writes=tuple(record["undeclared_outputs"]),
        variables=tuple(record["variables"]),
    )


def _measured(record: Mapping[str, Any]) -> Measurements:
    return Measurements(
        metrics=_metrics(record["metrics"]),
        samples=_samples(record.get("samples", {})),
        base=_base(record.get("base")),
        history=tuple(_earlier(one) for one in record.get("history", ())),
        plots=tuple(_drawn(one) for one in record.get("plots", ())),
        gates=tuple(_gate(gate) for gate in record["gates"]),
        strict_gates=record.get("strict_gates", False),
    )
