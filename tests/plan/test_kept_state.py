"""Whether a result may be used although the state that its step kept is not stored."""

from collections.abc import Mapping

import pytest

from mlpipe_ci.cache.left_record import Left, LeftRecord
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.kept_state import KeptState, result_id
from tests.support.fakes import result, step, workflow

TRAIN, JUDGE, BEST = step("train"), step("judge"), step("best")
KEEPS = (Input(path="mlruns", digest="state"),)
MADE = result(TRAIN, discovered=KEEPS)
SAW = result(BEST, discovered=(Input(path="mlruns/1/auc", digest="state:blake3:00"),))


def known(
    left: Mapping[Step, Left], now: Mapping[str, str], *results: Result, seen: tuple[str, ...] = ()
) -> KeptState:
    record = LeftRecord()
    for one, what in left.items():
        record.put(one, what)
    return KeptState(
        workflow=workflow(TRAIN, JUDGE, BEST),
        record=record,
        results=lambda one: [r for r in results if r.step == one.name],
        seen=lambda one: seen if one is BEST else (),
        digest=now.get,
    )


def wrote(of: Step, digest: str, made: Result | None = None) -> dict[Step, Left]:
    state = {"mlruns/1/auc": digest}
    name = result_id(made) if made else ""
    return {of: Left(step=of.id, name=of.name, paths={}, state=state, result=name)}


def test_state_that_nobody_reads_need_not_be_there() -> None:
    assert known({}, {}).why_lacking(TRAIN, MADE) == ""
    assert known({}, {}, SAW).why_lacking(TRAIN, result(TRAIN)) == "", "it keeps none"


def test_state_that_a_later_step_reads_has_to_be_there() -> None:
    assert known({}, {}, SAW).why_lacking(TRAIN, MADE).startswith("'best' reads its state mlruns")
    assert known({}, {}, seen=("mlruns/",)).why_lacking(TRAIN, MADE), "as its last run here did"
    assert known({}, {}, seen=("mlruns2/1",)).why_lacking(TRAIN, MADE) == ""


@pytest.mark.parametrize(("now", "lacks"), [("a", False), ("b", True), (None, True)])
def test_it_is_in_place_as_it_was_left(now: str | None, lacks: bool) -> None:
    there = {"mlruns/1/auc": now} if now else {}
    assert bool(known(wrote(TRAIN, "a", MADE), there, SAW).why_lacking(TRAIN, MADE)) == lacks


def test_another_result_has_left_it() -> None:
    other = result(TRAIN, discovered=(*KEEPS, Input(path="x", digest="absent")))
    assert known(wrote(TRAIN, "a", other), {"mlruns/1/auc": "a"}, SAW).why_lacking(TRAIN, MADE)


def test_a_later_step_has_gone_on_with_it() -> None:
    left = {**wrote(TRAIN, "a", MADE), **wrote(JUDGE, "b")}
    assert known(left, {"mlruns/1/auc": "b"}, SAW).why_lacking(TRAIN, MADE) == ""
    assert known(left, {"mlruns/1/auc": "c"}, SAW).why_lacking(TRAIN, MADE)
