"""Random workflows, edits and runs, held against a naive model that always runs everything."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.support.random_cases import cases, seed
from tests.support.random_edits import EDITS, start
from tests.support.random_repo import SOURCES, World
from tests.support.reference_model import (
    TREES,
    Expected,
    Made,
    Pipeline,
    Snapshot,
    from_scratch,
    inside,
    snapshot,
)

EXCLUDED = "data/b c.txt"
PATTERNS = (*SOURCES, "data/", "data/sub", "src/", "data/*.txt", "data/**/*.txt")
FORCES = ((), (), (), ("--force",), ("--force", "s0"), ("--force", "s1"))
Edit = tuple[Callable[[World, int, int], None], int, int]


@st.composite
def steps(draw: st.DrawFn, number: int) -> Made:
    """A step that may read sources and what earlier steps write."""
    in_data = number == 0 and draw(st.booleans())
    earlier = tuple(f"@{n}" for n in range(number)) * 4
    known = SOURCES if in_data else (*PATTERNS, *earlier)
    inputs = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
    bodies = ("cat", "count", "program", *(() if in_data else TREES))
    bodies += ("copy",) if inputs and inputs[0] in SOURCES else ()
    body = draw(st.sampled_from(bodies))
    may_exclude = inputs and body != "copy" and EXCLUDED not in inputs
    return Made(
        number=number,
        body=body,
        inputs=tuple(inputs),
        exclude=EXCLUDED if may_exclude and draw(st.booleans()) else "",
        in_data=in_data,
        cached=draw(st.sampled_from((True, True, True, True, False))),
        param=draw(st.booleans()),
        env=draw(st.booleans()),
    )


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """A workflow of one to five steps."""
    made = tuple(draw(steps(number)) for number in range(draw(st.integers(1, 5))))
    return Pipeline(steps=made, params_file=draw(st.booleans()))


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Edit], tuple[str, ...], str]:
    """Some edits, what the run after them forces, and the step that fails in it if it runs."""
    edits = st.tuples(st.sampled_from(EDITS), st.integers(0, 40), st.integers(0, 12))
    force = draw(st.sampled_from(FORCES))
    fail = draw(st.sampled_from(("", "", "", "s0", "s1", "s2")))
    return draw(st.lists(edits, max_size=4)), force, fail


@dataclass
class Round:
    """One run, and what is known of it. `must`: steps whose command has to start."""

    world: World
    expected: Expected
    before: Snapshot
    after: Snapshot
    plan: dict[str, str]
    must: set[str]
    started: list[str]
    ended: dict[str, dict[str, Any]]
    told: str

    def check(self, fail: str) -> bool:
        """Compare with the run from scratch. Returns True if all steps succeeded."""
        failed = False
        for step in self.world.pipeline.present:
            if failed:
                self._untouched(step, "blocked")
                assert step.id not in self.started, self.told
            elif step.number == self.expected.fails or (step.id == fail in self.started):
                self._untouched(step, "failed")
                failed = True
            else:
                self._right(step)
        assert len(self.started) == len(set(self.started)), self.told
        sources = self.world.sources(self.before)
        assert self.world.sources(self.after) == sources, self.told
        return not failed

    def _untouched(self, step: Made, status: str) -> None:
        assert self.ended[step.id]["status"] == status, self.told
        was, now = (inside(files, (step.output,)) for files in (self.before, self.after))
        assert was == now, self.told

    def _right(self, step: Made) -> None:
        wanted = inside(self.expected.files, (step.output,))
        assert inside(self.after, (step.output,)) == wanted, (step.id, self.told)
        ran = step.id in self.started
        assert self.ended[step.id]["status"] == ("succeeded" if ran else "reused"), self.told
        if step.id in self.must:
            assert ran, (step.id, self.told)
        elif not self.world.unsure:
            assert not ran, (step.id, self.told)
        action = self.plan[step.id]
        assert action == "maybe" or self.world.unsure or ran == (action == "run"), self.told
        if not step.always:
            self.world.done.add(self.expected.works[step.id])


def play(world: World, force: tuple[str, ...], fail: str) -> None:
    """Plan, run, and run again."""
    world.write_workflow()
    before = snapshot(world.root)
    world.past.append(world.sources(before))
    present = {step.id for step in world.pipeline.present}
    force = force if present.issuperset(force[1:]) else ()
    expected = from_scratch(world.pipeline, before, world.top / "room", world.ignored)
    must = _must(world, expected, force)
    planned = world.mlpipe("plan", *force)
    assert (snapshot(world.root), world.started()) == (before, []), "a plan does nothing"
    os.environ["FAIL"] = fail
    code, out, err = world.mlpipe("run", *force)
    os.environ["FAIL"] = ""
    started, after = world.started(), snapshot(world.root)
    told = f"{world.pipeline.record()}\n{planned}\n{code} {out} {err}\n{must} {expected.fails}"
    if not out:  # a missing input, found before anything is started
        assert (planned[0], code, after, started) == (2, 2, before, []), told
        assert expected.fails is not None, told
        return
    ended, plan = ({s["id"]: s for s in json.loads(o)["steps"]} for o in (out, planned[1]))
    actions = {name: step["action"] for name, step in plan.items()}
    done = Round(world, expected, before, after, actions, must, started, ended, told)
    if not done.check(fail):
        assert code in {1, 2}, told
        return
    assert code == 0, told
    _again(world, after, told)


def _must(world: World, expected: Expected, force: tuple[str, ...]) -> set[str]:
    return {
        step.id
        for step in world.pipeline.present
        if step.always
        or (step.id in force[1:] or len(force) == 1)
        or expected.works.get(step.id) not in world.done
    }


def _again(world: World, after: Snapshot, told: str) -> None:
    """Without an edit, nothing is executed but what says that it wants to be."""
    code, _, err = world.mlpipe("run")
    always = [step.id for step in world.pipeline.present if step.always]
    assert (code, world.started(), snapshot(world.root)) == (0, always, after), told + err


def play_all(
    directory: Path,
    pipeline: Pipeline,
    kind: int,
    script: list[tuple[list[Edit], tuple[str, ...], str]],
) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as name, pytest.MonkeyPatch.context() as patch:
        world = start(Path(name), pipeline, kind)
        patch.setenv("MLPIPE_CACHE_DIR", str(world.cache))
        patch.setenv("LOG", str(world.top / "log"))
        patch.setenv("FAIL", "")
        play(world, (), "")
        for edits, force, fail in script:
            for edit, one, other in edits:
                edit(world, one, other)
            play(world, force, fail)


@given(pipelines(), st.integers(0, 2), st.lists(rounds(), max_size=4))
@cases(15)
def test_each_run_ends_as_from_scratch(
    tmp_path: Path,
    pipeline: Pipeline,
    kind: int,
    script: list[tuple[list[Edit], tuple[str, ...], str]],
) -> None:
    play_all(tmp_path, pipeline, kind, script)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_each_of_many_runs_ends_as_from_scratch(tmp_path: Path, part: int) -> None:
    @seeded(seed(part))
    @given(pipelines(), st.integers(0, 2), st.lists(rounds(), min_size=2, max_size=8))
    @cases(40)
    def part_of_it(
        pipeline: Pipeline, kind: int, script: list[tuple[list[Edit], tuple[str, ...], str]]
    ) -> None:
        play_all(tmp_path, pipeline, kind, script)

    part_of_it()
