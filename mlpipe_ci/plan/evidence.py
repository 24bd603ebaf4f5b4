"""Collects what is known about a step: from the work tree, the cache, and the state."""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property, partial

from mlpipe_ci.cache.cache import Cache
from mlpipe_ci.cache.left_record import LeftRecord
from mlpipe_ci.cache.outputs import digest_at, is_right
from mlpipe_ci.core.cache_key import (
    Input,
    KeyParts,
    changed_inputs,
    differences,
    key_parts,
    step_key,
)
from mlpipe_ci.core.changes import Change, affects
from mlpipe_ci.core.declared_outputs import DeclaredOutputs
from mlpipe_ci.core.directory_listing import opened
from mlpipe_ci.core.errors import SourceError
from mlpipe_ci.core.event import Event
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.lineage import CONTENTS
from mlpipe_ci.core.paths import is_under, some
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import EACH_TIME, StepFacts, Written
from mlpipe_ci.core.result import Output, Result, undeclared
from mlpipe_ci.core.state_paths import is_state
from mlpipe_ci.core.step_environment import environment_of_steps, missing_secrets
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.metrics.cached import metrics_now
from mlpipe_ci.plan.decide import Evidence
from mlpipe_ci.plan.earlier import Compared, Earlier, EarlierRuns
from mlpipe_ci.plan.inputs import InputResolver
from mlpipe_ci.plan.kept_state import KeptState
from mlpipe_ci.plan.origin import InputOrigin
from mlpipe_ci.repo.repo import Repo
from mlpipe_ci.sources.external_data import ExternalData
from mlpipe_ci.tracing.discovery.check import Left
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.match import Matches, ResultMatcher
from mlpipe_ci.tracing.discovery.named_in_texts import TextSearch
from mlpipe_ci.tracing.discovery.platform import this_platform


@frozen
class Selection:
    """Which steps the user asked for. `chosen`: ids of those that count, None: all. `forced`: of
    those that run whatever is known.
    """

    chosen: frozenset[str] | None = None
    forced: frozenset[str] = frozenset()

    def has(self, step: str) -> bool:
        """True if the step of this id counts."""
        return self.chosen is None or step in self.chosen


ALL_STEPS = Selection()


@frozen
class EvidenceCollector:
    """Collects the evidence for plan and run."""

    event: Event
    """What started the run; `github` in an `if`."""
    workflow: Workflow
    repo: Repo
    """The work tree with its digests, and what changed."""
    cache: Cache
    """Stored results, and what is remembered of earlier runs here."""
    data: ExternalData
    """Data that git does not have."""
    discovery: Discovery
    """Compares discovered inputs with what is there now."""
    now: float
    """Seconds since 1970."""
    record: LeftRecord = field(default_factory=LeftRecord)
    """What steps left in this work tree."""
    selection: Selection = ALL_STEPS
    """The steps that the user asked for."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The environment that mlpipe was started with."""
    foresees: bool = False
    """A step that says nothing about what it writes is taken to write what it did last time: for a
    plan that only says what a run would do.
    """
    metrics_only: bool = False
    """Only the metrics of results are wanted: no output need be there."""

    @cached_property
    def declared(self) -> DeclaredOutputs:
        """Who declares to write what."""
        return DeclaredOutputs(self.workflow.steps)

    @cached_property
    def resolver(self) -> InputResolver:
        """What finds the inputs of steps."""
        return InputResolver(
            root=self.repo.root,
            workflow=self.workflow,
            tree=self.repo.tree,
            declared=self.declared,
            digest_cache=self.cache.state.digest_cache,
            sources=self.data.sources,
            unseen=self._unseen,
            foreseen=self._foreseen,
        )

    def collect(
        self, step: Step, written: Written, facts: StepFacts, failed: tuple[str, ...]
    ) -> Evidence:
        """Say all that is known about the step now. Raises MissingInputError, PathError."""
        if not self.selection.has(step.id):
            return Evidence(condition=False, left_out=True)
        value, waits_for = self._condition(step, written, facts, failed)
        if waits_for:
            return Evidence(condition=None, waits_for=waits_for, lacks=self._lacks(step))
        if not value:
            return Evidence(condition=False, blocked_by=failed)
        try:
            inputs, waits_for = self.resolver.resolve(step, written)
        except SourceError as error:
            return Evidence(unreachable=str(error), forced=step.id in self.selection.forced)
        parts = key_parts(step, inputs)
        key = step_key(parts)
        matches = self._matching_results(step, key, inputs, written, waits_for)
        results, waits_for = matches.fitting, matches.waits_for
        forced = step.id in self.selection.forced
        known = results or waits_for or forced or step.cache is False or self.metrics_only
        changed, since = ((), "") if known else self._changed(step, parts, written, matches)
        return Evidence(
            waits_for=waits_for,
            parts=None if waits_for else parts,
            key=None if waits_for else key,
            results=results,
            unusable=matches.unusable,
            unwatched=self._unwatched(step),
            unstored=self.cache.state.last_trace(self.workflow.file, step.id).unstored,
            forced=forced,
            failed_before=not known and bool(self.cache.state.failed(self.workflow.file, step.id)),
            changed=changed,
            since=since,
            notes=self._notes(step, reused=bool(results)),
            lacks=self._lacks(step),
            now=self.now,
            platform=this_platform().digest,
        )

    def inputs(self, step: Step) -> tuple[Input, ...]:
        """The step's inputs as they are on the disk now; to be compared with those before."""
        return self.resolver.resolve(step, {})[0]

    def _changed(
        self, step: Step, parts: KeyParts, written: Written, matches: Matches
    ) -> tuple[tuple[str, ...], str]:
        """What changed that a step runs, and since when."""
        if matches.unusable:
            return (), ""
        if compared := self.compared(step, parts, written, matches.known):
            return compared.words, compared.since
        base = self.repo.comparison.base
        changes = self._origin.of_changes(self._changes(step))
        return changes, f"since {base[:7]}" if base else ""

    def compared(
        self, step: Step, parts: KeyParts, written: Written, known: tuple[Result, ...]
    ) -> Compared | None:
        """How a step differs from the run that it is compared with; None if there is none.

        `written`: what earlier steps wrote in this run; `known`: results under its key.
        """
        last: Compared | None = None
        for earlier in self._earlier.of(step, parts, known):
            last = self._difference(step, earlier, parts, written)
            if last.words:
                break
        return last

    def _difference(
        self, step: Step, earlier: Earlier, parts: KeyParts, written: Written
    ) -> Compared:
        old, new = opened(
            earlier.parts.inputs, parts.inputs, self.cache.state.listing, self.repo.tree.listing
        )
        previous, now = replace(earlier.parts, inputs=old), replace(parts, inputs=new)
        result = earlier.result
        seen = {item.path: item for item in (result.discovered if result else ())}
        words = differences(previous, now, step.reads, seen)
        declared = {item.path for item in new}
        told = tuple(f"{path} " for path in changed_inputs(previous, now))
        matcher = self._matcher(parts.inputs)
        seen_words = matcher.differing(step, result, declared, written) if result else ()
        return Compared(
            since=earlier.since,
            previous=previous,
            now=now,
            declared=self._origin.of_differences(words, previous, now),
            seen=tuple(text for text in seen_words if not text.startswith(told)),
        )

    @cached_property
    def _earlier(self) -> EarlierRuns:
        return EarlierRuns(
            repository=self.event.repository,
            workflow=self.workflow,
            repo=self.repo,
            cache=self.cache,
        )

    def _condition(
        self, step: Step, written: Written, facts: StepFacts, failed: tuple[str, ...]
    ) -> tuple[bool, tuple[str, ...]]:
        if step.condition is None:
            return not failed, ()
        # The parser of expressions takes 0.05 s to import: only an `if` pays for it.
        from mlpipe_ci.plan import conditions  # noqa: PLC0415

        context = conditions.ConditionContext(
            workflow=self.workflow,
            github=dict(self.event.attributes),
            facts=facts,
            hash_files=self.repo.tree.hash_files,
        )
        found = conditions.evaluate_condition(step, context, written, failed)
        return found.value, found.waits_for

    def newest(self, key: str | None) -> Result | None:
        """The newest stored result of a key, whether it fits or not."""
        if not key:
            return None
        known = self.cache.store.results(key, self.cache.scopes)
        for more in () if known else self.cache.store.further(key):
            known += more
        return max(known, key=lambda one: one.finished, default=None)

    def _unwatched(self, step: Step) -> str:
        """Why nothing shows what a step reads that does not declare it."""
        if step.inputs:
            return ""
        if self.workflow.tracing_of(step) == "off":
            return f"declares no inputs, and tracing is off, {EACH_TIME}"
        if self.discovery.unavailable:
            return f"declares no inputs, and {self.discovery.unavailable}, {EACH_TIME}"
        return ""

    def _matching_results(
        self,
        step: Step,
        key: str,
        inputs: tuple[Input, ...],
        written: Written,
        waits_for: tuple[str, ...],
    ) -> Matches:
        """The stored results of a key, compared with what is there now."""
        nothing = Matches(waits_for=waits_for)
        if step.cache is False or self._unwatched(step):
            return nothing
        if waits_for and step.reads:
            return nothing
        known = self._without_state(step, self.cache.store.results(key, self.cache.scopes))
        if waits_for:  # by steps that may write anything, for one that may read anything
            return nothing if known or any(self.cache.store.further(key)) else Matches()
        matcher = self._matcher(inputs)
        found = matcher.results(step, known, written)
        if not found.fitting and step.id not in self.selection.forced:
            for more in self.cache.store.further(
                key, self.cache.scopes if self.metrics_only else None
            ):
                known += self._without_state(step, more)
                found = matcher.results(step, known, written)
                if found.fitting:
                    break
        if found.fitting and not self.metrics_only:
            lacks = [self._kept_state.why_lacking(step, one) for one in found.fitting]
            if all(lacks):
                return Matches(unusable=tuple(dict.fromkeys(lacks)))
            usable = (one for one, why in zip(found.fitting, lacks, strict=True) if not why)
            found = replace(found, fitting=tuple(usable))
        if found.fitting and step.metrics and not found.fitting[0].metrics:
            first = metrics_now(step, found.fitting[0], self.cache.store)
            return replace(found, fitting=(first, *found.fitting[1:]))
        return found

    def _matcher(self, inputs: tuple[Input, ...]) -> ResultMatcher:
        return ResultMatcher(
            self.discovery,
            self.workflow,
            self.declared,
            self._lost,
            self._origin.of,
            self._left,
            partial(self._files, inputs),
            (lambda step: self._foreseen(step) or ()) if self.foresees else None,
        )

    @cached_property
    def _kept_state(self) -> KeptState:
        return KeptState(
            workflow=self.workflow,
            record=self.record,
            results=self._known_results,
            seen=lambda step: self.cache.state.last_trace(self.workflow.file, step.id).state,
            digest=partial(digest_at, self.repo.root, digest=self.cache.state.digest_cache.digest),
        )

    def _known_results(self, step: Step) -> Iterator[Result]:
        """Stored results of a step before its turn: all of the last ones here; elsewhere those of
        its key, which is not known yet if it declares inputs.
        """
        yield from self.cache.store.of_step(step.name, self.cache.scopes)
        if not step.reads:
            key = step_key(key_parts(step, self.resolver.resolve(step, {})[0]))
            for more in self.cache.store.further(key):
                yield from more

    def _without_state(self, step: Step, known: tuple[Result, ...]) -> tuple[Result, ...]:
        """Results as they are now that more is declared to be state, which is never restored."""
        state = self.workflow.all_state
        if not state:
            return known
        return tuple(
            replace(one, outputs=tuple(o for o in one.outputs if o not in gone)) if gone else one
            for one in known
            for gone in [{o for o in undeclared(step, one.outputs) if is_state(o.path, state)}]
        )

    def _foreseen(self, step: Step) -> frozenset[str] | None:
        """What a step wrote last time besides what it declares; None if it has not run here."""
        last = self.cache.state.last_trace(self.workflow.file, step.id)
        if not self.foresees or not last.is_known:
            return None
        return frozenset((*(path for path, _ in last.wrote), *last.writes))

    def _left(self, step: str) -> Left:
        """Where a step writes, and what it wrote last time without declaring it."""
        known = self.workflow.steps[self.workflow.index_by_id[step]]
        last = self.cache.state.last_trace(self.workflow.file, step)
        left = {*(path for path, _ in last.wrote), *self.record.undeclared(known)}
        return known.writes, left.difference(last.logs)

    def _files(self, declared: tuple[Input, ...], result: Result) -> Iterator[str]:
        """Full paths of what the step of a result may have read, declared or not."""
        paths = [one.path for item in declared for one in self.repo.tree.opened(item)]
        place = self.discovery.checker.place
        paths += [place(o.path) for o in result.discovered if o.digest.startswith(CONTENTS)]
        yield from (str(self.repo.root / path) for path in (*paths, *self.workflow.params_files))

    def _unseen(self, path: str, step: Step) -> bool:
        """True for what a step does not find when it runs, as it or a later one leaves it, and for
        state; of a directory with its `/`, if there is any such in it.
        """
        known, index = self.discovery, self.workflow.index_by_id[step.id]
        if path.endswith("/"):
            return bool(known.later_writes.names(path.removeprefix("./").rstrip("/"), index))
        if known.checker.is_state(path):
            return True
        later = known.later_writes.is_own_or_later(path, index)
        return later and not self.repo.tree.tracked(path)

    def named_in(self, name: str, parts: KeyParts | None, result: Result) -> str:
        """The first text that names an environment variable, of those that a step has read."""
        files = self._files(parts.inputs if parts else (), result)
        found = next((path for path in files if TextSearch().named([name], "", [path])), "")
        return found.removeprefix(f"{self.repo.root}/")

    def _lost(self, result: Result) -> str:
        """An output that cannot be brought back; empty if all can."""
        if self.metrics_only:
            return ""
        lost = (output.path for output in result.outputs if not self._has(output))
        return next(lost, "")

    def _has(self, output: Output) -> bool:
        if self.cache.store.holds(output):
            return True
        return is_right(self.repo.root, output, self.cache.state.digest_cache.digest)

    def _changes(self, step: Step) -> tuple[Change, ...]:
        """The changed paths that the step reads."""
        wanted = [p for p in step.reads if not p.startswith("!")]
        excluded = [p[1:] for p in step.reads if p.startswith("!")]
        return tuple(
            change
            for change in self.repo.comparison.changed or ()
            if any(affects(p, change) for p in wanted)
            and not any(is_under(change.path, one.path) for one in self.workflow.external_inputs)
            and not any(matches(p, change.path) for p in excluded)
        )

    @cached_property
    def _origin(self) -> InputOrigin:
        return InputOrigin(repo=self.repo)

    @cached_property
    def _tracked(self) -> tuple[tuple[str, str], ...]:
        """Ids of steps with those of their outputs that git tracks."""
        tracked = self.repo.tree.tracked
        return tuple(
            (s.id, path) for s in self.workflow.steps for path in s.writes if tracked(path)
        )

    def _tracked_note(self) -> str:
        """A word about all of them; the first of their steps says it."""
        paths = tuple(dict.fromkeys(path for _, path in self._tracked))
        if len(paths) == 1:
            return f"its output {paths[0]} is tracked by git, so each run changes a tracked file"
        steps = len({step for step, _ in self._tracked})
        whose = "its outputs" if steps == 1 else f"outputs of {steps} steps"
        return f"{whose} are tracked by git, so each run changes tracked files: {some(paths)}"

    def _lacks(self, step: Step) -> tuple[str, ...]:
        if not step.secret_env:
            return ()
        return missing_secrets(step, environment_of_steps(self.env, at_desk=self.event.at_desk))

    def _notes(self, step: Step, *, reused: bool) -> tuple[str, ...]:
        outside = {one for pattern in step.reads for one in self.resolver.meant(pattern)}
        stale = (self.data.sources.stale(one) for one in outside)
        notes = sorted(filter(None, stale))
        if not reused and self._tracked and self._tracked[0][0] == step.id:
            notes.append(self._tracked_note())
        for pattern in step.reads:
            left_out = self.repo.tree.left_out(pattern)
            if left_out:
                some = ", ".join(left_out[:2]) + (", …" if len(left_out) > 2 else "")  # noqa: PLR2004
                notes.append(
                    f"input {pattern} does not count what git ignores in it ({some}); name that "
                    "by a pattern with * if the step reads it"
                )
        return tuple(notes)
