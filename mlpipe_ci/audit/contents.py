"""What the copy of the work tree holds when a step runs in it: what a fresh clone would find there.

That is what git tracks and does not ignore, as it is now; what the step's result was made from, of
that which git ignores; and what earlier steps have left, as their results say.
"""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property

from mlpipe_ci.audit.scratch_tree import Entry
from mlpipe_ci.cache.file_ops import contents
from mlpipe_ci.core.cache_key import Input, KeyParts
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above, is_under
from mlpipe_ci.core.plan import Action, Plan
from mlpipe_ci.core.result import Result
from mlpipe_ci.core.state_paths import is_state
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.plan.session import Session
from mlpipe_ci.repo.git import SUBMODULE
from mlpipe_ci.tracing.discovery.exceptions import ENVIRONMENT_MARKS
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    ELSEWHERE,
    KEEPS,
    LISTINGS,
    LOG,
    MODULES,
    STATE,
)

"""What the path of a discovered input begins with that is nothing in the repository."""


@frozen
class Contents:
    """Of one work tree, for one plan."""

    session: Session
    plan: Plan

    @cached_property
    def results(self) -> dict[str, Result]:
        """The results that a run would reuse, by the id of their step."""
        decisions = self.plan.decisions
        known = ((d.step.id, d.result) for d in decisions if d.action is Action.REUSE)
        return {id_: result for id_, result in known if result}

    @cached_property
    def base(self) -> dict[str, Entry]:
        """What is there for every step: sources, and environments of Python, as links."""
        root, tracked = str(self.session.repo.root), self.session.repo.tree.tracked
        found: dict[str, Entry] = {}
        for path in self._sources():
            if os.path.lexists(f"{root}/{path}") and (tracked(path) or not self._is_left(path)):
                found[path] = Entry(source=f"{root}/{path}")
        for name in os.listdir(root):
            marks = (f"{root}/{name}/{mark}" for mark in ENVIRONMENT_MARKS)
            if name not in found and any(map(os.path.exists, marks)):
                found[name] = Entry(source=f"{root}/{name}", is_link=True)
        return found

    @cached_property
    def parts(self) -> dict[str, KeyParts | None]:
        """What the keys of these results were made of."""
        return {one.step.id: one.parts for one in self.plan.decisions}

    def for_step(self, step: Step, result: Result) -> dict[str, Entry]:
        """What is there for this one."""
        root = str(self.session.repo.root)
        found = dict(self.base)
        for path in self._ignored_inputs(step, result):
            found.setdefault(path, Entry(source=f"{root}/{path}"))
        for other in self.earlier(step):
            if known := self.results.get(other.id):
                for output in sorted(known.outputs, key=lambda one: one.order):
                    found.pop(output.path, None)  # the order of times is that of steps
                    found[output.path] = Entry(output=output)
        parents = {parent for path in found for parent in above(path)}
        return {path: one for path, one in found.items() if path not in parents}

    def earlier(self, step: Step) -> tuple[Step, ...]:
        """The steps before this one."""
        workflow = self.session.workflow
        return workflow.steps[: workflow.index_by_id[step.id]]

    def inputs_of(self, step: Step, result: Result) -> Iterator[str]:
        """Paths in the repository that a result says its step has read, files of listings too."""
        opened = self.session.repo.tree.opened
        parts = self.parts.get(step.id)
        declared = parts.inputs if parts else ()
        yield from (one.path for item in declared for one in opened(item))
        yield from (item.path for item in result.discovered if _is_path(item))
        yield from self.session.workflow.params_files
        yield self.session.workflow.file
        yield from (one.path.rstrip("/") for one in step.external)

    @cached_property
    def left(self) -> frozenset[str]:
        """All that the results say their steps left."""
        return frozenset(o.path for one in self.results.values() for o in one.outputs)

    def _is_left(self, path: str) -> bool:
        """True for what a step leaves, and for state: it is not there in a fresh clone."""
        workflow = self.session.workflow
        if path in self.left or is_state(path, workflow.all_state):
            return True
        return any(is_under(path, one) for one in workflow.writes) or (
            self.session.discovery.later_writes.has(path)
        )

    def _sources(self) -> Iterator[str]:
        git, root = self.session.repo.git, self.session.repo.root
        if git is None:
            yield from (path.removeprefix("./") for path in contents(root, "."))
            return
        index = git.index()
        for path in index:
            entry = index.get(path)
            if entry is not None and entry.mode == SUBMODULE:
                inside = contents(root, path) if (root / path).is_dir() else ()
                yield from (one for one in inside if "/.git" not in one)
            else:
                yield path
        yield from sorted(git.snapshot().untracked)

    def _ignored_inputs(self, step: Step, result: Result) -> Iterator[str]:
        """Of what the step's result was made from, that which is neither a source nor an output."""
        root = self.session.repo.root
        for path in self.inputs_of(step, result):
            plain = path.removeprefix("./").rstrip("/")
            if not plain or is_under(plain, ".git") or plain in self.base:
                continue
            if (root / plain).exists():
                if (root / plain).is_dir() and not (root / plain).is_symlink():
                    if any(is_under(plain, one.path) for one in step.external):
                        yield from contents(root, plain)
                    yield from self._empty(plain)
                elif not self._is_left(plain):
                    yield plain
        for item in result.discovered:
            if item.digest.startswith(LISTINGS) and not item.path.startswith("/"):
                yield from self._named_in(item.path.removeprefix("./").rstrip("/"), item)

    def _empty(self, path: str) -> Iterator[str]:
        if not self._is_left(path):
            yield path

    def _named_in(self, folder: str, item: Input) -> Iterator[str]:
        """What lies in a directory whose names the step has seen, and git ignores."""
        prefix = f"{folder}/" if folder else ""
        text = item.digest.partition(":")[2]
        if item.digest.startswith(MODULES):
            text = text.rpartition("|")[0]
        seen = None if ":" in text else text.split("/")  # of many, only a digest is known
        for name in self.session.repo.tree.names(folder) or ():
            path = prefix + name
            counts = (seen is None or name in seen) and name != ".git"
            if counts and path not in self.base and not self._is_left(path):
                yield path


def _is_path(item: Input) -> bool:
    nothing = item.digest in {ABSENT, LOG, KEEPS} or item.digest.startswith(STATE)
    return not nothing and not item.path.startswith(ELSEWHERE)


def environment_of(env: Mapping[str, str], root: str, copy: str) -> dict[str, str]:
    """The environment with the copy in the place of the work tree; programs stay where they are."""
    kept = {"PATH", "VIRTUAL_ENV", "CONDA_PREFIX"}
    return {
        name: value if name in kept else _moved(value, root, copy) for name, value in env.items()
    }


def _moved(value: str, root: str, copy: str) -> str:
    if root not in value or root == "/":
        return value
    parts = value.split(os.pathsep)
    return os.pathsep.join(copy + one[len(root) :] if is_under(one, root) else one for one in parts)
