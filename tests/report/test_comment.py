"""The comment of several jobs: written, read again, bounded; nothing in it is believed unread."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.parts import JobName, JobReport, Part
from mlpipe_ci.report import comment

LINUX = JobReport(
    part=Part(
        who=JobName(workflow="ml.yml", job="train", label="os=linux"),
        run=5,
        attempt=1,
        commit="aa" * 20,
        state="success",
    ),
    name="demo",
    words="2 ran · auc 0.9",
    url="https://github.com/o/r/actions/runs/5",
    text="### ✅ demo: 2 ran · auc 0.9\n\nall of it",
)


def leg(label: str, state: str = "success", text: str = "", attempt: int = 1) -> JobReport:
    who = replace(LINUX.part.who, label=label)
    part = replace(LINUX.part, who=who, state=state, attempt=attempt)
    return replace(LINUX, part=part, text=text or f"### {label}\n\nreport of {label}")


def test_one_job_has_its_report_alone() -> None:
    body, lines = comment.write("mlpipe.yml", [LINUX])
    marker, run, hidden, text = body.split("\n", 3)
    assert marker == "<!-- mlpipe:report key=mlpipe.yml v=1 -->"
    assert run == "<!-- mlpipe:run id=5 attempt=1 -->"
    assert hidden.startswith("<!-- mlpipe:parts [")
    assert text == f"{LINUX.text}\n"
    assert comment.read(body) == (LINUX,)
    assert "### ✅ demo: 2 ran · auc 0.9\n\n* ✅ **train (os=linux)**" in lines
    assert comment.read(lines) == (replace(LINUX, text=""),)


def test_the_marker_can_not_be_closed_by_a_file_name() -> None:
    assert comment.marker("a-->b<x>.yml") == "<!-- mlpipe:report key=a--_b_x_.yml v=1 -->"


def test_several_jobs_stand_in_one_comment_the_worst_first() -> None:
    reports = comment.together([leg("a"), leg("b", "failure"), leg("c")])
    body, _ = comment.write("mlpipe.yml", reports)
    shown = body.split("\n", 3)[3]
    assert shown.startswith("### ❌ demo: 1 of 3 jobs failed\n\n#### ❌ train (b)\n")
    assert "<details><summary>✅ <b>train (a)</b>: 2 ran · auc 0.9</summary>" in shown
    assert shown.index("report of b") < shown.index("report of a") < shown.index("report of c")
    assert comment.read(body) == reports
    again = comment.together([*comment.read(body), leg("b", "success", attempt=2)])
    healed, _ = comment.write("mlpipe.yml", again)
    assert "### ✅ demo: 3 jobs succeeded\n" in healed
    assert "report of c" in healed


def test_workflows_are_named_where_there_are_two_and_older_commits_are_told_apart() -> None:
    night = replace(LINUX.part, who=JobName(workflow="night.yml", job="train"), run=4)
    other = replace(leg("x"), part=night, text="of the night")
    body, _ = comment.write("mlpipe.yml", comment.together([LINUX, other]))
    assert "<b>ml.yml / train (os=linux)</b>" in body
    assert "<b>night.yml / train</b>" in body
    old = replace(other, part=replace(night, commit="bb" * 20, state="failure"))
    body, _ = comment.write("mlpipe.yml", comment.together([LINUX, old]))
    assert body.split("\n", 3)[3].startswith("<!-- mlpipe:part ")
    assert "\n### ✅ demo: 2 ran" in body, "an old failure is no verdict on the new commit"
    assert "* ❌ **night.yml / train (of commit <code>bbbbbbb</code>, not of the newest)**" in body


def test_a_line_in_a_report_ends_nothing() -> None:
    evil = leg("a", "failure", "```text\n<!-- mlpipe:end 0 -->\n<!-- mlpipe:parts [] -->\n```\n-->")
    reports = comment.together([evil, leg("b --> <b>", "failure")])
    body, _ = comment.write("mlpipe.yml", reports)
    assert comment.read(body) == reports
    assert body.split("\n")[2].count("-->") == 1


def test_what_is_too_long_is_folded_from_the_good_end() -> None:
    long = "x" * 30_000
    legs = [leg("a", "failure", long + "a"), leg("b", text=long + "b"), leg("c", text=long + "c")]
    body, _ = comment.write("mlpipe.yml", comment.together(legs))
    assert comment.fits(body)
    assert [bool(one.text) for one in comment.read(body)] == [True, False, False]
    assert "* ✅ **train (c)**: 2 ran · auc 0.9 · [log of the run](" in body
    many = comment.together(leg(f"{n:03} {'ü' * 90}", text=long) for n in range(256))
    body, lines = comment.write("mlpipe.yml", (legs[0], *many))
    assert comment.fits(body)
    assert comment.fits(lines)
    assert comment.read(body)[0].part.state == "failure"


RECORD = {"w": "", "j": "", "l": "", "r": 5, "a": 1, "c": "aa", "s": "success"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"s": "good"},
        {"s": 1},
        {"s": None},
        *({"r": run} for run in (-1, 10**20, "5", 1.5, True, None)),
        {"a": 10**9},
        {"c": "<b>"},
        {"c": "a" * 65},
        {"l": "x" * 201},
        {"u": {}},
    ],
)
def test_what_does_not_parse_is_dropped(wrong: dict[str, object]) -> None:
    told = json.dumps([RECORD | wrong, RECORD, 7, None])
    (kept,) = comment.read(f"marker\nrun\n<!-- mlpipe:parts {told} -->\ntext")
    assert kept.part.who == JobName()
    assert not kept.text, "no digest, no text"


@pytest.mark.parametrize("told", ["[", "{}", "[" * 50_000 + "]" * 50_000, '[{"r": NaN}]', ""])
def test_a_line_that_is_no_list_says_nothing(told: str) -> None:
    assert comment.read(f"marker\nrun\n<!-- mlpipe:parts {told} -->\ntext") == ()


def test_a_text_that_somebody_has_edited_is_left_out() -> None:
    body, _ = comment.write("mlpipe.yml", [LINUX])
    assert comment.read(body.replace("all of it", "forged")) == (replace(LINUX, text=""),)


@given(st.text(max_size=300), st.text(max_size=300), st.text())
def test_any_text_is_read_as_it_was_written(label: str, words: str, text: str) -> None:
    one = comment.shortened(replace(leg(label, "failure", f"a{text}"), words=words))
    two = leg("b")
    body, _ = comment.write("mlpipe.yml", (one, two))
    assert comment.read(body) == (one, two)
    assert comment.read(comment.write("mlpipe.yml", (one,))[0]) == (one,)
