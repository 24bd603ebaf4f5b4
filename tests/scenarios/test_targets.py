"""`mlpipe run STEP`: what it needs, what needs it, or it alone."""

import json

import pytest

from tests.support.repository import Repo

FILE = """
steps:
  - {name: clean, run: cat raw > c, inputs: [raw], outputs: [c]}
  - {name: train, run: cat c > m, inputs: [c], outputs: [m]}
  - {name: plot, run: cat c > p, inputs: [c], outputs: [p]}
  - {name: evaluate, run: cat m > e, inputs: [m], outputs: [e]}
  - name: deploy
    if: steps.evaluate.outcome == 'success'
    run: 'true'
    inputs: [other]
    outputs: []
"""
ALL = ["clean", "train", "plot", "evaluate", "deploy"]


@pytest.fixture
def ready(repo: Repo) -> Repo:
    repo.commit({"mlpipe.yml": FILE, "raw": "1", "other": "1", ".gitignore": "c\nm\np\ne\n"})
    return repo


def ran(repo: Repo, *arguments: str) -> list[str]:
    told = json.loads(repo.mlpipe("run", "--json", *arguments).stdout)
    return [s["id"] for s in told["steps"] if s["status"] in {"succeeded", "reused"}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ALL),
        (["evaluate"], ["clean", "train", "evaluate"]),
        (["deploy"], ["clean", "train", "evaluate", "deploy"]),
        (["plot", "train"], ["clean", "train", "plot"]),
        (["clean", "--downstream"], ALL),
        (["clean", "--only"], ["clean"]),
    ],
)
def test_what_is_named_and_what_follows(
    ready: Repo, arguments: list[str], expected: list[str]
) -> None:
    assert ran(ready, *arguments) == expected


def test_from_a_step_on(ready: Repo) -> None:
    ready.mlpipe("run")
    ready.write({"raw": "2"})
    assert ran(ready, "train", "--downstream") == ["train", "evaluate", "deploy"]
    assert ready.read("e") == "1", "what comes before was not asked for"
    assert ran(ready, "evaluate") == ["clean", "train", "evaluate"]
    assert (ready.read("e"), ready.read("p")) == ("2", "1")
    told = ready.mlpipe("plan", "plot", "--only").stdout
    assert told.splitlines() == ["▶ plot  run    c changed since the last run here"]


def test_a_step_alone_needs_its_inputs(ready: Repo) -> None:
    done = ready.mlpipe("run", "train", "--only", code=2)
    assert "input 'c' is missing" in done.stderr
    assert "step 'clean' writes it, but was skipped" in done.stderr


def test_steps_that_were_not_asked_for_are_not_told(ready: Repo) -> None:
    shown = ready.mlpipe("run", "clean").stdout
    assert "plot" not in shown
    assert shown.splitlines()[-1].startswith("✔ work tree: 1 ran · ")


def test_forced_and_named(ready: Repo) -> None:
    ready.mlpipe("run")
    told = ready.mlpipe("plan", "train", "--force", "train").stdout
    assert told.splitlines()[1].split(maxsplit=3)[2:] == ["run", "asked for by --force"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tarin"], "step tarin: there is no such step; did you mean 'train'?"),
        (["--only"], "name one: mlpipe run STEP"),
        (["--downstream"], "name one: mlpipe run STEP"),
    ],
)
def test_what_cannot_be_asked(ready: Repo, arguments: list[str], said: str) -> None:
    for command in ("run", "plan"):
        assert said in ready.mlpipe(command, *arguments, code=2).stderr
