"""Runs that reports are made of, and strings that try to leave their place in them."""

from typing import Any

from hypothesis import strategies as st

from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.graph import Edge
from mlpipe_ci.core.run import Execution, LeftBehind, Measurements, Run, Status, StepOutcome
from tests.support.fakes import step, workflow

SHA = "4be1c02" + "0" * 33
COMPARISON = Comparison(
    head=SHA,
    base=SHA,
    how="the commit before this push",
    changed=(Change(path="a", change="added"),),
)
TRAIN = step("train", inputs=("a",))


def run_of(*outcomes: StepOutcome, **fields: Any) -> Run:
    given: dict[str, Any] = {"comparison": COMPARISON, "seconds": 5.2} | fields
    return Run(workflow=workflow(*(o.step for o in outcomes)), outcomes=outcomes, **given)


OUTCOMES = (
    StepOutcome(
        step=step("clean"),
        status=Status.REUSED,
        reasons=("same",),
        left=LeftBehind(saved_seconds=2460),
    ),
    StepOutcome(
        step=TRAIN,
        status=Status.FAILED,
        reasons=("a changed", "b changed", "c changed", "d changed"),
        notes=("exit code 3",),
        execution=Execution(
            seconds=4.2, exit_code=3, attempts=1, log_tail=("Traceback", "ValueError: no ``` data")
        ),
    ),
    StepOutcome(step=step("evaluate"), status=Status.BLOCKED, reasons=("train did not succeed",)),
)
FAILED = run_of(*OUTCOMES)
GOOD = run_of(
    StepOutcome(
        step=TRAIN,
        status=Status.SUCCEEDED,
        reasons=("a changed",),
        execution=Execution(seconds=61),
        measured=Measurements(metrics=(("auc", 0.93415), ("frauds", 87.0))),
    )
)


NASTY = ("<script>", "|", "@octocat", "#123", "\n### x", "`code`", "![i](u)", "\x00", "\udce9")
nasty = st.text(max_size=20) | st.lists(st.sampled_from(NASTY), max_size=4).map("".join)


EDGES = (
    Edge(before="clean", after="train", kind="data", paths=("clean.txt",)),
    Edge(before="train", after="evaluate", kind="order"),
)
