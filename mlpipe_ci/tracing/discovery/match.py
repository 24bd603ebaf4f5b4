"""Whether a stored result still fits: all that its step read must be the same as it was."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_under
from mlpipe_ci.core.place import PLACE
from mlpipe_ci.core.plan import Written
from mlpipe_ci.core.platform import PLATFORM
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.tracing.discovery.check import Left
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    ELSEWHERE,
    EXISTS,
    LISTINGS,
    LOG,
    PREFIX,
    READ_LOG,
    STATE,
    VARIABLE,
)
from mlpipe_ci.tracing.discovery.platform import this_platform

MOST_NAMED = 20
NAMED = 3


@frozen
class Matches:
    """Results that fit, best first. `waits_for`: reasons why it is not known yet; `unusable`: why a
    result that fits cannot be used; `known`: all that were looked at.
    """

    fitting: tuple[Result, ...] = ()
    waits_for: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    known: tuple[Result, ...] = ()


@frozen(kw_only=False)
class ResultMatcher:
    """`lost`: an output of a result that cannot be brought back, or nothing; `origin`: how an
    input, as it was, came to be another, in words after its path; `left`: see `Checker.expect`;
    `files`: full paths of what the step of a result has read; `foreseen`: what a step is expected
    to write besides what it declares; None where that is not to be guessed.
    """

    discovery: Discovery
    workflow: Workflow
    declared: DeclaredOutputs
    lost: Callable[[Result], str]
    origin: Callable[[Input], str]
    left: Callable[[str], Left]
    files: Callable[[Result], Iterable[str]]
    foreseen: Callable[[Step], Collection[str]] | None = None

    def results(self, step: Step, known: tuple[Result, ...], written: Written) -> Matches:
        """Judge the results of a step's key. `written`: what earlier steps wrote in this run."""
        if any(one.discovered for one in known):
            self.discovery.checker.will_be_written(written, self.left)
        fitting: list[Result] = []
        waits: dict[str, None] = {}
        unusable: dict[str, None] = {}
        newest = sorted(known, key=lambda one: one.finished, reverse=True)
        for result in newest if any(one.discovered for one in known) else known:
            unknown = self._unknown(result, written)
            if unknown and self._may_fit(step, result, unknown):
                waits.update(dict.fromkeys(unknown.values()))
            elif not unknown and next(self._differing(step, result), None) is None:
                if lost := self.lost(result):
                    unusable[f"its stored result lacks {lost}"] = None
                else:
                    fitting.append(result)
        if fitting or waits:
            return Matches(fitting=tuple(fitting), waits_for=() if fitting else tuple(waits))
        return Matches(unusable=tuple(unusable), known=tuple(newest))

    def differing(
        self, step: Step, result: Result, declared: Container[str], written: Written
    ) -> tuple[str, ...]:
        """How what a step saw when a result was made differs from what is there now, in words.

        `declared`: paths that it declares to read now.
        """
        self.discovery.checker.will_be_written(written, self.left)
        pairs = [pair for pair in self._differing(step, result) if pair[0].path not in declared]
        # Only a step that runs pays for the words.
        from mlpipe_ci.tracing.discovery.difference_words import (  # noqa: PLC0415
            describe_difference,
        )

        return tuple(
            describe_difference(*pair) + (self._by(pair[0]) if number < NAMED else "")
            for number, pair in enumerate(sorted(pairs, key=_importance)[:MOST_NAMED])
        )

    def _by(self, item: Input) -> str:
        plain = not item.path.startswith(ELSEWHERE) and not item.path.endswith("/")
        return self.origin(item) if plain else ""

    def _differing(self, step: Step, result: Result) -> Iterator[tuple[Input, Input]]:
        """Each discovered input that is another now, with what it is."""
        outputs = tuple(output.path for output in result.outputs)
        ours = outputs + tuple(one.path for one in result.discovered if one.digest == LOG)
        names = ""
        for item in result.discovered:
            if item.path == VARIABLE:
                names = item.digest
                continue
            if item.digest == LOG and item.path not in outputs:
                if self.discovery.readers.has_other(item.path, self.workflow.index_by_id[step.id]):
                    yield item, Input(path=item.path, digest=READ_LOG)
                continue
            try:
                now = self._current(item, step, ours)
            except PathError:
                now = Input(path=item.path, digest=ABSENT)
            if now != item:
                yield item, now
        if names:  # last: a text that is read to see what it names is the one that was read
            yield from self.discovery.variables.new(step, names, lambda: self.files(result))

    def _current(self, item: Input, step: Step, ours: tuple[str, ...]) -> Input:
        if item.path == PLATFORM:
            return item if step.portable else this_platform()
        if item.path.startswith(PLACE):
            return item  # it counts where a step that runs reads the output
        if item.path.startswith(VARIABLE):
            return self.discovery.variables.current(item, step)
        return self.discovery.checker.current(item, self.workflow.index_by_id[step.id], ours)

    def _may_fit(self, step: Step, result: Result, unknown: Container[str]) -> bool:
        """False if a result does not fit, whatever becomes of what is not known yet."""
        if self.foreseen is None:
            return True
        pairs = self._differing(step, result)
        return all(
            before.path in unknown or before.path.startswith(ELSEWHERE) for before, _ in pairs
        )

    def _unknown(self, result: Result, written: Written) -> dict[str, str]:
        """Paths that an earlier step will write, each with the words for that."""
        if not result.discovered or not self.discovery.checker.waits:
            return {}
        found: dict[str, str] = {}
        keepers = self.discovery.checker.known_state.keepers
        for item in result.discovered:
            if item.digest.startswith(STATE) and keepers is not None:
                for index, other in enumerate(self.workflow.steps):
                    if written.get(other.id, ()) is None and keepers.may_write(item.path, index):
                        found[item.path] = f"reads the state of {other.name}"
                continue
            for write in self.declared.overlapping(item.path.removeprefix("./")):
                other = self.workflow.steps[write.step]
                inside = item.digest.startswith(LISTINGS) or is_under(item.path, write.path)
                if written.get(other.id, ()) is None and inside:
                    found[item.path] = f"reads what {other.name} writes"
        return found | self._foreseen(result, written)

    def _foreseen(self, result: Result, written: Written) -> dict[str, str]:
        """What was read and an earlier step will write again, if it does what it did last time."""
        if self.foreseen is None:
            return {}
        read = {item.path for item in result.discovered if not item.digest.startswith(LISTINGS)}
        found: dict[str, str] = {}
        for id_ in (one for one, outputs in written.items() if outputs is None):
            other = self.workflow.steps[self.workflow.index_by_id[id_]]
            again = read.intersection(self.foreseen(other))
            found |= {path: f"reads {path}, which {other.name} wrote last time" for path in again}
        return dict(sorted(found.items()))


def _importance(pair: tuple[Input, Input]) -> int:
    """Contents first, then what came or went, then installed versions."""
    before = pair[0]
    if before.path.startswith(PREFIX):
        return 3
    if before.digest.startswith((*LISTINGS, EXISTS)) or before.digest == ABSENT:
        return 2
    return 1 if before.path.startswith(VARIABLE) else 0
