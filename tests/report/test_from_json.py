"""A report comes back from its JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.plot_data import PlotData, Series
from mlpipe_ci.core.run import (
    BaseMetrics,
    Discoveries,
    Execution,
    GateResult,
    LeftBehind,
    Measurements,
    PastMetrics,
    Provenance,
    Status,
    StepOutcome,
)
from mlpipe_ci.report import from_json as read
from mlpipe_ci.report import markdown
from mlpipe_ci.report.to_json import run_json
from tests.support.fakes import step
from tests.support.sample_runs import (
    EDGES,
    nasty,
    run_of,
)


@given(st.lists(st.tuples(nasty, nasty), min_size=1, max_size=3))
def test_a_report_comes_back_from_its_json(rows: list[tuple[str, str]]) -> None:
    outcomes = tuple(
        StepOutcome(
            step=step(name or "s", continue_on_error=n % 2 == 0, inputs=("x",) if n else ()),
            status=Status.FAILED,
            reasons=(text,),
            execution=Execution(log_tail=(text, name), seconds=2.0),
            discovered=Discoveries(reads=(text,)),
            measured=Measurements(metrics=(("m", 1.5),)),
        )
        for n, (name, text) in enumerate(rows)
    )
    run = run_of(*outcomes, edges=EDGES, url="https://x/1")
    told = json.loads(json.dumps(run_json(run)))
    again = read.run_of(told)
    assert run_json(again) == told
    assert markdown.report(again).splitlines()[0] == markdown.report(run).splitlines()[0]


WHOLE = StepOutcome(
    step=step("train", inputs=("x",)),
    status=Status.TIMED_OUT,
    reasons=("x changed",),
    notes=("ended after 1 min",),
    execution=Execution(
        seconds=2.5, exit_code=-9, attempts=3, log_tail=("first", "last"), tracer="strace"
    ),
    left=LeftBehind(
        outputs=("a.csv", "b.csv"),
        saved_seconds=7.25,
        provenance=Provenance(
            command="python train.py",
            params=(("rate", "0.1"),),
            inputs=(Input(path="x", digest="git:1"),),
            more=4,
            commit="abc",
            ref="main",
            url="https://x/2",
            finished=5.0,
        ),
    ),
    discovered=Discoveries(reads=("lib.py",), writes=("c.csv",), variables=("COLOUR",)),
    measured=Measurements(
        metrics=(("auc", 0.9),),
        samples=(("auc", (0.8, 1.0)),),
        base=BaseMetrics(metrics=(("auc", 0.7),), samples=(("auc", (0.7,)),), source="abc"),
        history=(PastMetrics(commit="abc", finished=3.0, metrics=(("auc", 0.6),)),),
        plots=(
            PlotData(
                path="loss.csv",
                kind="line",
                title="loss",
                series=(Series(name="loss", side="here", points=((1.0, 0.5),)),),
                notes=("here: cut",),
            ),
        ),
        gates=(
            GateResult(gate="metrics.auc > 0.95", passed=False, why="it is 0.9", origin="base"),
            GateResult(gate="metrics.auc > base.auc", passed=None, why="no base"),
        ),
        strict_gates=True,
    ),
)


def test_each_part_of_an_outcome_comes_back() -> None:
    (again,) = read.run_of(json.loads(json.dumps(run_json(run_of(WHOLE))))).outcomes
    assert (again.status, again.reasons, again.notes) == (WHOLE.status, WHOLE.reasons, WHOLE.notes)
    assert again.execution == WHOLE.execution
    assert again.left == WHOLE.left
    assert again.discovered == WHOLE.discovered
    assert again.measured == WHOLE.measured
