"""Reuses a step's result: its outputs come back now, or once a step that runs needs them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from mlpipe_ci.cache.audits import last_audit
from mlpipe_ci.cache.left_record import Left, history_of
from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.output_times import OutputTimes
from mlpipe_ci.cache.outputs import MissingOutputError, has_links
from mlpipe_ci.cache.restore import Restorer
from mlpipe_ci.cache.transaction import SetAside
from mlpipe_ci.core.errors import PathError
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import Decision, Written
from mlpipe_ci.core.result import Output, Result, undeclared
from mlpipe_ci.core.run import Execution, LeftBehind, Measurements, Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import MetricsError
from mlpipe_ci.run.context import RunContext
from mlpipe_ci.run.made_elsewhere import MadeElsewhere
from mlpipe_ci.run.outcome import (
    aside_notes,
    history_here,
    logs_of,
    make_outcome,
    read_all_metrics,
    record_success,
    retire_unfinished,
    what_it_left,
)
from mlpipe_ci.run.read_before import fault_of_params, fault_of_paths
from mlpipe_ci.run.saved_result import changed_in_place, is_content, last_trace_of
from mlpipe_ci.tracing.discovery.kinds import LOG

NOTHING: tuple[str, ...] = ()


class OutputReuse:
    """Reuses results. What is not brought back yet is `written` as well: its digests are known.

    Only with `--outputs needed` anything is left in the cache. `wrote`: the last one that was taken
    or brought changed the work tree.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._deferred: dict[str, Decision] = {}
        self._times = OutputTimes(context.repo.root)
        self._elsewhere = MadeElsewhere(context)
        self.wrote = False

    @property
    def written(self) -> Written:
        """What reused steps wrote that is not in the work tree."""
        return {
            id_: decision.result.outputs
            for id_, decision in self._deferred.items()
            if decision.result
        }

    def take(self, decision: Decision, result: Result) -> StepOutcome:
        """Reuse a result. Raises DamagedError if the step has to run, PathError."""
        context, step = self._context, decision.step
        if fault := fault_of_paths(context, (output.path for output in result.outputs)):
            raise PathError(f"by its stored result, {fault}")
        declared = decision.parts.inputs if decision.parts else ()
        read = {item.path for item in (*declared, *result.discovered) if is_content(item)}
        if fault := fault_of_params(context, step, read):
            raise PathError(f"by its stored result, {fault}")
        restorer = self._restorer(step)
        if context.cache.on_demand and not has_links(result.outputs):
            self._deferred[step.id] = decision
            wanted = () if result.metrics else step.metrics
            metrics = tuple(o for o in result.outputs if o.path in wanted)
            restored, moved, retired = restorer.some(step, metrics), NOTHING, NOTHING
        else:
            restored, moved = restorer.all(step, self._wanted(step, result))
            retired = self._retire(step, result)
            self._bring_log(result)
        if step.id not in self._deferred:
            self._times.placed(self._index(step), result.outputs, restored=restored > 0)
        self.wrote = bool(restored or moved or retired)
        if self.wrote:
            context.repo.tree.forget()
        context.cache.store.used(result)
        news = self._note(step, decision, result)
        self._elsewhere.note(decision)
        if step.id not in self._deferred:
            self._remember(step, result, news=news)
        notes = (f"{restored} file(s) restored from the cache",) if restored else ()
        return make_outcome(
            decision,
            Status.REUSED,
            execution=Execution(log=result.log),
            left=LeftBehind(
                outputs=tuple(output.path for output in result.outputs),
                cached_outputs=result.outputs,
                saved_seconds=result.seconds,
                audited=last_audit(context.cache.store, context.cache.scopes, result),
            ),
            measured=Measurements(metrics=self._metrics(step, result), samples=result.samples),
            notes=notes + aside_notes(context, step, SetAside(replaced=moved, previous=retired)),
        )

    def _bring_log(self, result: Result) -> None:
        """What the step printed, for `mlpipe logs`; it is no loss if it cannot be had."""
        if result.log:
            with suppress(DamagedError, OSError):
                self._context.cache.store.bring((result.log,))

    def _remember(self, step: Step, result: Result, *, news: bool) -> None:
        """What the step has left here, where that is not known."""
        record = self._context.stale_outputs.record
        if self.wrote or news or step not in record or record.of(step).unfinished:
            left = what_it_left(step, result.outputs, self._logs(step, result))
            changed = changed_in_place(left.paths, result.discovered)
            before = record.of(step)  # what is state stays as its last run left it
            left = replace(left, state=before.state, older=before.older, code=before.code)
            stayed = (*before.history, *self._added(step, before, result))
            history = history_here(self._context, result.outputs, stayed)
            record.put(step, replace(left, result=before.result, changed=changed, history=history))

    def _note(self, step: Step, decision: Decision, result: Result) -> bool:
        """Remember a reused result; what it wrote without declaring it is known from now on."""
        context, last = self._context, last_trace_of(step, result)
        paths = [output.path for output in undeclared(step, result.outputs)]
        if paths:
            context.repo.tree.add_outputs(paths)
        changed = changed_in_place(paths, result.discovered)
        wrote = (*paths, *last.logs, *context.stale_outputs.record.of(step).history)
        made = (path for path in wrote if path not in changed)
        context.discovery.later_writes.replace(self._index(step), made)
        context.discovery.readers.add(self._index(step), (*last.reads, *last.missed))
        return record_success(context, decision, result.seconds, last)

    def deferred(self) -> Iterator[Decision]:
        """Reused steps whose outputs are not in the work tree."""
        yield from self._deferred.values()

    def deferred_for(self, step: Step) -> Iterator[Decision]:
        """Reused steps of which a step that runs may read something that is not there yet."""
        for decision in tuple(self._deferred.values()):
            other, result = decision.step, decision.result
            more = result and undeclared(other, result.outputs)
            named = other.group in step.needs or not step.inputs or more
            reads = [pattern for pattern in step.reads if not pattern.startswith("!")]
            paths = [output.path for output in result.outputs] if result else []
            if named or any(matches(pattern, path) for pattern in reads for path in paths):
                yield decision

    def made_elsewhere(self, reader: Decision) -> Iterator[tuple[Decision, str]]:
        """Reused steps that have to run here, each with its output that this one reads."""
        for decision, path in self._elsewhere.read_by(reader):
            self._deferred.pop(decision.step.id, None)
            yield decision, path

    def restore(self, decision: Decision) -> None:
        """Bring the outputs back now. Raises DamagedError if the step has to run, PathError."""
        del self._deferred[decision.step.id]
        if decision.result:
            outputs = self._wanted(decision.step, decision.result)
            restored, _ = self._restorer(decision.step).all(decision.step, outputs)
            self._times.placed(self._index(decision.step), outputs, restored=restored > 0)
            self._remember(decision.step, decision.result, news=True)
            self._context.repo.tree.forget()

    def _logs(self, step: Step, result: Result) -> set[str]:
        """Files that the step only adds to, and nobody reads."""
        logs = (item.path for item in result.discovered if item.digest == LOG)
        return logs_of(self._context, step, logs, read=False)

    def _wanted(self, step: Step, result: Result) -> tuple[Output, ...]:
        """The outputs, but for logs: what is there of them stays."""
        root = self._context.repo.root
        here = {path for path in self._logs(step, result) if os.path.lexists(root / path)}
        return tuple(output for output in result.outputs if output.path not in here)

    def _index(self, step: Step) -> int:
        return self._context.workflow.index_by_id[step.id]

    def _restorer(self, step: Step) -> Restorer:
        context = self._context
        digest, others = context.cache.state.digest_cache.digest, self._undeclared
        mine = {
            path for path, _ in context.cache.state.last_trace(context.workflow.file, step.id).wrote
        }
        return Restorer(
            context.repo.root, context.cache.store, context.transaction, digest, others - mine
        )

    @cached_property
    def _undeclared(self) -> frozenset[str]:
        """What steps write without declaring it."""
        context = self._context
        steps = context.workflow.steps
        traces = (context.cache.state.last_trace(context.workflow.file, step.id) for step in steps)
        return frozenset(path for last in traces for path, _ in last.wrote)

    def _retire(self, step: Step, result: Result) -> tuple[str, ...]:
        """Move away what another run of the step left, and this result does not have.

        What the step only adds to stays, as when it runs.
        """
        context = self._context
        wanted = {output.path for output in result.outputs}
        unfinished = retire_unfinished(context, step, result.outputs)
        record = context.stale_outputs.record
        if wanted.issuperset(record.undeclared(step)):
            return unfinished  # as nearly always; nothing need be looked at
        before, left = context.stale_outputs.before(step), record.of(step)
        added = self._added(step, left, result)
        others = tuple(path for path in before if path not in wanted.union(added))
        return unfinished + context.transaction.retire(step.id, others)

    def _added(self, step: Step, left: Left, result: Result) -> set[str]:
        """What the step has left before, and what this result only adds to."""
        missed = last_trace_of(step, result).missed
        added = history_of(left, step, result.outputs, missed)
        return logs_of(self._context, step, added, read=False)

    def _metrics(self, step: Step, result: Result) -> tuple[tuple[str, float], ...]:
        """From the files: that they are metrics is no part of the key; the result may not know."""
        if result.samples or (result.metrics and step.id in self._deferred):
            return result.metrics  # the files are not brought for it, or one of many
        try:
            return read_all_metrics(self._context, step)
        except (MissingOutputError, MetricsError):
            return result.metrics
