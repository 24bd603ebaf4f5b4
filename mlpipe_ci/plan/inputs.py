"""Finds what a step's input patterns mean: files on the disk, and what earlier steps will write."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from mlpipe_ci.cache.outputs import has_links, is_right
from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.directory_listing import is_listing
from mlpipe_ci.core.errors import MissingInputError
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob, is_under
from mlpipe_ci.core.patterns import matches, may_match
from mlpipe_ci.core.plan import Written
from mlpipe_ci.core.result import Output, undeclared
from mlpipe_ci.core.workflow import ExternalInput, Step, Workflow, externals_of
from mlpipe_ci.repo.digest_cache import DigestCache
from mlpipe_ci.repo.work_tree import WorkTree
from mlpipe_ci.sources.sources import Sources


class UndeclaredOutputs:
    """Collects them from what steps wrote; what was looked at is not looked at again."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._last: Written = {}
        self._count = 0
        self._found: list[Output] = []

    def of(self, written: Written) -> list[Output]:
        """Those of all steps. `written`: as last time, with more at its end, or another."""
        if written is not self._last:
            self._found, self._count, self._last = [], 0, written
        for id_ in islice(written, self._count, None):
            step = self._workflow.steps[self._workflow.index_by_id[id_]]
            self._found += undeclared(step, written[id_] or ())
        self._count = len(written)
        return self._found


@frozen
class InputResolver:
    """Knows the work tree, and who declares to write what. `unseen`: what a step does not find when
    it runs; of a directory with its `/`, whether there is any such in it. `foreseen`: what a step
    that says nothing is expected to write; None if that is not known.
    """

    root: Path
    workflow: Workflow
    tree: WorkTree
    declared: DeclaredOutputs
    digest_cache: DigestCache
    sources: Sources | None = None
    unseen: Callable[[str, Step], bool] = lambda _path, _step: False
    foreseen: Callable[[Step], Collection[str] | None] = lambda _step: None

    def meant(self, pattern: str) -> tuple[ExternalInput, ...]:
        """Data from outside that a pattern may mean."""
        return externals_of(self.workflow, [pattern]) if self.sources else ()

    @cached_property
    def unforeseen(self) -> UndeclaredOutputs:
        """What steps of this run wrote that they do not declare."""
        return UndeclaredOutputs(self.workflow)

    @cached_property
    def undeclared(self) -> tuple[Step, ...]:
        """Steps that say neither what they read nor what they write."""
        return tuple(step for step in self.workflow.steps if step.declares_nothing)

    def resolve(self, step: Step, written: Written) -> tuple[tuple[Input, ...], tuple[str, ...]]:
        """The step's inputs as far as they are known, and what it waits for to know the rest.

        `written`: what the earlier steps of this run wrote or will write. Raises MissingInputError,
        PathError, SourceError.
        """
        found: dict[str, Input] = {}
        waits = dict.fromkeys(self._unknown_writers(step, written))
        excludes = [pattern[1:] for pattern in step.reads if pattern.startswith("!")]
        for pattern in step.reads:
            if pattern.startswith("!"):
                continue
            writers = [
                self.workflow.steps[write.step]
                for write in self.declared.matching(pattern)
                if write.step < self.workflow.index_by_id[step.id]
                and not is_excluded(write.path, excludes)
            ]
            unknown = [s for s in writers if s.id in written and written[s.id] is None]
            waits.update(dict.fromkeys(f"reads what {other.name} writes" for other in unknown))
            linked = [other for other in writers if has_links(written.get(other.id))]
            away = [other for other in linked if not self._is_here(written[other.id])]
            waits.update(dict.fromkeys(f"reads through links of {other.name}" for other in away))
            known = _without_steps(written, linked) if linked else written
            present = [] if away else self._present(pattern, step, writers, known)
            if not present and not waits:  # one of these may write more than last time
                waits.update(dict.fromkeys(map(_silent, self._silent_writers(written))))
            if not present and not waits and not self._is_empty(pattern, writers, known):
                raise MissingInputError(self._missing(step, pattern, writers))
            found.update((item.path, item) for item in present)
        return self.tree.grouped(self._without(excludes, found)), tuple(waits)

    def _without(self, excludes: list[str], found: dict[str, Input]) -> list[Input]:
        """Without what is excluded; a listing is opened where only a part of it counts."""
        if any(is_listing(item) for item in found.values()):
            paths = {path.rpartition("/")[0] for path in found if not path.endswith("/")}
            for item in [item for item in found.values() if is_listing(item)]:
                here = item.path.removeprefix("./").rstrip("/") in paths
                if here or any(may_match(exclude, item.path) for exclude in excludes):
                    del found[item.path]
                    files = self.tree.opened(item)
                    found.update((one.path, found.get(one.path, one)) for one in files)
        kept = found.values()
        if not excludes:
            return list(kept)
        return [i for i in kept if not any(matches(exclude, i.path) for exclude in excludes)]

    def _silent_writers(self, written: Written) -> Iterator[Step]:
        return (s for s in self.undeclared if s.id in written and written[s.id] is None)

    def _unknown_writers(self, step: Step, written: Written) -> Iterator[str]:
        """Earlier steps that will run and say nothing about what they write: it may be anything,
        or what it was last time.
        """
        for other in self._silent_writers(written):
            paths = self.foreseen(other)
            if paths is None:
                yield _silent(other)
                continue
            named = (one for one in step.reads if not one.startswith("!"))
            read = (path for one in named for path in sorted(paths) if matches(one, path))
            yield from (f"reads {path}, which {other.name} wrote last time" for path in read)

    def _present(
        self, pattern: str, step: Step, writers: list[Step], written: Written
    ) -> list[Input]:
        """What a pattern means: files of the work tree, and what earlier steps wrote or will."""
        outside = self.meant(pattern)
        own = not is_glob(pattern) and any(is_under(pattern, one.path) for one in outside)
        if own or (not is_glob(pattern) and self._is_written(pattern, written)):
            files: tuple[Input, ...] = ()  # all that it means was written in this run
        else:
            files = tuple(self._seen(self.tree.inputs(pattern, step.name), pattern, step))
        kept = [
            file
            for file in files
            if not self._is_written(file.path, written) and not self.tree.is_hidden(file.path)
        ]
        known = [output for other in writers for output in written.get(other.id) or ()]
        known += self.unforeseen.of(written)
        present = {_as_input(o) for o in known if matches(pattern, o.path) and o.digest}
        if outside and self.sources:
            kept = [f for f in kept if not any(is_under(f.path, one.path) for one in outside)]
            present |= {i.input for one in outside for i in self.sources.meant(one, pattern)}
        there = {one.path for one in present}
        return [one for one in kept if one.path not in there] + list(present)

    def _seen(self, files: Iterable[Input], pattern: str, step: Step) -> Iterator[Input]:
        """Those that the step finds when it runs, and what a pattern names by itself."""
        for item in files:
            if item.path == pattern or not self.unseen(item.path, step):
                yield item
            elif is_listing(item):
                yield from (
                    one for one in self.tree.opened(item) if not self.unseen(one.path, step)
                )

    def _is_written(self, path: str, written: Written) -> bool:
        """True if this run's results, not the disk, define the path."""
        return any(
            self.workflow.steps[w.step].id in written for w in self.declared.containing(path)
        )

    def _is_empty(self, pattern: str, writers: list[Step], written: Written) -> bool:
        """True for a directory that is there, or will be, with nothing in it."""
        known = (output for other in writers for output in written.get(other.id) or ())
        if any(output.kind == "directory" and matches(pattern, output.path) for output in known):
            return True
        return not is_glob(pattern) and self.tree.is_directory(pattern)

    def _is_here(self, outputs: tuple[Output, ...] | None) -> bool:
        digest = self.digest_cache.digest
        return all(is_right(self.root, output, digest) for output in outputs or ())

    def _missing(self, step: Step, pattern: str, writers: list[Step]) -> str:
        what = f"no file matches '{pattern}'" if is_glob(pattern) else f"'{pattern}' is missing"
        where = f"{self.workflow.file}:{step.line}: step '{step.name}': input {what}"
        if why := self.tree.why_absent(pattern):
            return f"{where}: {why}"
        if writers:
            return f"{where}; step '{writers[0].name}' writes it, but was skipped or has failed"
        return (
            f"{where}, and no earlier step declares to write it; add a step before this one that "
            "generates or downloads it, or correct the path"
        )


def _silent(other: Step) -> str:
    return f"runs after {other.name}, which does not say what it writes"


def _without_steps(written: Written, steps: list[Step]) -> Written:
    left_out = {step.id for step in steps}
    return {id_: outputs for id_, outputs in written.items() if id_ not in left_out}


def is_excluded(output: str, excludes: list[str]) -> bool:
    """True if nothing at a declared output can count."""
    return any(matches(exclude, output.rstrip("/")) for exclude in excludes)


def _as_input(output: Output) -> Input:
    return Input(path=output.path, digest=output.digest, executable=output.executable)
