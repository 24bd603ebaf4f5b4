"""The Markdown report: nothing from outside escapes its place."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.changes import Change, Comparison
from mlpipe_ci.core.run import (
    NOT_STORED,
    BaseMetrics,
    Execution,
    LeftBehind,
    Measurements,
    Run,
    Status,
    StepOutcome,
)
from mlpipe_ci.core.workflow import StepInstance
from mlpipe_ci.report import escape, markdown, terminal
from mlpipe_ci.report.metric_rows import verdict
from mlpipe_ci.report.to_json import run_json
from tests.support.fakes import step, workflow
from tests.support.sample_runs import (
    COMPARISON,
    EDGES,
    FAILED,
    OUTCOMES,
    TRAIN,
    nasty,
    run_of,
)


def test_the_markdown_report_of_a_failure() -> None:
    text = markdown.report(FAILED)
    assert text.startswith("### ❌ demo: 1 failed · 1 reused · 1 not run · saved 41 min\n")
    assert "> [!CAUTION]\n> **<code>train</code>** failed: exit code 3" in text
    assert "````text\nTraceback\nValueError: no ``` data\n````" in text
    assert "To reproduce it: <code>mlpipe run train</code>" in text
    assert "| ❌ <code>train</code> failed | a changed; b changed; c changed and 1 more" in text
    assert "↺ 1 reused: <code>clean</code>" in text
    assert "<details><summary>1 changed path</summary>" in text
    assert "Commit 4be1c02, base 4be1c02 (the commit before this push): 1 path changed" in text


@given(nasty)
def test_nothing_from_outside_is_markdown_or_html(text: str) -> None:
    for made in (escape.code(text), escape.plain(text)):
        inner = made.removeprefix("<code>").removesuffix("</code>")
        entities = re.sub(r"&#\d+;", "", inner)
        assert not set(entities) & set("<>|`*_[]#@\\!\n\r\x00")
        inner.encode("utf-8")


@given(st.lists(nasty, max_size=4))
def test_a_fence_holds_what_is_in_it(lines: list[str]) -> None:
    block = escape.fence(tuple(lines))
    first, *middle, last = block.split("\n")
    assert first == last + "text"
    assert len(middle) == max(1, len(lines))
    assert not any(line.strip().startswith(last) for line in middle)


@given(st.lists(st.tuples(nasty, nasty, nasty), min_size=1, max_size=4))
def test_a_report_of_anything_is_text(rows: list[tuple[str, str, str]]) -> None:
    outcomes = tuple(
        StepOutcome(
            step=step(name or "s"),
            status=Status.FAILED,
            reasons=(reason,),
            notes=(log,),
            execution=Execution(log_tail=(log,)),
            measured=Measurements(metrics=((name, 1.0),)),
        )
        for name, reason, log in rows
    )
    run = run_of(*outcomes)
    assert markdown.report(run).encode()
    assert json.dumps(run_json(run)).isascii()
    for line in [line for o in outcomes for line in terminal.outcome_lines(o)]:
        assert "\n" not in line
        assert "\x1b" not in line


def test_a_report_that_is_too_long_loses_whole_sections_and_says_so() -> None:
    many = tuple(
        StepOutcome(
            step=step(f"step {n}"),
            status=Status.FAILED,
            reasons=("because " + "x" * 200,),
            execution=Execution(log_tail=("y" * 300,) * 40),
        )
        for n in range(500)
    )
    text = markdown.report(run_of(*many))
    assert len(text.encode("utf-16-le")) // 2 <= markdown.MAX_UNITS
    assert len(text.encode()) <= markdown.MAX_BYTES
    assert text.startswith("### ❌ demo: 500 failed")
    assert "Shortened" in text
    assert "Shortened" not in markdown.report(FAILED)


def test_pure_renderings_need_no_heavy_import() -> None:
    code = "import sys, mlpipe_ci.report.markdown, mlpipe_ci.report.to_json; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"git", "requests", "jsonschema", "ruamel"} & set(done.stdout.split())


def test_a_failure_that_is_allowed_is_told_as_such() -> None:
    lint = step("lint", continue_on_error=True)
    outcome = StepOutcome(step=lint, status=Status.FAILED, notes=("exit code 3",))
    ran = Run(workflow=workflow(lint), comparison=Comparison(), outcomes=(outcome,), seconds=1.0)
    assert ran.result == "success"
    assert verdict(ran) == "demo: 1 failed as allowed"
    text = markdown.report(ran)
    assert text.startswith("### ✅ demo: 1 failed as allowed")
    assert "> [!NOTE]\n> **<code>lint</code>** failed, as allowed: exit code 3" in text
    assert "runs again" not in "\n".join(terminal.end_lines(ran))


def test_the_graph_says_how_each_step_ended() -> None:
    text = markdown.report(run_of(*OUTCOMES, edges=EDGES))
    graph = text.split("```mermaid\n", 1)[1].split("\n```", 1)[0]
    assert graph.splitlines()[:6] == [
        "flowchart LR",
        '  s0["clean"]',
        '  s1["train"]',
        '  s2["evaluate"]',
        "  s0 --> s1",
        "  s1 -.-> s2",
    ]
    assert "  class s1 failed" in graph
    assert "  class s0 reused" in graph
    many = tuple(StepOutcome(step=step(f"s{n}"), status=Status.SUCCEEDED) for n in range(41))
    assert "mermaid" not in markdown.report(run_of(*many, edges=EDGES)), "nobody reads that"
    assert "mermaid" not in markdown.report(run_of(*OUTCOMES)), "boxes alone say nothing"


def test_the_page_of_the_run_is_linked_and_nothing_else_is() -> None:
    url = "https://github.com/o/r/actions/runs/12"
    assert f"[log of the run]({url})" in markdown.report(run_of(*OUTCOMES, url=url))
    for bad in ("javascript:alert(1)", "https://x/) **hi**", 'https://x/"onclick', "x\ny"):
        assert "](" not in markdown.report(run_of(*OUTCOMES, url=bad))


def test_forty_steps_are_one_line_where_they_were_reused() -> None:
    many = tuple(
        StepOutcome(step=step(f"s{n}"), status=Status.REUSED, reasons=(f"as in run {n}",))
        for n in range(40)
    )
    text = markdown.report(run_of(*many))
    assert "<code>s19</code> and 20 more" in text
    assert "<summary>Why each step was reused</summary>" in text
    assert "<code>s39</code> | as in run 39" in text


def nested_fences_are_closed(text: str) -> bool:
    """As CommonMark reads it: what opens a block is closed by a line of as many backticks."""
    opened = ""
    for line in text.split("\n"):
        found = re.match(r" {0,3}(`{3,})(.*)$", line)
        if not found:
            continue
        if not opened and "`" not in found[2]:
            opened = found[1]
        elif opened and len(found[1]) >= len(opened) and not found[2].strip():
            opened = ""
    return not opened


@given(nasty, nasty, st.lists(nasty, max_size=3))
def test_nothing_from_outside_leaves_its_place_in_a_comment(
    name: str, reason: str, log: list[str]
) -> None:
    """Outside of fences and code there is no tag, mention or reference that we did not write."""
    outcome = StepOutcome(
        step=step(name or "s"),
        status=Status.FAILED,
        reasons=(reason,),
        notes=(reason,),
        execution=Execution(log_tail=tuple(log)),
        measured=Measurements(metrics=((name, 1.0),)),
    )
    comparison = Comparison(
        how=reason, warnings=(reason,), changed=(Change(path=name, change="added"),)
    )
    text = markdown.report(run_of(outcome, comparison=comparison))
    assert nested_fences_are_closed(text)
    outside = re.sub(r"(?ms)^(`{3,})(text|mermaid)\n.*?^\1$", "", text)
    tags = set(re.findall(r"<[^>]*>", outside))
    ours = {
        "code",
        "/code",
        "sub",
        "/sub",
        "br",
        "wbr",
        "details",
        "/details",
        "summary",
        "/summary",
    }
    assert {tag.strip("<>") for tag in tags} <= ours
    assert not re.search(r"(?<![&\w])@\w", outside)
    assert not re.search(r"(?<![&])#\d", outside)
    assert "\x00" not in text


def test_a_megabyte_from_outside_is_cut() -> None:
    huge = "`" * 1_000_000
    outcome = StepOutcome(
        step=step("s"),
        status=Status.FAILED,
        reasons=(huge,),
        notes=(huge,),
        execution=Execution(log_tail=(huge,) * 40),
    )
    text = markdown.report(run_of(outcome))
    assert len(text) <= markdown.MAX_UNITS
    assert nested_fences_are_closed(text)


def combination(number: int, status: Status, *, each: str = "", **fields: Any) -> StepOutcome:
    shown_as = f"({each or f'seed={number}'})"
    instance = StepInstance(group="train", values=(("seed", number),), shown=shown_as, each=each)
    made = replace(step("train"), id=f"train-{number}", name=f"train {shown_as}", strategy=instance)
    return StepOutcome(step=made, status=status, **fields)


def test_what_ended_alike_is_one_line() -> None:
    good = [
        combination(n, Status.SUCCEEDED, reasons=("a changed",), execution=Execution(seconds=2))
        for n in range(9)
    ]
    kept = [
        combination(
            n, Status.REUSED, each=f"{n}.csv", reasons=(f"same inputs as {n} h ago on main",)
        )
        for n in range(20, 45)
    ]
    text = markdown.report(run_of(*good, *kept))
    assert "| ✅ <code>train (9 combinations)</code> | a changed | 18&nbsp;s |" in text
    assert "↺ 25 reused: <code>train (25 items)</code><br><sub>same inputs as 20 h ago" in text
    assert "**Why:** a changed (<code>train (9 combinations)</code>)" in text


def test_the_same_failure_is_told_once_with_what_raised_it() -> None:
    tail = (
        "Traceback (most recent call last):",
        '  File "src/train.py", line 7, in <module>',
        "    fit()",
        *(f'  File "/usr/lib/python3.11/site-packages/x/{n}.py", line 1, in f' for n in range(9)),
        "ValueError: no split | here",
    )
    failed = [
        combination(
            n,
            Status.FAILED,
            notes=("exit code 1",),
            reasons=("a",),
            execution=Execution(exit_code=1, log_tail=tail),
        )
        for n in range(3)
    ]
    text = markdown.report(run_of(*failed))
    assert text.count("[!CAUTION]") == 1
    assert "exit code 1, at <code>src/train.py:7</code>: ValueError: no split &#124; here" in text
    assert "The same in: <code>train (seed=1)</code>, <code>train (seed=2)</code>" in text
    fenced = text.partition("```text\n")[2].partition("\n```")[0].splitlines()
    assert fenced[0] == '  File "src/train.py", line 7, in <module>'
    assert (
        "**Why:** ValueError: no split &#124; here; a (<code>train (3 combinations)</code>)" in text
    )
    assert "**To do:** mend <code>src/train.py:7</code>, and push." in text
    assert fenced[-2:] == ["  …", "ValueError: no split | here"]


def test_what_follows_a_failure_is_one_line_and_no_metric_is_in_its_title() -> None:
    base = BaseMetrics(metrics=(("auc", 0.9),), source="the result of 1234567")
    compared = replace(OUTCOMES[2], measured=Measurements(base=base))
    first = replace(OUTCOMES[0], measured=Measurements(metrics=(("rows", 5.0),)))
    text = markdown.report(run_of(first, OUTCOMES[1], compared))
    assert text.startswith("### ❌ demo: 1 failed · 1 reused · 1 not run · saved 41 min\n")
    assert "⏸️ 1 not run: <code>evaluate</code><br><sub>train did not succeed</sub>" in text
    assert "gone" not in text, "it was not measured; that is no news"


def test_what_left_no_result_is_something_to_do() -> None:
    why = "it writes a.md, which git tracks; declare it: outputs: [a.md]"
    ran = replace(OUTCOMES[0], notes=("made a.md", f"{NOT_STORED}: {why}"))
    text = markdown.report(run_of(ran))
    name = f"<code>{ran.step.name}</code>"
    assert f"**To do:** {name} left no result to reuse, and runs again next time; " in text
    assert "which git tracks; declare it: outputs:" in text
    both = markdown.report(run_of(ran, replace(ran, step=TRAIN)))
    assert f"**To do:** {name}, <code>{TRAIN.name}</code> left no result to reuse, and run " in both


def test_a_run_with_nothing_to_do_says_so() -> None:
    base = BaseMetrics(metrics=(("auc", 0.9),), source="the result of 1234567")
    reused = StepOutcome(
        step=TRAIN,
        status=Status.REUSED,
        reasons=("same",),
        measured=Measurements(metrics=(("auc", 0.9),), base=base),
    )
    text = markdown.report(run_of(reused))
    assert text.startswith("### ✅ demo: nothing new · auc 0.9 · 1 reused\n")
    assert "**Why:** all results are known for what changed: <code>a</code>" in text
    other = replace(COMPARISON, changed=(Change(path="README.md", change="modified"),))
    told = markdown.report(run_of(reused, comparison=other))
    assert "**Why:** no step reads what changed: <code>README.md</code>" in told
    assert "**To do:** nothing." in text
    assert "Same as for the base <code>4be1c02</code>: <code>auc</code>&nbsp;0.9" in text


def test_what_steps_left_and_git_does_not_ignore_is_no_change() -> None:
    reused = StepOutcome(
        step=TRAIN,
        status=Status.REUSED,
        reasons=("same",),
        left=LeftBehind(outputs=("plot.png", "models/")),
    )
    own = tuple(Change(path=p, change="untracked") for p in ("plot.png", "models/a", "models/b"))
    assert "**Why:**" not in markdown.report(
        run_of(reused, comparison=replace(COMPARISON, changed=own))
    )
    other = (*own, Change(path="notes.txt", change="untracked"))
    text = markdown.report(run_of(reused, comparison=replace(COMPARISON, changed=other)))
    assert "**Why:** no step reads what changed: <code>notes.txt</code>\n" in text


def test_a_first_run_says_that_it_is_one() -> None:
    ran = StepOutcome(
        step=TRAIN,
        status=Status.SUCCEEDED,
        reasons=("no result yet",),
        execution=Execution(seconds=1),
    )
    text = markdown.report(run_of(ran))
    assert "**Why:** first run of these steps: there was no result to reuse." in text


def test_of_many_metrics_those_that_changed_are_shown() -> None:
    names = [f"m{number}" for number in range(20)]
    base = BaseMetrics(metrics=tuple((name, 1.0) for name in names), source="x")
    now = tuple((name, 2.0 if name == "m7" else 1.0) for name in names)
    one = StepOutcome(
        step=TRAIN,
        status=Status.SUCCEEDED,
        reasons=("a",),
        measured=Measurements(metrics=now, base=base),
    )
    text = markdown.report(run_of(one))
    assert text.startswith("### ✅ demo: m7 2 (+1) · 1 ran\n")
    assert "19 metrics did not change." in text
    assert "<code>m8</code>" not in text
