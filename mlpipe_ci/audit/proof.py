"""Holds one result against a commit: each input is a blob of that, or a verified output."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from mlpipe_ci.core.cache_key import OUTSIDE, Input, KeyParts, differences, key_parts, step_key
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.directory_listing import grouped, is_listing
from mlpipe_ci.core.errors import GitError, PathError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.place import PLACE
from mlpipe_ci.core.platform import PLATFORM, shown_platform
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.verification import Unverified
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.repo.commit_tree import CommitTree
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    ELSEWHERE,
    IGNORED,
    KEEPS,
    LISTINGS,
    LOG,
    MODULES,
    PREFIX,
    PROGRAM,
    STATE,
    VARIABLE,
    shown_path,
)

OF_GIT = ("git:", "commit:")
"""What the digest of a file begins with that git does not ignore."""
IGNORED_BY_GIT = "git does not have it"


class ContradictionError(Exception):
    """A result cannot be of this commit; the message says why."""


@frozen
class Judged:
    """A result that may be of the commit. See `StepProof`."""

    result: Result
    blobs: int
    outputs: int
    unverified: tuple[Unverified, ...]


@frozen
class Judge:
    """`written`: what verified results of earlier steps left, by the ids of these; `missing`: ids
    of steps of which no result fits.
    """

    workflow: Workflow
    tree: CommitTree
    checker: InputChecker
    declared: DeclaredOutputs
    written: Mapping[str, tuple[Output, ...] | None]
    missing: AbstractSet[str]

    def judge(self, step: Step, result: Result) -> Judged:
        """Raises ContradictionError, and PathError or GitError where git cannot say."""
        parts = result.parts
        if parts is None or step_key(parts) != result.key:
            raise ContradictionError("its key does not follow from what it says it was made from")
        expected = self.expected(step)
        self._same_work(step, parts)
        found = [*self._declared(parts, expected), *self._discovered(step, result)]
        return Judged(
            result=result,
            blobs=found.count(None),
            outputs=found.count(True),
            unverified=tuple(sorted({one for one in found if isinstance(one, Unverified)})),
        )

    def expected(self, step: Step) -> dict[str, Input]:
        """The declared inputs that the commit and verified results have. Raises PathError."""
        found: dict[str, Input] = {}
        patterns = [pattern for pattern in step.reads if not pattern.startswith("!")]
        excluded = [pattern[1:] for pattern in step.reads if pattern.startswith("!")]
        for pattern in patterns:
            for item in self.tree.inputs(pattern, step.name):
                if not self._is_written(item.path):
                    found[item.path] = item
            for output in self._outputs():
                if matches(pattern, output.path) and output.digest:
                    found[output.path] = _as_input(output)
        return {
            path: item
            for path, item in found.items()
            if not any(matches(one, path) for one in excluded)
        }

    def _outputs(self) -> Iterator[Output]:
        for outputs in self.written.values():
            yield from outputs or ()

    def _is_written(self, path: str) -> bool:
        writers = (self.workflow.steps[one.step].id for one in self.declared.containing(path))
        return any(id_ in self.written for id_ in writers)

    def _same_work(self, step: Step, parts: KeyParts) -> None:
        now = key_parts(step, parts.inputs)
        if now != parts:
            raise ContradictionError(", ".join(differences(parts, now)) or "it is other work")

    def _declared(
        self, parts: KeyParts, expected: dict[str, Input]
    ) -> Iterator[Unverified | bool | None]:
        """For each input: None if it is a blob of the commit, True if it is a verified output."""
        outputs = {output.path for output in self._outputs()}
        together = {item.path: item for item in grouped(expected.values())[0] if is_listing(item)}
        listed = set()
        for item in parts.inputs:
            if is_listing(item):
                listed.add(item.path.removeprefix("./").rstrip("/"))
                yield self._listing(item, together.get(item.path))
            elif item.path in expected:
                if expected[item.path] != item:
                    raise ContradictionError(f"{item.path} is another one at this commit")
                yield True if item.path in outputs else None
            elif item.path in outputs or self.tree.tracked(item.path):
                raise ContradictionError(f"{item.path} is no input of it at this commit")
            else:
                yield self._elsewhere(item)
        for path in expected.keys() - {item.path for item in parts.inputs}:
            if path.rpartition("/")[0] not in listed:
                raise ContradictionError(f"it was made without {path}, which this commit has")

    def _elsewhere(self, item: Input) -> Unverified:
        """An input that neither the commit nor a verified result has."""
        for write in self.declared.containing(item.path):
            other = self.workflow.steps[write.step]
            if other.id in self.missing:
                raise ContradictionError(f"it reads {item.path}, and {other.name} has no result")
            return Unverified(path=item.path, why=f"{other.name} writes it, and leaves no result")
        for parent in above(item.path):
            if self.tree.tracked(parent):
                return Unverified(path=item.path, why=f"of the submodule {parent}")
        if item.digest.startswith(OF_GIT):
            raise ContradictionError(f"it was made from {item.path}, which is not at this commit")
        return Unverified(path=item.path, why=_why(item))

    def _listing(self, item: Input, now: Input | None) -> Unverified | None:
        if now == item:
            return None
        if now is not None and _number(now) >= _number(item):
            raise ContradictionError(f"files in {item.path} are others at this commit")
        return Unverified(path=item.path, why=f"{IGNORED_BY_GIT}, or not all of it")

    def _discovered(self, step: Step, result: Result) -> Iterator[Unverified | bool | None]:
        index = self.workflow.index_by_id[step.id]
        ours = tuple(output.path for output in result.outputs)
        for item in result.discovered:
            nothing = item.digest in {LOG, KEEPS} or item.digest.startswith(IGNORED)
            if nothing or item.path == VARIABLE or item.path.startswith(PLACE):
                continue
            if item.digest.startswith(STATE):
                yield Unverified(path=item.path, why="the state of another step")
                continue
            if not _is_in_repository(item):
                yield Unverified(path=_name(item), why=_why(item), is_data=False)
                continue
            try:
                now = self.checker.current(item, index, ours)
            except PathError:
                now = Input(path=item.path, digest=ABSENT)
            made_before = self.checker.is_made_before(item.path.rstrip("/"), index)
            yield True if now == item and made_before else self._compared(item, now)

    def _compared(self, item: Input, now: Input) -> Unverified | None:
        """A discovered input that is not what the commit has may be what git ignores."""
        if now == item:
            return None
        if item.digest.startswith(LISTINGS):
            if _names(now) - _names(item) and ":" not in item.digest.partition(":")[2]:
                new = min(_names(now) - _names(item))
                raise ContradictionError(f"{item.path}{new} was not there when it was made")
            return Unverified(path=item.path, why=f"{IGNORED_BY_GIT}, or not all of it")
        if now.digest == ABSENT:
            return self._elsewhere(item)
        raise ContradictionError(f"{item.path} is another one at this commit")


def _as_input(output: Output) -> Input:
    return Input(path=output.path, digest=output.digest, executable=output.executable)


def _is_in_repository(item: Input) -> bool:
    return not item.path.startswith(ELSEWHERE)


def _name(item: Input) -> str:
    if item.path == PLATFORM:
        return shown_platform(item.digest)
    for mark, sign in ((VARIABLE, "$"), (PROGRAM, ""), (PREFIX, "")):
        if item.path.startswith(mark):
            return sign + item.path.removeprefix(mark)
    return shown_path(item.path)


def _why(item: Input) -> str:
    kinds = (
        (VARIABLE, "a variable of the environment"),
        (PROGRAM, "a program"),
        (PREFIX, "an installed package or Python"),
        (PLATFORM, "the platform"),
        ("/", "outside of the repository"),
    )
    for mark, why in kinds:
        if item.path.startswith(mark):
            return why
    return "data from a source" if item.digest.startswith(OUTSIDE) else IGNORED_BY_GIT


def _names(item: Input) -> set[str]:
    text = item.digest.partition(":")[2]
    if item.digest.startswith(MODULES):
        text = text.rpartition("|")[0]
    return set(text.split("/")) - {""}


def _number(item: Input) -> int:
    """How many files a listing has."""
    return int(item.digest.split(":")[1])


FAULTS = (ContradictionError, PathError, GitError)
