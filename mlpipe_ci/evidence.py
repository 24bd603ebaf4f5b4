"""Gathers what is known about a step: from the work tree, the cache, and the state."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlpipe_ci.cache.outputs import has_links, is_right
from mlpipe_ci.cache.state import State
from mlpipe_ci.cache.store import Store
from mlpipe_ci.decide import Evidence, Facts, Written
from mlpipe_ci.discovery.checking import Checker
from mlpipe_ci.discovery.judging import Judge, Judged
from mlpipe_ci.endings import metrics_now
from mlpipe_ci.errors import MissingInputError
from mlpipe_ci.files import Tree
from mlpipe_ci.frozen import frozen
from mlpipe_ci.keys import Input, KeyParts, changed_inputs, differences, key_parts, step_key
from mlpipe_ci.listings import is_listing, opened
from mlpipe_ci.paths import is_glob
from mlpipe_ci.patterns import matches, may_match
from mlpipe_ci.result import Output, Result
from mlpipe_ci.run import Change
from mlpipe_ci.touched import in_words, is_meant
from mlpipe_ci.workflow import Step, Workflow
from mlpipe_ci.writers import Writers

NAMED = 3
"""Changed inputs of a step whose commit is named in its reason."""


@frozen
class Gatherer:
    """The witness of plan and run. `github` is the context of `if` expressions; `now` in seconds
    since 1970; `store` None: no cache can be used; `changed`: paths between base and head;
    `forced`: ids of steps that run whatever is known; `chosen`: of those that count (None: all);
    `watching`: why steps cannot be watched here, empty if they can; `checker`: what discovered
    inputs are now; `author`: which commit changed a path, in words that follow the path's.
    """

    root: Path
    workflow: Workflow
    tree: Tree
    store: Store | None
    state: State
    checker: Checker
    scopes: tuple[str, ...]
    github: Mapping[str, Any]
    now: float
    changed: tuple[Change, ...] = ()
    forced: frozenset[str] = frozenset()
    chosen: frozenset[str] | None = None
    watching: str = ""
    author: Callable[[str], str] = lambda _path: ""

    @cached_property
    def writers(self) -> Writers:
        """Who declares to write what."""
        return Writers(self.workflow.steps)

    @cached_property
    def undeclared(self) -> tuple[Step, ...]:
        """Steps that say neither what they read nor what they write."""
        return tuple(step for step in self.workflow.steps if step.undeclared)

    def look(self, step: Step, written: Written, facts: Facts, failed: tuple[str, ...]) -> Evidence:
        """Say all that is known about the step now. Raises MissingInputError, PathError."""
        if self.chosen is not None and step.id not in self.chosen:
            return Evidence(condition=False, left_out=True)
        value, waits_for = self._condition(step, written, facts, failed)
        if waits_for:
            return Evidence(condition=None, waits_for=waits_for)
        if not value:
            return Evidence(condition=False, blocked_by=failed)
        inputs, waits_for = self._inputs(step, written)
        parts = key_parts(step, inputs)
        key = step_key(parts)
        judged = self._judged(step, key, written, waits_for)
        results, waits_for = judged.fitting, judged.waits_for
        # What follows only explains why the step runs; a forced one is never asked.
        previous, now = (None, None) if results else self.compared(step, parts)
        changes = () if results else self._changes(step)
        return Evidence(
            waits_for=waits_for,
            parts=None if waits_for else parts,
            key=None if waits_for else key,
            results=results,
            unusable=judged.unusable,
            discovered=judged.differing,
            unwatched=self._unwatched(step),
            unstored=self.state.traced(self.workflow.file, step.id).unstored,
            previous=previous,
            opened=now,
            forced=step.id in self.forced,
            failed_before=not results and self.state.failed(self.workflow.file, step.id, key),
            changed=tuple(in_words(change) for change in changes),
            commits=() if results or waits_for else self._commits(changes, previous, now),
            notes=self._notes(step),
            now=self.now,
        )

    def inputs(self, step: Step) -> tuple[Input, ...]:
        """The step's inputs as they are on the disk now; to be compared with those before."""
        return self._inputs(step, {})[0]

    def compared(
        self, step: Step, parts: KeyParts | None
    ) -> tuple[KeyParts | None, KeyParts | None]:
        """Parts of the last success here and of now, with the files of listings that differ."""
        previous = self.state.previous(self.workflow.file, step.id)
        if previous is None or parts is None:
            return previous, parts
        old, new = opened(previous.inputs, parts.inputs, self.state.listing, self.tree.listing)
        return replace(previous, inputs=old), replace(parts, inputs=new)

    def _condition(
        self, step: Step, written: Written, facts: Facts, failed: tuple[str, ...]
    ) -> tuple[bool, tuple[str, ...]]:
        if step.condition is None:
            return not failed, ()
        # The parser of expressions takes 0.05 s to import: only an `if` pays for it.
        from mlpipe_ci import conditions  # noqa: PLC0415

        around = conditions.Surroundings(
            workflow=self.workflow, github=self.github, facts=facts, hash_files=self.tree.hash_files
        )
        found = conditions.look(step, around, written, failed)
        return found.value, found.waits_for

    def nearest(self, step: Step, parts: KeyParts | None) -> Result | None:
        """The stored result of the step that differs least from this; of those the newest."""
        if self.store is None or parts is None:
            return None
        known = [one for one in self.store.of_step(step.name, self.scopes) if one.parts]
        return min(known, key=lambda one: len(differences(one.parts, parts)), default=None)  # type: ignore[arg-type]

    def newest(self, key: str | None) -> Result | None:
        """The newest stored result of a key, whether it fits or not."""
        known = self.store.results(key, self.scopes) if self.store and key else ()
        return max(known, key=lambda one: one.finished, default=None)

    def _inputs(self, step: Step, written: Written) -> tuple[tuple[Input, ...], tuple[str, ...]]:
        """The step's inputs as far as they are known, and what it waits for to know the rest."""
        found: dict[str, Input] = {}
        waits = dict.fromkeys(self._unknown_writers(written))
        excludes = [pattern[1:] for pattern in step.reads if pattern.startswith("!")]
        for pattern in step.reads:
            if pattern.startswith("!"):
                continue
            writers = [
                self.workflow.steps[write.step]
                for write in self.writers.meant_by(pattern)
                if write.step < self.workflow.places[step.id]
                and not is_excluded(write.path, excludes)
            ]
            unknown = [s for s in writers if s.id in written and written[s.id] is None]
            waits.update(dict.fromkeys(f"reads what {other.name} writes" for other in unknown))
            linked = [other for other in writers if has_links(written.get(other.id))]
            away = [other for other in linked if not self._is_here(written[other.id])]
            waits.update(dict.fromkeys(f"reads through links of {other.name}" for other in away))
            told = {id_: w for id_, w in written.items() if id_ not in {o.id for o in linked}}
            present = [] if away else self._present(pattern, step, writers, told)
            if not present and not waits and not self._is_empty(pattern, writers, told):
                raise MissingInputError(self._missing(step, pattern, writers))
            found.update((item.path, item) for item in present)
        return self.tree.grouped(self._without(excludes, found)), tuple(waits)

    def _without(self, excludes: list[str], found: dict[str, Input]) -> list[Input]:
        """Without what is excluded; a listing is opened where only a part of it counts."""
        if any(is_listing(item) for item in found.values()):
            places = {path.rpartition("/")[0] for path in found if not path.endswith("/")}
            for item in [item for item in found.values() if is_listing(item)]:
                here = item.path.removeprefix("./").rstrip("/") in places
                if here or any(may_match(exclude, item.path) for exclude in excludes):
                    del found[item.path]
                    files = self.tree.opened(item)
                    found.update((one.path, found.get(one.path, one)) for one in files)
        kept = found.values()
        if not excludes:
            return list(kept)
        return [i for i in kept if not any(matches(exclude, i.path) for exclude in excludes)]

    def _unknown_writers(self, written: Written) -> list[str]:
        """Earlier steps that will run and say nothing about what they write: it may be anything."""
        unknown = (s for s in self.undeclared if s.id in written and written[s.id] is None)
        return [f"runs after {other.name}, which does not say what it writes" for other in unknown]

    def _present(
        self, pattern: str, step: Step, writers: list[Step], written: Written
    ) -> list[Input]:
        """What a pattern means: files of the work tree, and what earlier steps wrote or will."""
        if not is_glob(pattern) and self._is_written(pattern, written):
            files: tuple[Input, ...] = ()  # all that it means was written in this run
        else:
            files = self.tree.inputs(pattern, step.name)
        kept = [file for file in files if not self._is_written(file.path, written)]
        known = [output for other in writers for output in written.get(other.id) or ()]
        known += [o for other in self.undeclared for o in written.get(other.id) or ()]
        present = {_as_input(o) for o in known if matches(pattern, o.path) and o.digest}
        there = {one.path for one in present}
        return [one for one in kept if one.path not in there] + list(present)

    def _is_written(self, path: str, written: Written) -> bool:
        """True if a step of this run has the word about this path, and not the disk."""
        return any(self.workflow.steps[w.step].id in written for w in self.writers.holding(path))

    def _is_empty(self, pattern: str, writers: list[Step], written: Written) -> bool:
        """True for a directory that is there, or will be, with nothing in it."""
        known = (output for other in writers for output in written.get(other.id) or ())
        if any(output.kind == "directory" and matches(pattern, output.path) for output in known):
            return True
        return not is_glob(pattern) and self.tree.is_directory(pattern)

    def _is_here(self, outputs: tuple[Output, ...] | None) -> bool:
        digest = self.state.memo.digest
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

    def _unwatched(self, step: Step) -> str:
        """Why nothing tells what a step reads that does not declare it."""
        if step.inputs:
            return ""
        if self.workflow.tracing_of(step) == "off":
            return "declares no inputs, and tracing is off, so it runs each time"
        if self.watching:
            return f"declares no inputs, and {self.watching}, so it runs each time"
        return ""

    def _judged(self, step: Step, key: str, written: Written, waits_for: tuple[str, ...]) -> Judged:
        """The stored results of a key, held against what is there now."""
        nothing = Judged(waits_for=waits_for)
        if self.store is None or step.cache is False or self._unwatched(step):
            return nothing
        if waits_for and step.reads:
            return nothing
        known = self.store.results(key, self.scopes)
        if waits_for:  # by steps that may write anything, for one that may read anything
            return nothing if known else Judged()
        judge = Judge(self.checker, self.workflow, self.writers, self._lost, self.author)
        found = judge.results(step, known, written)
        if found.fitting and step.metrics and not found.fitting[0].metrics:
            first = metrics_now(step, found.fitting[0], self.store)
            return replace(found, fitting=(first, *found.fitting[1:]))
        return found

    def _lost(self, result: Result) -> str:
        """An output that cannot be brought back; empty if all can."""
        lost = (output.path for output in result.outputs if not self._has(output))
        return next(lost, "")

    def _has(self, output: Output) -> bool:
        if self.store is not None and self.store.holds(output):
            return True
        return is_right(self.root, output, self.state.memo.digest)

    def _changes(self, step: Step) -> tuple[Change, ...]:
        """The changed paths that the step reads."""
        wanted = [p for p in step.reads if not p.startswith("!")]
        excluded = [p[1:] for p in step.reads if p.startswith("!")]
        return tuple(
            change
            for change in self.changed
            if any(is_meant(p, change) for p in wanted)
            and not any(matches(p, change.path) for p in excluded)
        )

    def _commits(
        self, changes: tuple[Change, ...], previous: KeyParts | None, now: KeyParts | None
    ) -> tuple[str, ...]:
        """Words for the commits that changed the first few of the paths that a reason names."""
        paths = changed_inputs(previous, now) if previous and now else [c.path for c in changes]
        return tuple(self.author(path) for path in paths[:NAMED])

    def _notes(self, step: Step) -> tuple[str, ...]:
        notes = ["its gates are not held against the metrics yet"] if step.gates else []
        notes += [
            f"its output {path} is tracked by git, so each run changes a tracked file"
            for path in step.writes
            if self.tree.tracked(path)
        ]
        for pattern in step.reads:
            left_out = self.tree.left_out(pattern)
            if left_out:
                some = ", ".join(left_out[:2]) + (", …" if len(left_out) > 2 else "")  # noqa: PLR2004
                notes.append(
                    f"input {pattern} does not count what git ignores in it ({some}); name that "
                    "by a pattern with * if the step reads it"
                )
        return tuple(notes)


def is_excluded(output: str, excludes: list[str]) -> bool:
    """True if nothing at a declared output can count."""
    return any(matches(exclude, output.rstrip("/")) for exclude in excludes)


def _as_input(output: Output) -> Input:
    return Input(path=output.path, digest=output.digest, executable=output.executable)
