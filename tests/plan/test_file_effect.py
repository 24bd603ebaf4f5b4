"""Would a change of this file run the step? Each rule, and what it says."""

import pytest

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.plan.file_effect import FileEffect
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from tests.support import fakes

STEP = fakes.step("train", inputs=("train.py", "!data/old/*", "data/**"), outputs=("out/",))
LATER = fakes.step("report", inputs=("out/",), outputs=("report.html",))
SEEN = (
    Input(path="helper.py", digest="git:1"),
    Input(path="settings.yaml", digest="absent"),
    Input(path="cache", digest="exists:directory"),
    Input(path="run.log", digest="log"),
    Input(path="models/", digest="names:a/b"),
    Input(path="./", digest="modules:train.py|helper train csv"),
)
MADE = Output(path="extra.txt", kind="file", digest="blake3:1", size=1)


def effect(path: str, result: Result | None) -> tuple[bool | None, str]:
    later = LaterWrites()
    later.add(1, LATER.writes)
    asked = FileEffect(
        workflow=fakes.workflow(STEP, LATER), step=STEP, result=result, later_writes=later
    )
    found = asked.of(path)
    return found.runs, found.why


@pytest.mark.parametrize(
    ("path", "runs", "why"),
    [
        ("train.py", True, "its inputs name it: train.py"),
        ("data/new/x.csv", True, "its inputs name it: data/**"),
        ("data/old/x.csv", False, "its inputs leave it out: !data/old/*"),
        ("out/model.pkl", False, "declares to write it"),
        ("helper.py", True, "seen to read it"),
        ("settings.yaml", True, "looked for it in vain"),
        ("cache", None, "asked whether it is there"),
        ("run.log", False, "only adds to it"),
        ("extra.txt", False, "the step writes it"),
        ("models/c/d", None, "read the names in models/"),
        ("csv.py", None, "Python searches the root of the repository"),
        ("csv/__init__.py", None, "Python searches"),
        ("csv.md", False, "not seen to look at it"),
        ("other.py", False, "not seen to look at it"),
        ("README.md", False, "not seen to look at it"),
        ("report.html", False, "a later step writes it"),
        (".git/HEAD", False, "git's own directory"),
        ("src/__pycache__/a.cpython-311.pyc", False, "byte code"),
    ],
)
def test_each_rule(path: str, runs: bool | None, why: str) -> None:
    result = fakes.result(STEP, discovered=SEEN, outputs=(MADE,))
    found = effect(path, result)
    assert found[0] is runs
    assert why in found[1]


def test_without_a_result_only_what_is_declared_is_known() -> None:
    assert effect("train.py", None)[0] is True
    assert effect("helper.py", None) == (
        None,
        "it has no result with these inputs yet, so what it reads is not known",
    )


def test_params_count_by_their_values() -> None:
    step = fakes.step("train", inputs=("a",), params=(("lr", "0.1"),))
    workflow = fakes.workflow(step)
    workflow = type(workflow)(**(vars(workflow) | {"params_files": ("params.yaml",)}))
    asked = FileEffect(workflow=workflow, step=step, result=None, later_writes=LaterWrites())
    found = asked.of("params.yaml")
    assert found.runs is None
    assert found.why == "only if a value changes that it uses: lr"
