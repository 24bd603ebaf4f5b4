"""Which steps run, and in which order."""

import pytest

from tests.support.logged_steps import Lab, step
from tests.support.repository import Repo


@pytest.fixture
def lab(repo: Repo) -> Lab:
    return Lab(repo)


TWO_CHAINS = (
    step("left", "cp a l", "a", "l"),
    step("left2", "cp l l2", "l", "l2"),
    step("right", "cp b r", "b", "r"),
    step("join", "cat l2 r > j", "l2 r", "j"),
)


def test_of_two_chains_only_the_one_that_changed_runs_and_what_joins_them(lab: Lab) -> None:
    lab.start(*TWO_CHAINS, files="a b")
    assert lab.ran() == ["left", "left2", "right", "join"]
    lab.repo.write({"b": "2\n"})
    assert lab.ran() == ["right", "join"]
    assert lab.repo.read("j") == "a\n2\n"


def test_both_sides_of_a_diamond_run_before_what_needs_both(lab: Lab) -> None:
    lab.start(
        step("top", "cp raw t", "raw", "t"),
        step("left", "sed s/^/left/ t > l", "t", "l"),
        step("right", "sed s/^/right/ t > r", "t", "r"),
        step("bottom", "cat l r > b", "l r", "b"),
    )
    assert lab.ran() == ["top", "left", "right", "bottom"]
    lab.repo.write({"raw": "2\n"})
    assert lab.ran() == ["top", "left", "right", "bottom"]
    assert lab.repo.read("b") == "left2\nright2\n"


def test_a_file_of_many_steps_runs_in_an_order_that_its_paths_allow(lab: Lab) -> None:
    pairs = ("4", "5", "6", "7", "2 4 5", "3 6 7", "1 2 3", "9", "8 9")
    made = [(pair.split()[0], pair.split()[1:]) for pair in pairs]
    steps = [
        step(f"s{name}", f"cat raw {' '.join(needs)} > {name}", " ".join(["raw", *needs]), name)
        for name, needs in made
    ]
    lab.start(*steps)
    order = lab.ran()
    assert sorted(order) == [f"s{n}" for n in range(1, 10)]
    for name, needs in made:
        assert all(order.index(f"s{needed}") < order.index(f"s{name}") for needed in needs)


def test_parts_that_share_nothing_all_run(lab: Lab) -> None:
    lab.start(step("a", "cp raw x", "raw", "x"), step("b", "cp other y", "other", "y"))
    lab.repo.write({"other": "1"})
    assert lab.ran() == ["a", "b"]
    lab.repo.write({"other": "2"})
    assert lab.ran() == ["b"]


def test_named_steps_alone_run_in_the_order_of_the_file(lab: Lab) -> None:
    lab.start(*TWO_CHAINS, files="a b")
    lab.ran()
    lab.repo.write({"a": "2", "b": "2"})
    assert lab.ran("right", "left", "--only") == ["left", "right"]
    assert lab.repo.read("j") == "a\nb\n"


def test_a_forced_step_runs_others_only_if_it_writes_other_bytes(lab: Lab) -> None:
    lab.start(*TWO_CHAINS, files="a b")
    lab.ran()
    assert lab.ran("--force", "left") == ["left"]
    assert lab.ran("--force") == ["left", "left2", "right", "join"]


def test_a_result_that_was_forced_is_stored_like_any_other(lab: Lab) -> None:
    lab.start(step("a", "cp raw x", "raw", "x"))
    assert lab.ran("--force", "a") == ["a"]
    assert lab.ran() == []
    (lab.repo.root / "x").unlink()
    assert lab.ran() == []
    assert lab.repo.read("x") == "raw\n"


def test_commands_of_a_step_run_in_order_and_stop_at_the_first_that_fails(lab: Lab) -> None:
    lab.start(step("s", "echo 1 > one\n[ -e fixed ]\necho 3 > three", "raw"))
    assert lab.ran(code=1) == ["s"]
    assert lab.repo.read("one") == "1\n"
    assert not (lab.repo.root / "three").exists()
    lab.repo.write({"fixed": ""})
    lab.ran()
    assert lab.repo.read("three") == "3\n"


def test_a_command_sees_what_was_written_in_its_directory(lab: Lab) -> None:
    """Paths of the file are those of the repository, wherever the command runs."""
    lab.start(
        step("a", "cp raw ../out/x", "sub/raw", "out/x", working_directory="sub"),
        step("b", "cat x > ../y", "out/x", "y", working_directory="out"),
        files="sub/raw",
    )
    assert lab.ran() == ["a", "b"]
    lab.repo.git("clean", "-qfdx")
    assert lab.ran() == []
    assert lab.repo.read("y") == "sub/raw\n"
    lab.repo.write({"sub/raw": "2\n"})
    assert lab.ran() == ["a", "b"]


def test_a_step_that_is_left_out_by_if_stays_as_it_is(lab: Lab) -> None:
    def file(*, on: bool) -> None:
        lab.file(
            step("a", "cp raw x", "raw", "x"),
            step("b", "cat x > y", "x", "y", **({} if on else {"if": False})),
            step("c", "cat y > z", "y", "z"),
        )

    lab.start()
    file(on=True)
    assert lab.ran() == ["a", "b", "c"]
    lab.repo.write({"raw": "2"})
    file(on=False)
    assert lab.ran() == ["a"]
    assert lab.repo.read("z") == "raw\n"
    file(on=True)
    assert lab.ran() == ["b", "c"]


def test_a_plan_of_what_was_never_run_is_whole(lab: Lab) -> None:
    lab.start(*TWO_CHAINS, files="a b")
    assert [s["action"] for s in lab.steps()] == ["run", "maybe", "run", "maybe"]
    assert lab.steps()[3]["reasons"] == ["reads what left2 writes", "reads what right writes"]
    assert lab.repo.git("status", "--porcelain", "--ignored") == ""


def test_exit_code_and_words_of_a_quiet_plan(lab: Lab) -> None:
    lab.start(*TWO_CHAINS, files="a b")
    assert "▶ left" in lab.mlpipe("plan", "-q").stdout
    lab.ran()
    assert lab.mlpipe("plan", "-q").stderr == ""
