"""Real tools, one small project each, through the same six acts.

Run; run again; change something; go back; clone with the same cache; run from scratch beside it.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.zoo.case import Case, Edit, Unsettled
from tests.zoo.cases import CASES, GO_ON, NAMES_ITS_PLACE, UNSETTLED
from tests.zoo.desk import Desk, Ran, differences, is_any, tree
from tests.zoo.environments import environment

PROJECTS = Path(__file__).parent / "projects"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux can watch commands"),
]


def new_desk(top: Path, group: str, *, activated: bool = True) -> Desk:
    """A desk at which an environment is first on PATH."""
    made = environment(group)
    path = os.pathsep.join((str(made / "bin"), "/usr/bin", "/bin"))
    return Desk(top, path, {"VIRTUAL_ENV": str(made)} if activated else {})


def desk_of(case: Case, top: Path) -> Desk:
    """A desk with the project of a case, and the environment of its group."""
    desk = new_desk(top, case.group, activated=case.activated)
    desk.make(PROJECTS / (case.project or case.tool), case.setup, case.before)
    return desk


def same(case: Case, root: Path, wanted: dict[str, str], ran: Ran) -> None:
    """The bytes in a work tree are those that are wanted."""
    wrong = differences(tree(root, case.state, {}), wanted)
    assert not wrong, f"{wrong}\n{ran.text}"


def contents(desk: Desk, case: Case, root: Path) -> dict[str, str]:
    """What is in a work tree, less what is another in each run of the same step."""
    shown = {path: desk.shell(command, root) for path, command in case.shown.items()}
    return tree(root, (*case.state, *case.by_place, *shown), case.varies) | shown


def as_from_scratch(desk: Desk, case: Case, name: str, **more: str) -> None:
    """A run in a fresh clone with an empty cache makes what lies at the desk."""
    cold = desk.clone(name, case.before)
    ran = desk.run(cold, f"{name}-home", f"{name}-cache", **more)
    wrong = differences(contents(desk, case, desk.root), contents(desk, case, cold))
    assert not wrong, f"from scratch it is not the same: {wrong}\n{ran.text}"


def run_at(desk: Desk, case: Case, *runs: str, **more: str) -> Ran:
    """A run at the desk, in which these steps run and those that always do, and no others.

    It takes nothing away of what only grows.
    """
    before = [path for path in tree(desk.root, (), {}) if is_any(case.grows, path)]
    ran = desk.run(desk.root, **more)
    lost = [path for path in before if not (desk.root / path).exists()]
    assert not lost, f"lost: {lost}\n{ran.text}"
    assert ran.commands == case.always.union(runs), ran.text
    return ran


def settle(desk: Desk, case: Case) -> None:
    """Run until nothing runs: in the run that the table names, neither before nor later."""
    for number in range(2, case.settles):
        assert desk.run(desk.root).commands > case.always, f"settled before run {number}"
    ran = run_at(desk, case)
    assert all(words in ran.text for words in case.said if case.always), ran.text


def put(desk: Desk, name: str, old: str, new: str) -> None:
    """Write something else in a file."""
    path = desk.root / name
    text = path.read_text()
    assert old in text, f"{name} has no {old!r}"
    path.write_text(text.replace(old, new))


def change(desk: Desk, case: Case, number: int, edit: Edit) -> None:
    """An edit, on a branch of its own: the right steps run, and the result is that of a clone."""
    desk.git("checkout", "-q", "-b", f"edit-{number}")
    for one in edit.files:
        put(desk, *one)
    desk.commit(f"Edit {number}")
    for command in edit.then:
        desk.shell(command)
    ran = run_at(desk, case, *edit.runs, **edit.env)
    assert all(words in ran.text for words in edit.said), ran.text
    if edit.runs:
        as_from_scratch(desk, case, f"cold-{number}", **edit.env)
    desk.git("checkout", "-q", "main")
    for command in edit.then:
        desk.shell(command)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.tool) for case in CASES])
def test_a_tool_in_six_acts(case: Case, tmp_path: Path) -> None:
    desk = desk_of(case, tmp_path)
    first = desk.run(desk.root)
    assert all(words in first.text for words in case.said), first.text
    assert ("not stored" in first.text) == case.refused, first.text
    settle(desk, case)
    wanted = tree(desk.root, case.state, {})
    for number, edit in enumerate(case.edits):
        change(desk, case, number, edit)
        same(case, desk.root, wanted, run_at(desk, case))
    warm = desk.clone("clone", case.before)
    ran = desk.run(warm, "other-home")
    assert ran.commands == case.always | case.elsewhere, ran.text
    same(case, warm, wanted, ran)
    as_from_scratch(desk, case, "cold")


@pytest.mark.parametrize("case", UNSETTLED, ids=[case.tool for case in UNSETTLED])
def test_an_update_in_place_says_so_each_time_and_the_way_out_works(
    case: Unsettled, tmp_path: Path
) -> None:
    desk = new_desk(tmp_path, case.group)
    desk.make(PROJECTS / case.tool, case.setup, ())
    kept = {path: (desk.root / path).stat().st_ino for path in case.kept}
    for number in range(1, 4):
        ran = desk.run(desk.root)
        assert ran.commands == {case.step}, f"run {number}: {ran.text}"
        assert all(words in ran.text for words in case.said), f"run {number}: {ran.text}"
    desk.git("checkout", "-q", ".")
    put(desk, *case.way_out)
    assert desk.run(desk.root).commands == {case.step}
    ran = desk.run(desk.root)
    assert not ran.commands, ran.text
    assert kept == {path: (desk.root / path).stat().st_ino for path in case.kept}


@pytest.mark.parametrize(("tool", "step"), GO_ON.items())
def test_a_step_goes_on_in_a_clone(tool: str, step: str, tmp_path: Path) -> None:
    """With results that another work tree has made, which is not there any more."""
    goes_on(tool, step, {step}, tmp_path)


@pytest.mark.parametrize(("tool", "steps"), NAMES_ITS_PLACE.items())
def test_what_names_its_directory_is_made_again_where_it_is_read(
    tool: str, steps: tuple[str, str], tmp_path: Path
) -> None:
    goes_on(tool, steps[1], set(steps), tmp_path)


def goes_on(tool: str, step: str, runs: set[str], tmp_path: Path) -> None:
    case = next(case for case in CASES if case.tool == tool)
    desk = desk_of(case, tmp_path)
    desk.run(desk.root)
    clone = desk.clone("clone", case.before)
    desk.root.rename(tmp_path / "gone")
    ran = desk.run(clone, "other-home", force=step)
    assert ran.commands == runs, ran.text
    wanted = contents(desk, case, tmp_path / "gone")
    assert not differences(contents(desk, case, clone), wanted), ran.text
