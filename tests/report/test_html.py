"""The page: what stands where. Browsers open it in tests/scenarios/test_html_report.py."""

import re
from dataclasses import replace

from mlpipe_ci.core.plot_data import PlotData
from mlpipe_ci.core.run import GateResult, LeftBehind, Measurements, Run, Status, StepOutcome
from mlpipe_ci.report import html
from tests.report.test_fold import item, plain
from tests.support.fakes import step
from tests.support.sample_runs import run_of

PICTURE = "data:image/png;base64,AAAA"
GATES = (
    GateResult(gate="metrics.auc >= 0.9", passed=True, why="metrics.auc is 0.91573"),
    GateResult(gate="metrics.loss < 0.1", passed=False, why="metrics.loss is 0.2"),
    GateResult(gate="metrics.auc >= base.auc", passed=None, why="no base"),
)


def text_of(run: Run) -> str:
    return html.page(run, {})


def measured(measurements: Measurements) -> Run:
    outcome = StepOutcome(step=step("e"), status=Status.SUCCEEDED, measured=measurements)
    return run_of(outcome)


def test_the_headline_has_the_metric_and_below_it_are_date_branch_and_commit() -> None:
    run = measured(Measurements(metrics=(("auc", 0.91573),)))
    page = "https://github.com/o/r/actions/runs/5"
    shown = text_of(replace(run, url=page, branch="topic", finished=1796130000.0))
    assert re.search(r"<h1>.*succeeded · auc 0.9157</h1>", shown)
    assert "topic · 2026-12-01 13:00 UTC · commit" in shown
    commit = run.comparison.head
    assert f'<a href="https://github.com/o/r/commit/{commit}"><code>4be1c02</code></a>' in shown
    assert "/commit/" not in text_of(run), "at a desk there is no page of a commit"


def test_each_gate_stands_with_its_values_and_how_it_was() -> None:
    shown = text_of(measured(Measurements(metrics=(("auc", 0.91573),), gates=GATES)))
    table = shown[shown.index('id="gates"') : shown.index("</table>", shown.index('id="gates"'))]
    rows = re.findall(r"<tr><th scope=\"row\"><code>(.*?)</code></th><td>(.*?)</td>", table)
    assert rows == [(g.gate.replace(">", "&gt;").replace("<", "&lt;"), g.why) for g in GATES]
    assert re.findall(r"</span> ([a-z ]+)</td>", table) == ["passed", "missed", "not checked"]


def test_reused_steps_and_items_are_one_row_each() -> None:
    reused = [
        replace(plain(name, Status.REUSED), left=LeftBehind(saved_seconds=60)) for name in "abcd"
    ]
    shown = text_of(run_of(*reused, *map(item, range(30)), item(30, Status.FAILED)))
    section = shown[shown.index('id="steps"') :]
    top = re.findall(r"<strong>([^<]*)</strong> <span>([^<]*)</span>", section)
    names = [name for name, _ in top]
    assert ("score (30 items)", "succeeded") in top
    assert ("4 steps", "reused") in top
    assert ("score data/30.csv", "failed") in top
    assert {"a", "d", "score data/0.csv"} <= set(names), "each is there, inside"
    assert "saved 4 min" in section


def test_a_result_that_was_not_stored_is_to_be_seen() -> None:
    note = "the result was not stored: it writes /tmp/x"
    alone = replace(plain("train"), notes=(note,))
    assert '<details class="step succeeded" open>' in text_of(run_of(alone))
    items = [replace(item(n), notes=(note,) if n % 2 else ()) for n in range(8)]
    assert "; 4 left no result to reuse" in text_of(run_of(*items))


def test_two_images_stand_side_by_side_and_what_is_not_drawn_is_a_line() -> None:
    two = PlotData(path="roc.png", kind="image", title="ROC", picture=PICTURE, base_picture=PICTURE)
    large = PlotData(
        path="b.png", kind="image", title="Large", notes=("here: 4100 kB is too much",)
    )
    empty = PlotData(path="c.csv", kind="line", title="Empty")
    shown = text_of(measured(Measurements(plots=(two, large, empty))))
    assert shown.count("<figure") == 1
    assert re.findall(r'<p class="small">(base|here)</p><img [^>]*alt="([^"]*)"', shown) == [
        ("base", "ROC, base"),
        ("here", "ROC, here"),
    ]
    assert "<strong>Large</strong>: here: 4100 kB is too much" in shown
    assert "<strong>Empty</strong>: there is nothing to draw in it" in shown
