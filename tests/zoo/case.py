"""What a case of the zoo says: a project, what is changed in it, and what then has to happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Edit:
    """What somebody changes, and the names of the steps that have to run then, and no others.

    `files`: a path, what stands there, what takes its place. `env`: variables that are set.
    `then`: what is done after it, and after having gone back. `said`: words of the report.
    """

    files: tuple[tuple[str, str, str], ...] = ()
    runs: frozenset[str] = frozenset()
    env: Mapping[str, str] = field(default_factory=dict)
    then: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A project in `projects/`, and what has to be true of it.

    `group`: whose environment is first on PATH, and `activated` in the shell. `setup`: what is done
    before the first commit; `before`: what a user does in each work tree before the first run.
    `settles`: the first run in which nothing runs; `always`: steps that run each time, which each
    report says; `elsewhere`: steps that run in a clone though results of theirs are known.
    `state`: what the model takes for a tool's memory, by its name or as a history; `grows`: of
    that, what nothing may ever take away. `varies`: outputs that say when or by whom they were
    made, and an expression for that, which is left out where two runs of a step are compared.
    `shown`: outputs whose bytes are never the same twice, and the command that shows what is in
    them; `by_place`: what a tool names by the directory of the clone. `said`: words of the first
    report; `refused`: whether it says of a step that its result is not stored.
    """

    tool: str
    edits: tuple[Edit, ...]
    group: str = "config"
    project: str = ""
    setup: tuple[str, ...] = ()
    settles: int = 2
    state: tuple[str, ...] = ()
    grows: tuple[str, ...] = ()
    varies: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    by_place: tuple[str, ...] = ()
    always: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    before: tuple[str, ...] = ()
    activated: bool = True
    said: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True)
class Unsettled:
    """A project with a step that changes in place what was there before, so that it runs each time.

    `said`: what each report says of that. `way_out`: the edit that it proposes. `kept`: what is
    never taken away.
    """

    tool: str
    step: str
    said: tuple[str, ...]
    way_out: tuple[str, str, str]
    group: str = "config"
    setup: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def edit(path: str, old: str, new: str, *runs: str) -> Edit:
    """One change of one file."""
    return Edit(((path, old, new),), frozenset(runs))
