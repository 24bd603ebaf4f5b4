"""Parts of several jobs: which of them count, and that their order of arrival does not matter."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.parts import (
    STATES,
    JobName,
    Part,
    count_words,
    current,
    merged,
    newest_commit,
    state_of_all,
)

LINUX = JobName(workflow="ml.yml", job="train", label="os=linux")
MAC = replace(LINUX, label="os=mac")
NIGHTLY = JobName(workflow="nightly.yml", job="train")
GOOD = Part(who=LINUX, run=5, attempt=1, commit="aa", state="success")
BAD = replace(GOOD, who=MAC, state="failure")


def test_legs_stand_side_by_side_the_worst_first() -> None:
    assert merged([GOOD, BAD]) == merged([BAD, GOOD]) == (BAD, GOOD)
    assert state_of_all([GOOD, BAD]) == "failure"
    assert count_words([BAD, GOOD]) == "1 of 2 jobs failed"
    assert count_words([GOOD, replace(BAD, state="pending")]) == "1 of 2 jobs running"
    assert count_words([GOOD, BAD, replace(BAD, state="pending")]) == (
        "1 of 3 jobs failed · 1 running"
    )
    assert count_words([GOOD, GOOD]) == "2 jobs succeeded"


def test_a_newer_run_takes_the_place_of_all_of_an_older_one() -> None:
    newer = replace(GOOD, run=6)
    assert merged([BAD, GOOD, newer]) == (newer,), "a leg that is gone does not stay red"
    assert merged([newer, BAD]) == (newer,), "and an older run never comes back"


def test_a_further_attempt_takes_the_place_of_its_own_job() -> None:
    again = replace(BAD, attempt=2, state="success")
    assert merged([BAD, GOOD, again]) == (GOOD, again)
    assert merged([again, GOOD, BAD]) == (GOOD, again)
    assert merged([replace(GOOD, state="pending"), GOOD]) == (GOOD,), "what is said later"


def test_another_workflow_has_parts_of_its_own() -> None:
    other = replace(BAD, who=NIGHTLY, run=4, commit="0a")
    assert merged([other, GOOD]) == (GOOD, other), "of an older commit: last"
    assert current([other, GOOD]) == (GOOD,)
    assert newest_commit([other, GOOD]) == "aa"
    assert newest_commit([]) == ""


PARTS = st.builds(
    lambda who, run, attempt, state: Part(
        who=who, run=run, attempt=attempt, commit=("aa", "bb")[run % 2], state=state
    ),
    who=st.sampled_from([LINUX, MAC, NIGHTLY]),
    run=st.integers(1, 4),
    attempt=st.integers(1, 3),
    state=st.sampled_from(STATES),
)
"""A run has one commit; some runs have the same one."""


@given(st.lists(PARTS, unique_by=lambda part: (part.who, part.run, part.attempt)), st.data())
def test_when_parts_arrive_makes_no_difference(parts: list[Part], data: st.DataObject) -> None:
    whole = merged(parts)
    assert merged(data.draw(st.permutations(parts))) == whole
    cut = data.draw(st.integers(0, len(parts)))
    assert merged([*merged(parts[:cut]), *merged(parts[cut:])]) == whole
