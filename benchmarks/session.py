"""Measures one work: all tools in turn, in rotating order, each checked each time."""

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from measure import MeasureError, Sample, measure
from places import Place, Tool
from works import DATA, Tree, count, write_shared

SETTLED = 0.3
"""Seconds until a file that was just written can be known again by its time alone."""
Moment = Callable[[Place, int], None]
"""What happens before each timed run, untimed, with the number of the round."""
Round = dict[str, Sample]


def again(_place: Place, _turn: int) -> None:
    """Nothing has changed."""


def leaf(place: Place, turn: int) -> None:
    """The source of the last step of a chain has changed."""
    last = place.tree.steps[-1]
    (place.repo / last.home / "in.txt").write_text(f"changed {turn} {time.time_ns()}\n")
    time.sleep(SETTLED)


def anew(place: Place, _turn: int) -> None:
    """Everything is new."""
    place.plant()
    os.sync()
    time.sleep(SETTLED)


def forgotten(place: Place, _turn: int) -> None:
    """The files are there, and the tool knows none of them."""
    place.tool.forget(place)


def removed(place: Place, _turn: int) -> None:
    """The outputs are gone."""
    for step in place.tree.steps:
        for path in step.outputs:
            shutil.rmtree(place.repo / path, ignore_errors=True)
    os.sync()


def cloned(place: Place, _turn: int) -> None:
    """The repository is a fresh clone; caches are as they were."""
    origin = place.base / "origin"
    if not origin.exists():
        place.commit()
        place.repo.rename(origin)
    shutil.rmtree(place.repo, ignore_errors=True)
    place.call("git", "clone", "-q", str(origin), str(place.repo), directory=place.base)
    os.sync()
    time.sleep(SETTLED)


@dataclasses.dataclass(frozen=True)
class Work:
    """What is measured: tools on a tree, in a situation."""

    name: str
    title: str
    tree: Tree
    tools: tuple[Tool, ...]
    target: str = ""
    """What is asked of mlpipe."""
    moment: Moment = again
    expected: int = 0
    """Steps that must run in each timed run."""
    few: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Rounds of the tools that take minutes."""
    version: bool = False
    """Whether it is only the version that is asked for."""
    warm: bool = True
    """Whether all is brought up to date first."""
    note: str = ""
    """What the reader of the table should know."""


@dataclasses.dataclass
class Session:
    """What was measured of one work in one go."""

    rounds: list[Round] = dataclasses.field(default_factory=list)
    wrong: dict[str, str] = dataclasses.field(default_factory=dict)
    """Tools that did not do the work, and what they did."""


def places(tree: Tree, tools: Iterable[Tool], base: Path) -> dict[str, Place]:
    """A place for each tool, with the tree in it; the large files are shared."""
    shared = base / "shared"
    write_shared(tree, shared)
    made = {tool.name: Place(tool, tree, base / tool.name, shared) for tool in tools if tool.own}
    for place in made.values():  # all before any tool looks: a further link changes a file's ctime
        place.plant()
    return made


def warm_up(place: Place, *, twice: bool = True) -> None:
    """Bring all up to date, and see that nothing runs again unless a file has changed."""
    if not place.tool.counted:
        return
    steps = len(place.tree.steps)
    _expect(place, steps, place.tool.first)
    time.sleep(SETTLED)
    for _ in range(1 + twice):
        _expect(place, 0, _run)
    if place.tree.files and not place.tree.payload:
        _change(place)
        _expect(place, 1, _run)
        time.sleep(SETTLED)
        _expect(place, 0, _run)


def take_turns(
    work: Work, columns: Mapping[str, tuple[Tool, Place]], runs: int, say: Callable[[str], None]
) -> Session:
    """Measure the columns in turn; the first round of an unchanged tree is not counted."""
    session = Session()
    names = list(columns)
    extra = 1 if work.moment is again else 0
    for turn in range(runs + extra):
        done: Round = {}
        for name in _rotated(names, turn):
            if name in session.wrong or turn >= work.few.get(name, runs) + extra:
                continue
            try:
                done[name] = sample(work, *columns[name], turn)
            except MeasureError as error:
                session.wrong[name] = str(error)
                say(f"{work.name}: {name}: {error}")
        if turn >= extra:
            session.rounds.append(done)
        say(f"{work.name}: round {turn} of {runs + extra}")
    return session


def sample(work: Work, tool: Tool, place: Place, turn: int) -> Sample:
    """Measure one run, and see that it did the work, all of it and no more."""
    if work.version:
        command = tool.version_command()
    else:
        if tool is place.tool:
            work.moment(place, turn)
        command = tool.command(place)
    before = place.ran()
    taken = measure(command, place.repo, place.environment, place.base / "said.txt")
    expected = work.expected if tool.counted and not work.version else 0
    check(place, place.ran() - before, expected, whole=not work.version and tool.own)
    return taken


def check(place: Place, ran: int, expected: int, *, whole: bool) -> None:
    """Refuse a run that executed too many or too few steps, or left outputs that are not right."""
    if place.tool.counted and ran != expected:
        raise MeasureError(f"{ran} steps ran, not {expected}")
    if not whole or not (place.tool.counted or place.tree.payload):
        return
    missing = [p for s in place.tree.steps for p in s.outputs if not (place.repo / p).exists()]
    if missing:
        raise MeasureError(f"{len(missing)} outputs are missing, such as {missing[0]}")
    if place.tree.payload:
        found, right = count(place.repo / "steps/one/out"), count(place.shared)
        if found != right:
            raise MeasureError(f"{found} files and bytes in the output, not {right}")


def _run(place: Place) -> None:
    place.call(*place.tool.command(place))


def _expect(place: Place, steps: int, act: Callable[[Place], None]) -> None:
    before = place.ran()
    act(place)
    check(place, place.ran() - before, steps, whole=True)


def _change(place: Place) -> None:
    """Give one file other bytes of the same number, as an editor would: under a new inode."""
    path = next(path for path in sorted((place.repo / DATA).rglob("*")) if path.is_file())
    new = path.with_name("new")
    new.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    new.replace(path)
    time.sleep(SETTLED)


def _rotated(names: Sequence[str], turn: int) -> list[str]:
    first = turn % len(names)
    return [*names[first:], *names[:first]]
