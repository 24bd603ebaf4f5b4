"""Jobs that post whenever they like, beside a plain model: what the comment and the status say."""

import heapq
import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.ci.github.comments import BOT
from mlpipe_ci.ci.github.publisher import Publisher, PublishOptions
from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.errors import GitHubError
from mlpipe_ci.core.event import CiRun, Event, EventKind, IncomingChange
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.parts import JobName
from mlpipe_ci.core.run import Run, Status, StepOutcome
from mlpipe_ci.report import comment
from tests.support.fakes import step, workflow
from tests.support.random_cases import cases

SLOWEST = 0.2
"""Seconds that a request takes to get there, and as many for the answer."""
GOOD = Run(
    workflow=workflow(step("train")),
    comparison=Comparison(how="no base"),
    outcomes=(StepOutcome(step=step("train"), status=Status.SUCCEEDED),),
    seconds=1.0,
)
BAD = replace(GOOD, outcomes=(replace(GOOD.outcomes[0], status=Status.FAILED),))
ENV = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REPOSITORY": "o/r",
    "MLPIPE_TOKEN": "token",
}
LEGS = [("a.yml", "os=linux"), ("a.yml", "os=mac"), ("a.yml", "os=windows"), ("b.yml", "")]


@frozen
class Job:
    """One job of a run. `ending`: its state, or `killed` if it never says how it ended."""

    who: JobName
    run: int
    attempt: int
    commit: str
    start: float
    seconds: float
    ending: str


class Clock:
    """Threads that take turns: who waits goes on when it is the first whose time has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._count = itertools.count()
        self._done = threading.Event()

    def wait(self, seconds: float) -> None:
        turn = threading.Event()
        heapq.heappush(self._waiting, (self.now + seconds, next(self._count), turn))
        self._next()
        assert turn.wait(60)

    def run(self, deeds: list[Callable[[], None]]) -> None:
        """Carry all out, each in a thread of its own, and return when the last has ended."""
        faults: list[BaseException] = []

        def carry_out(deed: Callable[[], None], turn: threading.Event) -> None:
            assert turn.wait(60)
            try:
                deed()
            except BaseException as fault:  # noqa: BLE001 - raised below
                faults.append(fault)
            self._next()

        for deed in deeds:
            turn = threading.Event()
            heapq.heappush(self._waiting, (0.0, next(self._count), turn))
            threading.Thread(target=carry_out, args=(deed, turn), daemon=True).start()
        self._next()
        assert self._done.wait(120)
        if faults:
            raise faults[0]

    def _next(self) -> None:
        if not self._waiting:
            self._done.set()
            return
        self.now, _, turn = heapq.heappop(self._waiting)
        turn.set()


class GitHub:
    """Comments and statuses; each request takes its time to get there, and its answer, too."""

    def __init__(self, clock: Clock, luck: random.Random) -> None:
        self.comments: dict[int, dict[str, Any]] = {}
        self.statuses: list[dict[str, Any]] = []
        self._clock, self._luck = clock, luck
        self._ids = itertools.count(1)

    def pages(self, path: str) -> list[Any]:
        found: list[Any] = self._asked(lambda: self._list(path.partition("?")[0]))
        return found

    def get(self, path: str) -> Any:
        raise GitHubError(path, 403)

    def wait(self, seconds: float) -> bool:
        self._clock.wait(seconds)
        return True

    def create(self, path: str, body: dict[str, Any]) -> Any:
        return self.send("POST", path, body)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._asked(lambda: self._write(method, path, body or {}))

    def _asked(self, deed: Callable[[], Any]) -> Any:
        self._clock.wait(self._luck.uniform(0, SLOWEST))
        try:
            return deed()
        finally:
            self._clock.wait(self._luck.uniform(0, SLOWEST))

    def _list(self, path: str) -> list[dict[str, Any]]:
        if path == "/issues/7/comments":
            return [dict(one) for one in self.comments.values()]
        commit = path.split("/")[2]
        return [one for one in reversed(self.statuses) if one["commit"] == commit]

    def _write(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        if path.startswith("/statuses/"):
            self.statuses.append({"id": number, "commit": path.split("/")[2], **body})
            return self.statuses[-1]
        if method != "POST":
            number = int(path.split("/")[3])
            if number not in self.comments:
                raise GitHubError("gone", 404)
        if method == "DELETE":
            return self.comments.pop(number)
        url = f"https://github.com/{number}"
        self.comments[number] = {"id": number, "html_url": url, "user": {"login": BOT}, **body}
        return dict(self.comments[number])


class Posting(Publisher):
    """A publisher that talks to this GitHub."""

    github: GitHub

    def _new_client(self, seconds: float) -> Any:
        return self.github


def posting(job: Job, github: GitHub, clock: Clock) -> Callable[[], None]:
    url = f"https://github.com/o/r/actions/runs/{job.run}"
    named = replace(job.who, label="")
    event = Event(
        kind=EventKind.PROPOSAL,
        name="pull_request",
        change=IncomingChange(pull_request=7, commit=job.commit),
        run=CiRun(id=job.run, attempt=job.attempt, url=url, job=named),
    )
    wants = PublishOptions(label=job.who.label)
    publisher = Posting(event, ENV, "mlpipe.yml", wants, lambda _text: None)
    publisher.github = github

    def deed() -> None:
        clock.wait(job.start)
        publisher.started("demo", None)
        clock.wait(job.seconds)
        if job.ending != "killed":
            publisher.finished(GOOD if job.ending == "success" else BAD)

    return deed


@st.composite
def histories(draw: st.DrawFn) -> list[Job]:
    """Pushes (some by force, to a commit that was there before) and re-runs of some jobs."""
    jobs: list[Job] = []
    runs: list[tuple[str, str]] = []  # workflow and commit of each, from id 1
    attempts: dict[int, int] = {}
    now = 0.0
    for _ in range(draw(st.integers(1, 4))):
        now += draw(st.sampled_from([0.0, 0.3, 2.0, 60.0]))
        if runs and draw(st.integers(0, 2)) == 0:
            numbers = [draw(st.integers(1, len(runs)))]
            now += 60  # of a run that has ended
        else:
            commit = draw(st.sampled_from(["a" * 40, "b" * 40, "c" * 40]))
            names = draw(st.sets(st.sampled_from(["a.yml", "b.yml"]), min_size=1))
            numbers = [len(runs) + 1 + n for n in range(len(names))]
            runs += [(name, commit) for name in sorted(names)]
        for number in numbers:
            name, commit = runs[number - 1]
            attempts[number] = attempts.get(number, 0) + 1
            legs = [leg for leg in LEGS if leg[0] == name]
            jobs += [
                Job(
                    who=JobName(workflow=name, job="train", label=label),
                    run=number,
                    attempt=attempts[number],
                    commit=commit,
                    start=now + draw(st.sampled_from([0.0, 0.1, 0.5])),
                    seconds=draw(st.sampled_from([0.0, 0.2, 1.0])),
                    ending=draw(st.sampled_from(["success", "success", "failure", "killed"])),
                )
                for _, label in draw(st.sets(st.sampled_from(legs), min_size=1))
            ]
    return jobs


def said(jobs: list[Job]) -> dict[JobName, Job]:
    """The jobs that count: a newer run begins anew, a further attempt replaces its own."""
    found: dict[JobName, Job] = {}
    for job in sorted(jobs, key=lambda job: (job.run, job.attempt)):
        for who, old in list(found.items()):
            if who.workflow == job.who.workflow and old.run < job.run:
                del found[who]
        found[job.who] = job
    return found


@cases(500)
@given(histories(), st.integers(0, 2**32))
def test_comment_and_status_say_what_a_plain_model_says(jobs: list[Job], seed: int) -> None:
    clock = Clock()
    github = GitHub(clock, random.Random(seed))  # noqa: S311 - the case's own
    clock.run([posting(job, github, clock) for job in jobs])

    ended = said([job for job in jobs if job.ending != "killed"])
    told = [comment.read(one["body"]) for one in github.comments.values()]
    assert len(told) == (1 if ended else 0), "one comment"
    for report in told[0] if told else ():
        job = ended.pop(report.part.who)
        part = report.part
        assert (part.run, part.attempt, part.commit, part.state) == (
            job.run,
            job.attempt,
            job.commit,
            job.ending,
        )
    assert not ended, "no part is missing"

    for commit in {job.commit for job in jobs}:
        words = {job.ending for job in said([j for j in jobs if j.commit == commit]).values()}
        state = "failure" if "failure" in words else "pending" if "killed" in words else "success"
        last = [one for one in github.statuses if one["commit"] == commit][-1]
        assert (last["context"], last["state"]) == ("mlpipe/demo", state)
