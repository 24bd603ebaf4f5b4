"""Failures are annotated at the line that failed."""

from mlpipe_ci.ci.github import workflow_commands as actions
from mlpipe_ci.core.run import Execution, Status, StepOutcome
from mlpipe_ci.report import tracebacks as annotations
from tests.support.fakes import step
from tests.support.sample_runs import run_of

TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/work/repo/src/train.py", line 12, in <module>',
    "    main()",
    '  File "/work/repo/src/model.py", line 7, in main',
    "    fit(x)",
    '  File "/usr/lib/python3.11/site-packages/sklearn/base.py", line 99, in fit',
    "ValueError: ::error::x",
)


def test_a_failure_is_annotated_at_the_line_that_failed() -> None:
    outcome = StepOutcome(
        step=step("train", line=14),
        status=Status.FAILED,
        notes=("exit 1",),
        execution=Execution(log_tail=TRACEBACK),
    )
    (diagnostic,) = annotations.failures(run_of(outcome, root="/work/repo"))
    assert (diagnostic.file, diagnostic.line, diagnostic.level) == ("src/model.py", 7, "error")
    assert "ValueError: ::error::x" in actions.diagnostic(diagnostic)
    assert "\n" not in actions.diagnostic(diagnostic)
    (diagnostic,) = annotations.failures(run_of(outcome, root="/elsewhere"))
    assert (diagnostic.file, diagnostic.line) == ("mlpipe.yml", 14)
    relative = StepOutcome(
        step=step("train", continue_on_error=True),
        status=Status.FAILED,
        execution=Execution(
            log_tail=('  File "src/a.py", line 3, in f', '  File "../b.py", line 4, in g')
        ),
    )
    (diagnostic,) = annotations.failures(run_of(relative, root="/work/repo"))
    assert (diagnostic.file, diagnostic.line, diagnostic.level) == ("src/a.py", 3, "warning")


def test_ten_are_annotated_at_most() -> None:
    many = tuple(StepOutcome(step=step(f"s{n}"), status=Status.FAILED) for n in range(12))
    assert len(annotations.failures(run_of(*many))) == 10
