"""How much of the machine steps take."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.core.workflow import Resources, Step, StepInstance
from mlpipe_ci.run.resources import Capacity, ResourcePool
from tests.support.fakes import step

MACHINE = Capacity(cpus=4, memory=8 << 30, gpus=("0", "1"))


def takes(name: str, **resources: float) -> Step:
    return step(name, resources=Resources(**resources))  # type: ignore[arg-type]


AMOUNTS = st.builds(
    Resources,
    cpus=st.none() | st.floats(0.1, 9),
    memory=st.none() | st.integers(1, 12 << 30),
    gpus=st.none() | st.sampled_from((0, 0.25, 0.5, 1, 2, 3)),
)


@given(st.lists(AMOUNTS, min_size=1, max_size=12))
def test_nothing_is_taken_twice_and_each_step_comes_to_its_turn(wanted: list[Resources]) -> None:
    pool = ResourcePool(MACHINE)
    waiting = [step(f"s{n}", resources=one) for n, one in enumerate(wanted)]
    running: dict[str, tuple[Step, tuple[str, ...]]] = {}
    while waiting:
        fitting = [one for one in waiting if pool.fits(one)]
        assert fitting or running, "alone, each step fits"
        if not fitting:
            of, _ = running.popitem()[1]
            pool.release(of)
            continue
        waiting.remove(fitting[0])
        running[fitting[0].id] = fitting[0], pool.acquire(fitting[0])
        asked = [of.resources or Resources() for of, _ in running.values()]
        if len(running) > 1:
            assert sum(min(one.cpus or 0, 4) for one in asked) <= 4 + 1e-6
            assert sum(min(one.memory or 0, 8 << 30) for one in asked) <= 8 << 30
        used = dict.fromkeys(MACHINE.gpus, 0.0)
        for (of, names), one in zip(running.values(), asked, strict=True):
            share = min(one.gpus or 0, 2)
            assert len(names) == len(set(names)) == (0 if not share else -(-share // 1)), of
            for name in names:
                used[name] += min(share, 1)
        assert all(part <= 1 + 1e-6 for part in used.values())


def test_what_is_not_said_takes_nothing() -> None:
    pool = ResourcePool(Capacity(cpus=1))
    for number in range(50):
        assert pool.fits(step(f"s{number}"))
        assert pool.acquire(step(f"s{number}")) == ()


def test_a_step_that_wants_more_than_there_is_runs_alone_and_is_told_so() -> None:
    pool, large = ResourcePool(MACHINE), takes("large", cpus=64, memory=1 << 40, gpus=8)
    small = takes("small", cpus=1)
    pool.acquire(small)
    assert not pool.fits(large)
    pool.release(small)
    assert pool.acquire(large) == ("0", "1")
    assert not pool.fits(small)
    assert pool.shortage(large) == (
        "it asks for 64 cpus, and there are 4; 1.02e+03 GiB, and there are 8; "
        "8 gpus, and 2 can be seen"
    )
    assert pool.shortage(small) == ""


def test_parts_of_a_gpu_share_one() -> None:
    pool = ResourcePool(MACHINE)
    names = [pool.acquire(takes(f"s{n}", gpus=0.5)) for n in range(4)]
    assert names == [("0",), ("0",), ("1",), ("1",)]
    assert not pool.fits(takes("more", gpus=0.25))


def test_where_no_gpu_is_seen_one_step_at_a_time_uses_what_there_is() -> None:
    pool = ResourcePool(Capacity(cpus=4))
    assert pool.acquire(takes("a", gpus=1)) == ()
    assert not pool.fits(takes("b", gpus=2))
    assert pool.fits(takes("c", cpus=1))


def test_max_parallel_holds_for_one_matrix() -> None:
    pool = ResourcePool(MACHINE)
    of = StepInstance(group="train", values=(), max_parallel=2)
    steps = [step(f"train-{n}", strategy=of) for n in range(3)]
    for one in steps[:2]:
        pool.acquire(one)
    assert not pool.fits(steps[2])
    assert pool.fits(step("other"))
    pool.release(steps[0])
    assert pool.fits(steps[2])
