"""Reused results that were made in another directory and name it: see `core.place`.

As long as nothing reads such an output it is as good as one that is made here. A step that runs
and reads it would look in the other directory: so what made it runs before, here.
"""

import os
from collections.abc import Iterator

from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.place import places_of
from mlpipe_ci.core.plan import Decision
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.run.context import RunContext


class MadeElsewhere:
    """Those of one run."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._root = os.fsencode(os.path.realpath(context.repo.root))
        self._named: dict[str, tuple[Decision, frozenset[str]]] = {}

    def note(self, decision: Decision) -> None:
        """A result was reused."""
        found = decision.result.discovered if decision.result else ()
        if named := places_of(found, self._root):
            self._named[decision.step.id] = decision, named

    def read_by(self, reader: Decision) -> Iterator[tuple[Decision, str]]:
        """The reused steps that have to run before this one, each with the output that it reads.

        They are asked for once.
        """
        if not self._named:
            return
        reads, index = set(self._reads(reader)), self._context.workflow.index_by_id
        for id_, (decision, named) in tuple(self._named.items()):
            read = sorted(path for path in named if path in reads or _asks(reader.step, path))
            if read and index[id_] < index[reader.step.id]:
                del self._named[id_]
                yield decision, read[0]

    def _reads(self, reader: Decision) -> Iterator[str]:
        """What the step read in its last run here, and for any result of it."""
        cache, step = self._context.cache, reader.step
        yield from cache.state.last_trace(self._context.workflow.file, step.id).reads
        found = list(cache.store.of_step(step.name, cache.scopes))
        if reader.key and not found:
            found += [one for more in cache.store.further(reader.key) for one in more]
        for result in found:
            yield from (item.path for item in result.discovered)


def _asks(step: Step, path: str) -> bool:
    return any(matches(one, path) for one in step.reads if not one.startswith("!"))
