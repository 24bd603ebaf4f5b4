"""Which step begins when: order, priority, and steps that are done again."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.run.conflicts import (
    longest_first,
)
from mlpipe_ci.run.scheduler import Scheduler


@st.composite
def orders(draw: st.DrawFn) -> list[set[int]]:
    """For each of some places those before it that it waits for."""
    count = draw(st.integers(1, 12))
    return [
        draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        for index in range(count)
    ]


def always(index: int) -> bool:
    return True


@given(orders(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_each_step_runs_once_after_all_that_it_waits_for(
    before: list[set[int]], jobs: int, chance: random.Random
) -> None:
    scheduler = Scheduler(before, longest_first(before, {}))
    done: list[int] = []
    while not scheduler.finished:
        while len(scheduler.running) < jobs and (index := scheduler.next(always)) is not None:
            assert before[index] <= set(done)
            scheduler.begin(index)
        index = chance.choice(sorted(scheduler.running))
        scheduler.end(index)
        done.append(index)
    assert sorted(done) == list(range(len(before)))


@given(orders(), st.randoms(use_true_random=False), st.integers(0, 6))
def test_what_is_done_again_takes_all_that_came_after_it_along(
    before: list[set[int]], chance: random.Random, times: int
) -> None:
    scheduler = Scheduler(before, [0.0] * len(before))
    clock, ended = 0, [-1] * len(before)
    while not scheduler.finished:
        while len(scheduler.running) < 3 and (index := scheduler.next(always)) is not None:
            assert all(ended[other] >= 0 for other in before[index])
            scheduler.begin(index)
        index = chance.choice(sorted(scheduler.running))
        scheduler.end(index)
        clock, ended[index] = clock + 1, clock
        done = [place for place in range(len(before)) if ended[place] >= 0]
        if times and done:
            times -= 1
            scheduler.again(chance.choice(done))
    for index, others in enumerate(before):
        assert all(ended[index] > ended[other] for other in others), "it rests on an old outcome"


def test_a_step_that_runs_is_done_again_once_it_is_over() -> None:
    scheduler = Scheduler([set(), {0}], [0.0, 0.0])
    scheduler.begin(0)
    scheduler.end(0)
    scheduler.begin(1)
    scheduler.again(0)
    scheduler.begin(0)
    scheduler.end(0)
    scheduler.end(1)  # it has read what the first had written before
    assert not scheduler.finished
    assert scheduler.next(always) == 1


def test_a_long_chain_is_done_again() -> None:
    before = [{index - 1} if index else set[int]() for index in range(5000)]
    scheduler = Scheduler(before, [0.0] * 5000)
    for place in range(5000):
        scheduler.begin(place)
        scheduler.end(place)
    scheduler.again(0)
    assert scheduler.next(always) == 0
    assert not scheduler.finished


def test_alone_means_that_what_came_after_stays() -> None:
    scheduler = Scheduler([set(), {0}, {1}], [0.0] * 3)
    for place in (0, 1):
        scheduler.begin(place)
        scheduler.end(place)
    scheduler.begin(2)
    scheduler.again(0, alone=True)
    scheduler.wait_for(2, 0)
    assert scheduler.next(always) == 0
    scheduler.begin(0)
    scheduler.end(0)
    assert scheduler.next(always) == 2
    scheduler.begin(2)
    scheduler.end(2)
    assert scheduler.finished


def test_the_longest_way_goes_first_and_what_does_not_fit_is_passed() -> None:
    before: list[set[int]] = [set(), set(), {1}, {2}, set()]
    seconds = {0: 2.5, 1: 1.0, 2: 1.0, 3: 1.0, 4: 9.0}
    scheduler = Scheduler(before, longest_first(before, seconds), ["", "", "", "", "gpu"])
    assert scheduler.next(always) == 4
    assert scheduler.next(lambda index: index != 4) == 1  # 3 s with those behind it, before 2.5 s
    scheduler.begin(1)
    assert scheduler.next(lambda place: place != 4) == 0


def test_where_one_does_not_fit_no_other_of_its_kind_is_tried() -> None:
    scheduler = Scheduler([set()] * 1000, [0.0] * 1000, ["gpu"] * 999 + ["cpu"])
    asked: list[int] = []

    def fits(index: int) -> bool:
        asked.append(index)
        return index == 999

    assert scheduler.next(fits) == 999
    assert asked == [0, 999]


def test_those_that_were_in_each_others_way_stay_apart() -> None:
    scheduler = Scheduler([set(), set()], [0.0, 0.0])
    scheduler.begin(0)
    scheduler.keep_apart(0, 1)
    assert scheduler.next(always) is None
    scheduler.end(0)
    assert scheduler.next(always) == 1
