"""What an audit found, in words and as JSON; and the line about audits in a run's report."""

from typing import Any

from hypothesis import given
from jsonschema import Draft202012Validator

from mlpipe_ci.core.audit import AuditReport, OutputDifference, StepAudit, Verdict
from mlpipe_ci.core.result import Audited, Producer
from mlpipe_ci.core.run import LeftBehind, Run, Status, StepOutcome
from mlpipe_ci.report.audit import audit_json, audit_lines, audited_words
from mlpipe_ci.report.from_json import run_of
from mlpipe_ci.report.to_json import run_json
from tests.support.fakes import step
from tests.support.sample_runs import nasty
from tests.support.sample_runs import run_of as make_run
from tests.support.schemas import schema

DAY = 86_400.0


def reused(name: str, audited: Audited | None) -> StepOutcome:
    left = LeftBehind(audited=audited)
    return StepOutcome(step=step(name), status=Status.REUSED, reasons=("same",), left=left)


def audited(days: float, *, identical: bool = True) -> Audited:
    return Audited(finished=1.0, identical=identical, age=days * DAY)


def words(*outcomes: StepOutcome) -> str:
    run: Run = make_run(*outcomes)
    again = run_of(run_json(run))
    assert audited_words(again) == audited_words(run)
    return audited_words(run)


def test_the_line_has_the_age_of_the_oldest() -> None:
    assert words(reused("a", audited(2)), reused("b", audited(3))) == (
        "audited 3 days ago: 2 of 2 identical"
    )


def test_the_line_names_what_was_not_identical_and_counts_what_is_not_known() -> None:
    found = (reused("a", audited(2)), reused("b", audited(2, identical=False)), reused("c", None))
    assert words(*found) == ("audited 2 days ago: 1 of 3 identical; b was not; 1 not audited yet")


def test_there_is_no_line_without_an_audit_or_for_steps_that_ran() -> None:
    assert words(reused("a", None)) == ""
    ran = StepOutcome(step=step("a"), status=Status.SUCCEEDED, left=LeftBehind(audited=audited(1)))
    assert words(ran) == ""


def report(*steps: StepAudit, **more: Any) -> AuditReport:
    given: dict[str, Any] = {"workflow": "w", "file": "mlpipe.yml", "head": "", "tolerance": 0.0}
    return AuditReport(**(given | {"steps": steps, "seconds": 2.0} | more))


def found(name: str, verdict: Verdict, **more: Any) -> StepAudit:
    return StepAudit(id=name, name=name, verdict=verdict, **more)


def test_a_step_on_one_line_then_what_differs_and_why() -> None:
    difference = OutputDifference(path="m.pkl", how="1.0 → 2.0", causes=("the time of day",))
    lines = audit_lines(
        report(
            found("a", Verdict.IDENTICAL, outputs=1, runs=1, seconds=4.0),
            found(
                "bee",
                Verdict.DIFFERENT,
                why="1 of 1 outputs differ",
                differences=(difference,),
                made=1000.0,
                producer=Producer(commit="1" * 40, ref="refs/heads/main"),
                runs=4,
                seconds=8.0,
            ),
            found("c", Verdict.LEFT_OUT, why="cache: false"),
            tolerance=1e-9,
        ),
        now=1000.0 + 2 * DAY,
    )
    assert lines == [
        "✔ a    identical  1 output  4.0 s",
        "✖ bee  different  1 of 1 outputs differ  8.0 s in 4 runs",
        "    ≠ m.pkl: 1.0 → 2.0",
        "      likely cause: the time of day",
        "    its result was made 2 days ago by commit 1111111, refs/heads/main",
        "– c    left out  cache: false",
        "✖ w: 1 of 2 identical · 2.0 s",
        "  compared byte for byte; numbers in metrics may differ by 1e-09 of their value",
    ]


def test_nothing_audited_is_not_good() -> None:
    empty = report(found("c", Verdict.LEFT_OUT, why="cache: false"))
    assert not empty.passed
    assert audit_lines(empty, 0.0)[-1] == "✖ w: nothing was audited · 2.0 s"


@given(nasty)
def test_no_text_leaves_its_line_or_breaks_the_schema(text: str) -> None:
    difference = OutputDifference(path=text, how=text, causes=(text,))
    one = found(
        "a",
        Verdict.DIFFERENT,
        why=text,
        differences=(difference,),
        notes=(text,),
        log_tail=(text,),
        producer=Producer(commit="1", ref=text, run_url=text),
    )
    made = report(StepAudit(**(vars(one) | {"name": text})), workflow=text, file=text)
    Draft202012Validator(schema("audit")).validate(audit_json(made))
    for line in audit_lines(made, 0.0):
        assert line.isprintable()
