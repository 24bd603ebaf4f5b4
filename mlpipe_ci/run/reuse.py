"""Reuses a step's result: its outputs come back now, or once a step that runs needs them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from mlpipe_ci.cache.objects import DamagedError
from mlpipe_ci.cache.outputs import MissingOutputError, has_links
from mlpipe_ci.cache.restore import Restorer
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.plan import Decision, Written
from mlpipe_ci.core.result import Output, Result
from mlpipe_ci.core.run import Status, StepOutcome
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.metrics.files import MetricsError
from mlpipe_ci.run.context import Bench
from mlpipe_ci.run.outcome import make_outcome, moved_note, read_all_metrics, remember
from mlpipe_ci.run.save_result import traced_of, written_before
from mlpipe_ci.tracing.discovery.check import KEPT

NOTHING: tuple[str, ...] = ()


class Reuse:
    """Reuses results. What is not brought back yet is `written` as well: its digests are known.

    Only with `--outputs needed` anything is left in the cache. `wrote`: the last one that was taken
    or brought changed the work tree.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._held: dict[str, Decision] = {}
        self.wrote = False

    @property
    def written(self) -> Written:
        """What reused steps wrote that is not in the work tree."""
        return {id_: held.result.outputs for id_, held in self._held.items() if held.result}

    def take(self, decision: Decision, result: Result) -> StepOutcome:
        """Reuse a result. Raises DamagedError if the step has to run, PathError."""
        bench, step = self._bench, decision.step
        restorer = self._restorer(step)
        if bench.needed_only and not has_links(result.outputs):
            self._held[step.id] = decision
            wanted = () if result.metrics else step.metrics
            metrics = tuple(o for o in result.outputs if o.path in wanted)
            restored, moved = restorer.some(step, metrics), NOTHING
        else:
            restored, moved = restorer.all(step, self._wanted(result))
            moved += self._retire(step, result)
            self._bring_log(result)
        self.wrote = bool(restored or moved)
        if self.wrote:
            bench.tree.forget()
        if bench.store:
            bench.store.used(result)
        self._note(step, decision, result)
        notes = (f"{restored} file(s) restored from the cache",) if restored else ()
        return make_outcome(
            decision,
            Status.REUSED,
            saved_seconds=result.seconds,
            log=result.log,
            outputs=tuple(output.path for output in result.outputs),
            metrics=self._metrics(step, result),
            samples=result.samples,
            stored=result.outputs,
            notes=notes + moved_note(bench, step, moved),
        )

    def _bring_log(self, result: Result) -> None:
        """What the step printed, for `mlpipe logs`; it is no loss if it cannot be had."""
        if self._bench.store and result.log:
            with suppress(DamagedError, OSError):
                self._bench.store.bring((result.log,))

    def _note(self, step: Step, decision: Decision, result: Result) -> None:
        """Remember a reused result; what it wrote without declaring it is known from now on."""
        bench = self._bench
        if step.undeclared:
            paths = [output.path for output in result.outputs]
            bench.tree.add_outputs(paths)
            bench.later.add(bench.workflow.places[step.id], paths)
        remember(bench, decision, result.seconds, traced_of(step, result))

    def held(self) -> Iterator[Decision]:
        """Reused steps whose outputs are not in the work tree."""
        yield from self._held.values()

    def needed_by(self, step: Step) -> Iterator[Decision]:
        """Reused steps of which a step that runs may read something that is not there yet."""
        for decision in tuple(self._held.values()):
            other, result = decision.step, decision.result
            named = other.group in step.needs or not step.inputs or other.undeclared
            reads = [pattern for pattern in step.reads if not pattern.startswith("!")]
            paths = [output.path for output in result.outputs] if result else []
            if named or any(matches(pattern, path) for pattern in reads for path in paths):
                yield decision

    def bring(self, decision: Decision) -> None:
        """Bring the outputs back now. Raises DamagedError if the step has to run, PathError."""
        del self._held[decision.step.id]
        if decision.result:
            self._restorer(decision.step).all(decision.step, self._wanted(decision.result))
            self._bench.tree.forget()

    def _restorer(self, step: Step) -> Restorer:
        bench = self._bench
        digest, others = bench.state.memo.digest, self._undeclared
        mine = {path for path, _ in bench.state.traced(bench.workflow.file, step.id).wrote}
        return Restorer(bench.root, bench.store, bench.aside, digest, others - mine)

    @cached_property
    def _undeclared(self) -> frozenset[str]:
        """What steps write that declare nothing."""
        bench = self._bench
        steps = (step for step in bench.workflow.steps if step.undeclared)
        traces = (bench.state.traced(bench.workflow.file, step.id) for step in steps)
        return frozenset(path for traced in traces for path, _ in traced.wrote)

    def _wanted(self, result: Result) -> tuple[Output, ...]:
        """The outputs, but for those that the step adds to: what is there of them stays."""
        kept = {one.path for one in result.discovered if one.digest == KEPT}
        here = {path for path in kept if os.path.lexists(self._bench.root / path)}
        return tuple(output for output in result.outputs if output.path not in here)

    def _retire(self, step: Step, result: Result) -> tuple[str, ...]:
        """Move away what another run of the step wrote without declaring it, and this one not."""
        wanted = {output.path for output in result.outputs}
        before = written_before(self._bench, step)
        return self._bench.aside.retire(step.id, tuple(p for p in before if p not in wanted))

    def _metrics(self, step: Step, result: Result) -> tuple[tuple[str, float], ...]:
        """From the files: that they are metrics is no part of the key; the result may not know."""
        if result.samples or (result.metrics and step.id in self._held):
            return result.metrics  # the files are not brought for it, or one of many
        try:
            return read_all_metrics(self._bench, step)
        except (MissingOutputError, MetricsError):
            return result.metrics
