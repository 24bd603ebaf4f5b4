"""The report on the terminal."""

from mlpipe_ci.report import terminal
from tests.support.sample_runs import FAILED, GOOD


def test_the_terminal_says_what_failed_and_what_to_do() -> None:
    lines = [line for o in FAILED.outcomes for line in terminal.outcome_lines(o)]
    assert lines == [
        "↺ clean  reused  same",
        "✖ train  failed  4.2 s",
        "    exit code 3",
        "– evaluate  blocked  train did not succeed",
    ]
    assert terminal.end_lines(FAILED)[-1] == "  train runs again next time: mlpipe run"
    assert "\x1b[31m" in terminal.end_lines(FAILED, colour=True)[0]
    many = terminal.reasons(FAILED.outcomes[1].reasons)
    assert many == "a changed, b changed, c changed and 1 more"


def test_a_steps_line_on_the_terminal_has_its_metrics() -> None:
    (line,) = terminal.outcome_lines(GOOD.outcomes[0])
    assert line == "✔ train  succeeded  61 s  auc 0.9342 · frauds 87"
