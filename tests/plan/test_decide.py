"""The decision: a table of what is known and what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.cache_key import Input, key_parts
from mlpipe_ci.core.plan import Action
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.decide import Evidence, decide, make_plan
from tests.support.fakes import FakeEvidence, result, step, workflow

TRAIN = step("train", inputs=("a",), outputs=("model",))
NEW = key_parts(TRAIN, (Input(path="a", digest="git:2"),))
STORED = result(TRAIN, finished=1000.0)


@pytest.mark.parametrize(
    ("given_step", "evidence", "action", "reasons"),
    [
        (TRAIN, Evidence(), Action.RUN, ("no result yet",)),
        (TRAIN, Evidence(changed=("a changed",)), Action.RUN, ("a changed",)),
        (
            TRAIN,
            Evidence(changed=("b declared now", "a changed", "c removed"), since="since 1a2b3c4"),
            Action.RUN,
            ("b declared now", "a changed since 1a2b3c4", "c removed"),
        ),
        (
            TRAIN,
            Evidence(changed=("$X is set now (discovered)",), since="since 1a2b3c4"),
            Action.RUN,
            ("$X is set now (discovered)",),
        ),
        (TRAIN, Evidence(unstored="no", since="since 1a2b3c4"), Action.RUN, ("no",)),
        (TRAIN, Evidence(changed=("a changed",), unstored="no"), Action.RUN, ("a changed",)),
        (
            TRAIN,
            Evidence(failed_before=True, unusable=("it is lost",)),
            Action.RUN,
            ("it is lost", "failed last time"),
        ),
        (
            TRAIN,
            Evidence(failed_before=True, changed=("a changed",), since="since it failed"),
            Action.RUN,
            ("failed last time", "a changed since it failed"),
        ),
        (
            TRAIN,
            Evidence(results=(STORED,), now=1180.0),
            Action.REUSE,
            ("same inputs as 3 min ago on main, saved 100 s",),
        ),
        (TRAIN, Evidence(waits_for=("reads x",)), Action.MAYBE, ("reads x",)),
        (TRAIN, Evidence(waits_for=("x",), results=(STORED,)), Action.MAYBE, ("x",)),
        (
            step("train"),
            Evidence(results=(STORED,), unwatched="declares no inputs, and tracing is off"),
            Action.RUN,
            ("declares no inputs, and tracing is off",),
        ),
        (
            step("train", inputs=("a",), cache=False),
            Evidence(results=(STORED,)),
            Action.RUN,
            ("cache: false",),
        ),
        (
            step("deploy", condition="false"),
            Evidence(condition=False),
            Action.SKIP,
            ("if: false is false",),
        ),
        (
            TRAIN,
            Evidence(condition=False, blocked_by=("clean",), results=(STORED,)),
            Action.SKIP,
            ("clean did not succeed",),
        ),
    ],
)
def test_what_is_known_decides(
    given_step: Step, evidence: Evidence, action: Action, reasons: tuple[str, ...]
) -> None:
    decision = decide(given_step, evidence)
    assert (decision.action, decision.reasons) == (action, reasons)
    assert decision.result == (STORED if action is Action.REUSE else None)
    assert decision.saved_seconds == (100 if action is Action.REUSE else 0)


evidences = st.builds(
    Evidence,
    condition=st.booleans(),
    waits_for=st.sampled_from([(), ("w",)]),
    parts=st.sampled_from([None, NEW]),
    results=st.sampled_from([(), (STORED,)]),
    unusable=st.sampled_from([(), ("u",)]),
    changed=st.sampled_from([(), ("a changed",)]),
    since=st.sampled_from(["", "since 1a2b3c4"]),
    failed_before=st.booleans(),
    blocked_by=st.sampled_from([(), ("b",)]),
    now=st.floats(0, 1e10),
)
steps = st.builds(
    step,
    st.just("s"),
    inputs=st.sampled_from([(), ("a",)]),
    cache=st.sampled_from([None, True, False]),
    condition=st.sampled_from([None, "x"]),
)


@given(steps, evidences)
def test_every_decision_has_a_reason_and_never_reuses_against_the_rules(
    of: Step, evidence: Evidence
) -> None:
    decision = decide(of, evidence)
    assert decision.reasons
    assert all(decision.reasons)
    if decision.action is Action.REUSE:
        assert evidence.condition
        assert evidence.results
        assert not evidence.unwatched
        assert of.cache is not False
        assert not evidence.waits_for


def test_a_plan_passes_on_what_each_step_writes() -> None:
    clean, train = step("clean", inputs=("raw",), outputs=("c",)), step("train", inputs=("c",))
    skipped = step("skipped")
    stored = result(clean)
    evidence = FakeEvidence(clean=Evidence(results=(stored,)), skipped=Evidence(condition=False))
    plan = make_plan(workflow(clean, skipped, train, step("last", inputs=("m",))), evidence)
    assert [d.action for d in plan.decisions] == ["reuse", "skip", "run", "maybe"]
    assert [asked[1] for asked in evidence.asked] == [
        {},
        {"clean": stored.outputs},
        {"clean": stored.outputs},
        {"clean": stored.outputs, "train": None},
    ]
