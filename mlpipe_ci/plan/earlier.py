"""What a step that runs is compared with, to say what changed: its last run in this work tree, else
the result of the base, else the newest one of this repository.
"""

import re
from collections.abc import Iterator
from functools import cached_property

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.core.cache_key import KeyParts, step_key
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.result import Producer, Result
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.repo.repo import Repo

LAST_RUN = "since the last run here"
FAILURE = "since it failed"
SUCCESS = "since its last success here"
"""The last run here has failed, and nothing is known to have changed since then."""
RUN = regex(r"/runs/(\d+)")
"""The number of a run, in its URL."""


@frozen
class Earlier:
    """What is compared with. `since`: that in words. `result`: what the step saw and left then;
    None if that is not known.
    """

    parts: KeyParts
    since: str
    result: Result | None = None


@frozen
class Compared:
    """What differs from an earlier run, in words: of the key (`declared`), and of what the step saw
    without declaring it (`seen`). `previous`, `now`: both keys, with the files of the listings that
    differ.
    """

    since: str
    previous: KeyParts
    now: KeyParts
    declared: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All that differs."""
        return self.declared + self.seen


@frozen
class EarlierRuns:
    """Finds them. `repository`: the name of this one, or its address; empty if it has none."""

    repository: str
    workflow: Workflow
    repo: Repo
    cache: Cache

    def of(self, step: Step, parts: KeyParts, known: tuple[Result, ...]) -> Iterator[Earlier]:
        """A failure that was the last run here, then the one that the step is compared with.

        `parts`: of the step now; `known`: the results that were found under its key.
        """
        failed = self.cache.state.failed(self.workflow.file, step.id)
        if failed:
            seen = Result(
                key="",
                step=step.name,
                parts=failed.parts,
                discovered=failed.seen,
                outputs=(),
                metrics=(),
                log="",
                seconds=0.0,
                finished=0.0,
                producer=Producer(),
            )
            yield Earlier(parts=failed.parts, since=FAILURE, result=seen)
        last = self.cache.state.previous(self.workflow.file, step.id)
        if last:
            since = SUCCESS if failed else LAST_RUN
            yield Earlier(parts=last, since=since, result=self._stored(step, last))
        elif found := self._made_elsewhere(step, known):
            since = self._since(found.producer)
            yield Earlier(parts=found.parts or parts, since=since, result=found)

    def _stored(self, step: Step, parts: KeyParts) -> Result | None:
        """The result of the last success here, or the newest with its key, if it is at hand."""
        made = self.cache.state.last_trace(self.workflow.file, step.id).made
        found = self.cache.store.at_hand(step_key(parts), self.cache.scopes)
        same = [one for one in found if one.finished == made] if made else found
        return max(same, key=_finished, default=None)

    def _made_elsewhere(self, step: Step, known: tuple[Result, ...]) -> Result | None:
        """The result of the base if it is known, else the newest of this repository."""
        recent = (one for one in self._recent if one.step == step.name)
        ours = [one for one in (*known, *recent) if self._is_ours(one.producer)]
        base = self.repo.comparison.base
        of_base = [one for one in ours if base and one.producer.commit == base]
        return max(of_base or ours, key=_finished, default=None)

    @cached_property
    def _recent(self) -> tuple[Result, ...]:
        return tuple(one for one in self.cache.store.recent(self.cache.scopes) if one.parts)

    def _is_ours(self, by: Producer) -> bool:
        """True if a result was made in this repository: by its name, or as its commit is here."""
        if _is_same(self.repository, by.repository):
            return True
        git = self.repo.git
        return bool(git and by.commit and git.commits.commit(by.commit))

    def _since(self, by: Producer) -> str:
        """`since 1a2b3c4` if that is the base; `since run 812 of main`; `since the run of …`."""
        if by.commit and by.commit == self.repo.comparison.base:
            return f"since {by.commit[:7]}"
        branch = by.ref.removeprefix("refs/heads/").removeprefix("refs/")
        of = f" of {branch}" if branch else ""
        if number := RUN.search(by.run_url):
            return f"since run {number[1]}{of}"
        return f"since the run{of} at {by.commit[:7]}" if by.commit else f"since the last run{of}"


def _finished(result: Result) -> float:
    return result.finished


def _is_same(one: str, other: str) -> bool:
    """True for two names of a repository, each `owner/name` or an address that ends so."""
    pairs = [*zip(reversed(_words(one)), reversed(_words(other)), strict=False)]
    return len(pairs) > 1 and all(a == b for a, b in pairs)


def _words(name: str) -> list[str]:
    """The host and the path of an address, word by word."""
    place = name.lower().removesuffix("/").removesuffix(".git").rpartition("://")[2]
    return [word for word in re.split(r"[/:]", place.rpartition("@")[2]) if word]
