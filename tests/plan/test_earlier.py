"""What a step that runs is compared with: which results are of this repository, and its words."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlpipe_ci.core.cache_key import Input, key_parts
from mlpipe_ci.core.result import Producer, Result
from mlpipe_ci.plan.earlier import FAILURE, LAST_RUN, SUCCESS, EarlierRuns
from tests.support.fakes import result, step, workflow

TRAIN = step("train", inputs=("a",), outputs=("model",))
PARTS = key_parts(TRAIN, (Input(path="a", digest="git:2"),))
BASE, OTHER = "1" * 40, "2" * 40


def made(finished: float, **by: str) -> Result:
    return result(TRAIN, finished=finished, producer=Producer(**by))


def runs(
    *recent: Result,
    failed: Any = None,
    previous: Any = None,
    repository: str = "https://github.com/o/r.git",
) -> EarlierRuns:
    """`failed`, `previous`: what is remembered of the last runs here."""
    state = SimpleNamespace(
        failed=lambda *_: failed,
        previous=lambda *_: previous,
        last_trace=lambda *_: SimpleNamespace(made=0.0),
    )
    store = SimpleNamespace(recent=lambda _: recent, at_hand=lambda *_: ())
    commits = SimpleNamespace(commit=lambda name: name if name == BASE else None)
    repo = SimpleNamespace(
        comparison=SimpleNamespace(base=BASE), git=SimpleNamespace(commits=commits)
    )
    cache = SimpleNamespace(state=state, store=store, scopes=("local",))
    return EarlierRuns(
        repository=repository,
        workflow=workflow(TRAIN),
        repo=cast("Any", repo),
        cache=cast("Any", cache),
    )


def since(found: EarlierRuns, *known: Result) -> list[str]:
    return [one.since for one in found.of(TRAIN, PARTS, known)]


def test_the_last_run_here_comes_first() -> None:
    assert since(runs(made(9.0, repository="o/r", commit=BASE), previous=PARTS)) == [LAST_RUN]


def test_after_a_failure_the_last_success_is_compared_too() -> None:
    failed = SimpleNamespace(parts=PARTS, seen=())
    assert since(runs(failed=failed)) == [FAILURE]
    assert since(runs(failed=failed, previous=PARTS)) == [FAILURE, SUCCESS]


def test_elsewhere_it_is_the_base_and_then_the_newest() -> None:
    base = made(1.0, repository="o/r", commit=BASE)
    newer = made(2.0, repository="o/r", commit=OTHER, ref="refs/heads/main")
    assert since(runs(base, newer)) == [f"since {BASE[:7]}"]
    assert since(runs(newer)) == [f"since the run of main at {OTHER[:7]}"]
    assert since(runs(), newer) == [f"since the run of main at {OTHER[:7]}"]
    page = "https://github.com/o/r/actions/runs/812"
    assert since(runs(made(3.0, repository="o/r", run_url=page))) == ["since run 812"]


@pytest.mark.parametrize(
    ("own", "other", "is_ours"),
    [
        ("https://github.com/o/r.git", "o/r", True),
        ("git@github.com:O/R.git", "o/r", True),
        ("https://github.com/o/r", "https://github.com/o/r/", True),
        ("https://github.com/o/r.git", "p/r", False),
        ("https://github.com/o/r.git", "", False),
        ("", "", False),
        ("", "o/r", False),
    ],
)
def test_a_result_of_another_repository_is_never_compared(
    own: str, other: str, *, is_ours: bool
) -> None:
    found = runs(made(1.0, repository=other, commit=OTHER), repository=own)
    assert bool(since(found)) is is_ours


def test_a_result_whose_commit_is_here_is_of_this_repository() -> None:
    assert since(runs(made(1.0, commit=BASE), repository="")) == [f"since {BASE[:7]}"]
