"""What is left of a checkout whose mlpipe was killed, and of the git that it had started."""

import os
from pathlib import Path

import pytest

from mlpipe_ci.repo.git import checkout
from mlpipe_ci.repo.git.checkout import MARK, empty, is_unstarted
from mlpipe_ci.repo.git.command import Command
from mlpipe_ci.repo.lock import hold, hold_if_free


@pytest.mark.parametrize("left", [[], [".git/"], [f".git/{MARK}"], ["data/a", f".git/{MARK}"]])
def test_what_a_killed_checkout_left_is_removed(tmp_path: Path, left: list[str]) -> None:
    for name in left:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()
    assert is_unstarted(tmp_path)
    empty(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["a.txt", ".git/HEAD"])
def test_what_is_somebody_elses_stays(tmp_path: Path, left: str) -> None:
    path = tmp_path / left
    path.parent.mkdir(exist_ok=True)
    path.write_text("1")
    assert not is_unstarted(tmp_path)
    empty(tmp_path)
    assert path.read_text() == "1"


def test_killed_while_it_empties_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "data/b", ".git/HEAD", ".git/objects/1", f".git/{MARK}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    remove = checkout._remove
    for left in range(6):

        def remove_some(path: Path, budget: list[int] = [left]) -> None:  # noqa: B006 - counts
            if not budget[0]:
                raise KeyboardInterrupt
            budget[0] -= 1
            remove(path)

        monkeypatch.setattr(checkout, "_remove", remove_some)
        try:
            empty(tmp_path)
        except KeyboardInterrupt:
            assert is_unstarted(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_git_whose_mlpipe_was_killed_keeps_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, lambda _: None) as lock:
        assert lock is not None
        words = ("-c", "alias.later=!(sleep 1) >/dev/null 2>&1 &", "later")
        Command(tmp_path, inherited=(lock,)).run(*words)
    with hold_if_free(path) as free:
        assert not free
    with hold(path, lambda _: None) as lock:  # waits until it has ended
        assert lock is not None


def test_without_a_lock_nothing_is_inherited(tmp_path: Path) -> None:
    index = os.open(tmp_path, os.O_RDONLY)
    try:
        words = ("-c", f"alias.look=!test ! -e /proc/self/fd/{index} && echo closed", "look")
        assert Command(tmp_path).run(*words) == b"closed\n"
    finally:
        os.close(index)
