"""What several jobs say of one change: whose word counts, and what all of it comes to. Pure.

Jobs write without a lock, so merging does not depend on the order in which parts arrive: what
`merged` leaves of some parts says the same as all of them, whatever comes later.
"""

from collections.abc import Iterable

from mlpipe_ci.core.frozen import frozen

STATES = ("failure", "error", "pending", "success")
"""States of a part, the worst first."""


@frozen
class JobName:
    """Which job of the CI system it is, as a person tells jobs apart. All empty at a desk."""

    workflow: str = ""
    """The CI system's workflow: the name of its file."""
    job: str = ""
    label: str = ""
    """Which leg of a matrix, `os=linux, seed=1`, or what the user calls it."""


@frozen
class Part:
    """What one job says: `state` is one of STATES.

    `run` and `attempt`: of the CI system; a later run has a larger number, and running some of its
    jobs again is a further attempt. `commit`: the one that people see the run at.
    """

    who: JobName
    run: int
    attempt: int
    commit: str
    state: str


@frozen
class JobReport:
    """What one job has to say. `name`: of the workflow file; `words`: its verdict in a line.

    `text`: the report, without newlines around it; empty where only the line is known.
    """

    part: Part
    name: str
    words: str
    url: str
    text: str = ""


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts that count, the worst first: of each workflow its newest run, of each job in that
    its last attempt. Of two of one attempt, the later in `parts`.
    """
    given = tuple(parts)
    newest: dict[str, int] = {}
    for part in given:
        workflow = part.who.workflow
        newest[workflow] = max(part.run, newest.get(workflow, part.run))
    kept: dict[JobName, Part] = {}
    for part in given:
        old = kept.get(part.who)
        if part.run == newest[part.who.workflow] and (not old or old.attempt <= part.attempt):
            kept[part.who] = part
    return ordered(kept.values())


def ordered(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The worst first; those of another commit than the newest run's last."""
    given = tuple(parts)
    head = newest_commit(given)
    return tuple(
        sorted(
            given,
            key=lambda part: (
                part.commit != head,
                STATES.index(part.state),
                (part.who.workflow, part.who.job, part.who.label),
            ),
        )
    )


def newest_commit(parts: Iterable[Part]) -> str:
    """The commit of the newest run; empty without parts."""
    newest = max(parts, key=lambda part: (part.run, part.attempt), default=None)
    return newest.commit if newest else ""


def current(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Those of the newest run's commit, in the order given: the verdict is theirs."""
    given = tuple(parts)
    head = newest_commit(given)
    return tuple(part for part in given if part.commit == head)


def state_of_all(parts: Iterable[Part]) -> str:
    """The worst state; `success` without parts."""
    worst = min((STATES.index(part.state) for part in parts), default=len(STATES) - 1)
    return STATES[worst]


def count_words(parts: Iterable[Part]) -> str:
    """How many jobs ended how: `1 of 3 jobs failed`, `3 jobs succeeded`."""
    states = [part.state for part in parts]
    bad = sum(state in {"failure", "error"} for state in states)
    running = states.count("pending")
    few = [f"{n} {word}" for n, word in ((bad, "failed"), (running, "running")) if n]
    if not few:
        return f"{len(states)} jobs succeeded"
    first, *rest = few
    number, _, word = first.partition(" ")
    return " · ".join([f"{number} of {len(states)} jobs {word}", *rest])
