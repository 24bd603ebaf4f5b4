"""Times of restored outputs: new, and in the order in which they were written."""

import os
import time
from pathlib import Path

from mlpipe_ci.cache.output_times import OutputTimes
from mlpipe_ci.core.result import Output


def made(root: Path, *names: str) -> tuple[Output, ...]:
    """Outputs that were written in this order, long ago."""
    for name in names:
        (root / name).write_text(name)
        os.utime(root / name, (1, 1))
    return tuple(
        Output(path=name, kind="file", digest="", size=1, order=number)
        for number, name in enumerate(names)
    )


def times(root: Path, *names: str) -> list[int]:
    return [(root / name).stat().st_mtime_ns for name in names]


def test_all_of_a_restored_step_and_of_later_ones_are_new_in_order(tmp_path: Path) -> None:
    first, second, third = (made(tmp_path, *names) for names in ("zy", "xw", "vu"))
    output_times = OutputTimes(tmp_path)
    output_times.placed(0, first, restored=False)
    assert set(times(tmp_path, *"zy")) == {10**9}
    output_times.placed(1, second, restored=True)
    output_times.placed(2, third, restored=False)
    found = times(tmp_path, *"zyxwvu")
    assert set(found[:2]) == {10**9}, "what an earlier step wrote stays as it is"
    assert found[2:] == sorted(set(found[2:]))
    assert 0 < time.time_ns() - found[-1] < 10**11
    assert found[2] > found[1]


def test_what_comes_back_later_is_still_older_than_what_follows(tmp_path: Path) -> None:
    first, second = (made(tmp_path, *names) for names in ("ba", "dc"))
    output_times = OutputTimes(tmp_path)
    output_times.placed(1, second, restored=True)
    output_times.placed(0, first, restored=True)
    found = times(tmp_path, *"badc")
    assert found == sorted(set(found))


def test_what_stayed_in_the_cache_is_left_out(tmp_path: Path) -> None:
    found = made(tmp_path, "a", "b")
    (tmp_path / "a").unlink()
    OutputTimes(tmp_path).placed(0, found, restored=True)
    assert times(tmp_path, "b") > [10**9]
