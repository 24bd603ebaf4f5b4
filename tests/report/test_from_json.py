"""A report comes back from its JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.run import Status, StepOutcome
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
            log_tail=(text, name),
            metrics=(("m", 1.5),),
            reads=(text,),
            seconds=2.0,
        )
        for n, (name, text) in enumerate(rows)
    )
    run = run_of(*outcomes, edges=EDGES, url="https://x/1")
    told = json.loads(json.dumps(run_json(run)))
    again = read.run_of(told)
    assert run_json(again) == told
    assert markdown.report(again).splitlines()[0] == markdown.report(run).splitlines()[0]
