"""May a result be stored: the reason if not, from what the step saw and left."""

from dataclasses import fields, replace

import pytest

from mlpipe_ci.core.plan import Action, Decision
from mlpipe_ci.core.result import Output
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.storable import (
    Observation,
    not_stored_note,
    state_of,
    tracing_notes,
    why_not_stored,
    without_state,
)
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery.discovered import Discovered
from tests.support.fakes import step, workflow

WATCHED = Trace(tracer="notify", complete=True)
ANY = step("any")
"""A step that declares nothing."""
CLEAN = step("clean", inputs=("raw",), outputs=("clean.csv",))
DONE = Output(path="out", kind="file", digest="", size=1)


DISCOVERED = {one.name for one in fields(Discovered)} - {one.name for one in fields(Observation)}


def seen(trace: Trace = WATCHED, **of: object) -> Observation:
    """What a step that wrote `out` saw and left; `of`: fields of it, or of what was discovered."""
    found = {"writes": ("out",)} | {name: of.pop(name) for name in DISCOVERED if name in of}
    given: dict[str, object] = {"outputs": (DONE,)} | of
    return Observation(trace=trace, discovered=Discovered(**found), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("of", [ANY, CLEAN, step("made", outputs=("out",))])
def test_what_is_known_and_comes_back_may_be_stored(of: Step) -> None:
    assert why_not_stored(of, seen()) == ""


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (seen(Trace(why=("a call was not seen",))), "a call was not seen"),
        (seen(Trace()), "nothing watched it"),
        (seen(removes=("a", "b", "c", "d")), "it removes a, b, c, …"),
        (seen(environments=("venv",)), "it makes a Python environment (venv)"),
        (seen(outside=("/data/x",)), "it writes /data/x, outside of the repository"),
        (seen(Trace(complete=True, network=("1.2.3.4:80",))), "it talks to the network"),
        (seen(writes=(), state=("s.db",)), "it writes nothing but its state, s.db"),
        (seen(writes=(), logs=("a.log",)), "nothing but what it adds to a.log"),
        (seen(writes=()), "it writes nothing in the repository"),
        (seen(tracked=("a.md",)), "it writes a.md, which git tracks; declare it: outputs: [a.md]"),
        (
            seen(tracked=("a", "b")),
            "it writes a, b, which git tracks; declare them: outputs: [a, b]",
        ),
        (
            seen(tracked=("a.ipynb",), rewrites=("a.ipynb",)),
            "declare it: outputs: [a.ipynb]; else let it write another file",
        ),
        (seen(leaving=(("l", "/var/x"),)), "its output l is a link to /var/x"),
        (seen(made_from=("ckpt",)), "it was made from ckpt, which an attempt that failed has left"),
        (seen(unstorable="a is not known"), "a is not known"),
        (seen(secret="out"), "its output out holds the value of a secret"),
        (seen(changed="a changed while the step ran"), "a changed while the step ran"),
    ],
)
def test_a_step_that_declares_nothing_is_not_stored(observed: Observation, reason: str) -> None:
    assert reason in why_not_stored(ANY, observed)
    assert why_not_stored(step("never", cache=False), observed) == ""


@pytest.mark.parametrize(
    "observed",
    [
        seen(outside=("/data/x",)),
        seen(Trace(complete=True, network=("1.2.3.4:80",))),
        seen(writes=()),
    ],
)
def test_cache_true_lets_pass_what_only_might_be_another_time(observed: Observation) -> None:
    assert why_not_stored(step("asked", cache=True), observed) == ""


def test_a_name_that_git_cannot_have_is_not_stored() -> None:
    wrong = Observation(
        trace=WATCHED, outputs=(Output(path="a/.git/x", kind="file", digest="", size=1),)
    )
    assert ".git" in why_not_stored(CLEAN, wrong)


def test_what_was_not_seen_of_a_declared_step_is_a_note() -> None:
    observed = seen(Trace(tracer="notify", why=("a call was not seen",)), logs=("a.log",))
    notes = tracing_notes(CLEAN, observed)
    assert notes[0] == "only what it declares counts: a call was not seen"
    assert "it adds to a.log" in notes[1]
    assert "it changes a.db, which it also reads" in tracing_notes(ANY, seen(rewrites=("a.db",)))[0]
    assert "it keeps state" in tracing_notes(ANY, seen(state=("mlruns/x",)))[0]
    assert tracing_notes(ANY, seen()) == ()


def test_tracked_files_are_named_where_there_are_few_and_else_the_command_that_declares_them() -> (
    None
):
    two = why_not_stored(ANY, seen(tracked=("a", "b")))
    assert two == "it writes a, b, which git tracks; declare them: outputs: [a, b]"
    four = why_not_stored(ANY, seen(tracked=("a", "b", "c", "d")))
    assert four == (
        "it writes a, b, c, …, which git tracks; declare them: mlpipe trace --write does"
    )


def test_the_run_that_stores_nothing_says_so() -> None:
    said = ("the result was not stored: it removes a",)
    any_, clean = (Decision(step=s, action=Action.RUN, reasons=()) for s in (ANY, CLEAN))
    assert not_stored_note(any_, seen(), "it removes a") == said
    assert not_stored_note(clean, seen(Trace()), "it removes a") == said
    assert not_stored_note(any_, seen(), "") == ()
    assert not_stored_note(any_, seen(Trace()), "nothing watched it") == ()
    again = replace(any_, reasons=("it removes a",))
    assert not_stored_note(again, seen(), "it removes a") == (
        "the result was not stored, for the reason above",
    )


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (seen(removes=("a",)), "it removes a"),
        (seen(tracked=("a.md",)), "which git tracks"),
        (seen(leaving=(("l", "/var/x"),)), "is a link to /var/x"),
        (seen(changed="raw changed while the step ran"), "raw changed"),
        (
            seen(outputs=(Output(path="big", kind="file", digest="", size=2_000_000_000),)),
            "it writes 2.0 GB that it does not declare (big and others)",
        ),
    ],
)
def test_a_step_that_declares_all_is_held_to_the_same(observed: Observation, reason: str) -> None:
    assert reason in why_not_stored(CLEAN, observed)


def test_much_is_stored_of_a_step_that_declares_nothing_or_declares_it() -> None:
    many = Output(path="big", kind="file", digest="", size=2_000_000_000)
    assert why_not_stored(ANY, seen(outputs=(many,))) == ""
    assert why_not_stored(step("big", inputs=("a",), outputs=("big",)), seen(outputs=(many,))) == ""


def test_state_and_environments_are_nobodys_outputs() -> None:
    found = Discovered(
        writes=("a", "mlruns/0/x", "study.db", "env/lib/x.py"),
        rewrites=("mlflow.db", "t.db"),
        removes=("wandb/latest-run",),
        logs=("hist/log", "b.log"),
        environments=("env",),
    )
    flow = replace(workflow(step("s", state=("hist/",))), state=("study.db",))
    left = without_state(found, flow)
    assert state_of(found, flow) == ("hist/log", "mlflow.db", "mlruns/0/x", "study.db")
    assert (left.writes, left.rewrites) == (("a", "t.db"), ("t.db",))
    assert (left.removes, left.logs) == ((), ("b.log",))
