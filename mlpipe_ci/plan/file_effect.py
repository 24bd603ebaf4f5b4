"""Would a change of this file run the step? The rules of a decision, asked the other way round."""

from collections.abc import Iterator

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above, is_under
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.workflow import Step, Workflow
from mlpipe_ci.tracing.discovery.exceptions import is_exempt
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    EXISTS,
    KEEPS,
    LOG,
    MODULES,
    NAMES,
    NOT_SEEN,
)
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from mlpipe_ci.tracing.discovery.make_names import MAKE, could_mean
from mlpipe_ci.tracing.discovery.module_names import SUFFIXES, could_be


@frozen
class Effect:
    """`runs`: True, False, or None where it depends, or is not known. `why`: the rule, in words."""

    runs: bool | None
    why: str


@frozen
class FileEffect:
    """Asks for one step. `result`: the newest of its key, None if there is none; `later_writes`:
    who writes what.
    """

    workflow: Workflow
    step: Step
    result: Result | None
    later_writes: LaterWrites

    def of(self, path: str) -> Effect:
        """What a change of a file of the repository would do. `path` is relative to its root."""
        for rule in (self._declared, self._seen, self._written, self._listed):
            if effect := next(rule(path), None):
                return effect
        if self.later_writes.hides(path, self.workflow.index_by_id[self.step.id]):
            return Effect(runs=False, why="a later step writes it, so that it is out of sight")
        if self.result is None:
            why = "it has no result with these inputs yet, so what it reads is not known"
            return Effect(runs=None, why=why)
        watched = any(not item.path.startswith(NOT_SEEN) for item in self.result.discovered)
        why = "it was not seen to look at it" if watched else "its inputs do not name it"
        return Effect(runs=False, why=why)

    def _declared(self, path: str) -> Iterator[Effect]:
        step = self.step
        if is_exempt(path):
            yield Effect(runs=False, why="git's own directory and byte code count for no step")
        if any(is_under(path, one) for one in step.writes):
            yield Effect(runs=False, why="the step declares to write it, and it is brought back")
        for pattern in step.reads:
            if pattern.startswith("!") and matches(pattern[1:], path):
                yield Effect(runs=False, why=f"its inputs leave it out: {pattern}")
        for pattern in step.reads:
            if not pattern.startswith("!") and matches(pattern, path):
                yield Effect(runs=True, why=f"its inputs name it: {pattern}")
        if path in self.workflow.params_files and (step.params or step.names_params):
            names = ", ".join(name for name, _ in step.params) or "none of them"
            yield Effect(runs=None, why=f"only if a value changes that it uses: {names}")

    def _seen(self, path: str) -> Iterator[Effect]:
        for item in self.result.discovered if self.result else ():
            if item.path != path:
                continue
            if item.digest == LOG:
                yield Effect(runs=False, why="it only adds to it")
            elif item.digest == KEEPS:
                yield Effect(runs=False, why="it is the step's own state")
            elif item.digest == ABSENT:
                yield Effect(runs=True, why="it looked for it in vain, so that it runs if it comes")
            elif item.digest.startswith(EXISTS):
                yield Effect(
                    runs=None, why="only if it comes or goes: it asked whether it is there"
                )
            else:
                yield Effect(runs=True, why="it was seen to read it")

    def _written(self, path: str) -> Iterator[Effect]:
        outputs = self.result.outputs if self.result else ()
        if any(output.path == path for output in outputs):
            yield Effect(runs=False, why="the step writes it, and it is brought back")

    def _listed(self, path: str) -> Iterator[Effect]:
        """It matters whether a name is in a directory that the step has listed."""
        listings = {
            item.path.removeprefix("./").rstrip("/"): item
            for item in (self.result.discovered if self.result else ())
            if item.digest.startswith((NAMES, MODULES))
        }
        inner = path
        for folder in (*above(path), ""):
            name = inner[len(folder) + 1 :] if folder else inner
            if folder in listings and (effect := _by_listing(listings[folder], name)):
                yield effect
            inner = folder


def _by_listing(item: Input, name: str) -> Effect | None:
    shown = item.path if item.path != "./" else "the root of the repository"
    if item.digest.startswith(NAMES):
        why = f"only if it comes or goes: it read the names in {shown}"
        return Effect(runs=None, why=why)
    wanted = item.digest.rpartition("|")[2].split()
    if MAKE in wanted:
        why = f"only if it comes or goes: make looks for such names in {shown}"
        return Effect(runs=None, why=why) if could_mean(name, wanted) else None
    module = "*" in wanted or could_be(name, wanted)
    if module and (name.endswith(SUFFIXES) or "." not in name):
        why = f"only if it comes or goes: Python searches {shown} for modules of that name"
        return Effect(runs=None, why=why)
    return None
