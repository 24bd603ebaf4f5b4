"""What discovered inputs are now: on the disk, or as earlier steps of this run will leave them."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from blake3 import blake3

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.paths import above
from mlpipe_ci.core.plan import Written
from mlpipe_ci.core.result import Output
from mlpipe_ci.tracing.access_log import Signature
from mlpipe_ci.tracing.discovery import record
from mlpipe_ci.tracing.discovery.exceptions import is_exempt
from mlpipe_ci.tracing.discovery.kinds import (
    ABSENT,
    EXISTS,
    IGNORED,
    KEEPS,
    LISTINGS,
    LOG,
    MODULES,
    NAMES,
    OF_ENVIRONMENT,
    OF_SYSTEM,
    PREFIX,
    PROGRAM,
    STATE,
)
from mlpipe_ci.tracing.discovery.known_state import KnownState
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from mlpipe_ci.tracing.discovery.make_names import MAKE, could_mean
from mlpipe_ci.tracing.discovery.module_names import SUFFIXES, could_be
from mlpipe_ci.tracing.discovery.outside import Anchors, Environments, is_system
from mlpipe_ci.tracing.discovery.python_environment import PythonEnvironment

SCRIPT = b"#!"
NO_STATE = KnownState()
INFO = (".dist-info", ".egg-info", ".egg-link")
"""Endings of what says that a distribution is installed."""
Left = tuple[Iterable[str], Iterable[str]]
MOST_NAMES = 1000
"""Characters of names that are kept as they are, so that a reason can say which is new."""


class TreeView(Protocol):
    """What is asked of the work tree, or of that of another commit."""

    def is_hidden(self, path: str) -> bool:
        """True for what is to be moved away before any step runs."""

    def known(self, path: str) -> Input | None:
        """A file or link with its digest, None if there is neither."""

    def kind(self, path: str) -> str:
        """What a path leads to: `file`, `directory`, `other`, or nothing."""

    def names(self, folder: str) -> list[str] | None:
        """Names in a directory, None if there is none."""

    def is_directory(self, path: str) -> bool:
        """True if there is a directory at this path, or a link to one."""

    def tracked(self, path: str) -> tuple[str, ...]:
        """Files that git tracks at a path, or inside of one that ends in `/`."""

    def recall(self, path: str, signature: Signature) -> str:
        """The digest that a file had when `stat` said that of it; empty if it is not known."""


class InputChecker:
    """Looks discovered inputs up. `env`: the environment of all steps. `summarize`: see
    `PythonEnvironment`. `waits`: what an earlier step of this run will write is not known yet.
    """

    def __init__(
        self,
        root: str,
        tree: TreeView,
        env: Mapping[str, str],
        later_writes: LaterWrites,
        summarize: Callable[[str], str] = record.summary,
        state: KnownState = NO_STATE,
    ) -> None:
        self._tree, self._env, self._later_writes = tree, env, later_writes
        self.anchors, self._environments = Anchors(env, os.path.realpath(root)), Environments()
        self._programs: dict[str, str] = {}
        self.known_state = state
        self.environment = PythonEnvironment(root, env, summarize)
        self._outputs: dict[str, Output] = {}
        self._folders: dict[str, set[str]] = {}
        self._last: Written = {}
        self._count = 0
        self.waits = False
        self._expected: set[str] = set()
        self._leftovers: set[str] = set()

    def will_be_written(self, written: Written, left: Callable[[str], Left]) -> None:
        """What earlier steps wrote, or will bring back from the cache, comes before the disk.

        `left`: where a step writes, and single files that another run of it has left: what is there
        and not among the outputs will be moved away.
        """
        if written is self._last:  # the same, with more at its end
            fresh = list(written)[self._count :]
        else:
            fresh = list(written)
            self._outputs, self._folders = {}, {}
            self._expected, self._leftovers, self.waits = set(), set(), False
        self._last, self._count = written, len(written)
        for id_ in fresh:
            outputs = written[id_]
            self.waits = self.waits or outputs is None
            if outputs:
                paths, leftovers = left(id_)
                self._expected.update(path.rstrip("/") for path in paths)
                self._leftovers.update(leftovers)
                for output in outputs:
                    self._note(output)

    def on_disk(self, away: Written) -> None:
        """A step has run: what it saw is on the disk, but for outputs that are still `away`."""
        self.will_be_written({}, _nothing_left)
        for outputs in away.values():
            for output in outputs or ():
                self._note(output)

    def _note(self, output: Output) -> None:
        self._outputs[output.path] = output
        inner = output.path
        for folder in (*above(inner), ""):
            name = inner[len(folder) + 1 :] if folder else inner
            self._folders.setdefault(folder, set()).add(name)
            inner = folder

    def current(self, item: Input, index: int, ours: Iterable[str] = ()) -> Input:
        """What a discovered input is now. Raises PathError if it cannot be read.

        `index`: the step's in the workflow; `ours`: what it writes.
        """
        path, digest = item.path, item.digest
        if digest in {LOG, KEEPS} or digest.startswith(IGNORED):
            return item
        if digest.startswith(STATE):
            return self._state_now(item, index)
        if path.startswith(PROGRAM):
            return Input(path=path, digest=self.program(path.removeprefix(PROGRAM)))
        if path.startswith(PREFIX):
            return Input(path=path, digest=self.environment.now(item))
        if digest.startswith(LISTINGS):
            modules = digest.rpartition("|")[2] if digest.startswith(MODULES) else None
            return self.listing(path, index, ours, modules)
        if digest.startswith(EXISTS):
            return Input(path=path, digest=self.kind(path, index))
        if digest == ABSENT:
            own = any(path == one or one.startswith(path + "/") for one in ours)
            if own and not self._stays(path, index):
                return item  # what the step leaves itself goes before it runs again
            return item if self.kind(path, index) == ABSENT else Input(path=path, digest=EXISTS)
        return self.content(path, index)

    def _goes(self, path: str) -> bool:
        """True for what an earlier step will move away, as it is not part of its result."""
        if path in self._outputs or path in self._folders:
            return False
        if path in self._leftovers or self._tree.is_hidden(path):
            return True
        return bool(self._expected) and not self._expected.isdisjoint((path, *above(path)))

    def is_state(self, path: str) -> bool:
        """True for a tool's own memory: declared, or by its name where it is nobody's output."""
        if not self.known_state.has(path):
            return False
        by_name = not self.known_state.is_declared(path)
        return not by_name or not (self._later_writes.has(path) or self._tree.tracked(path))

    def is_others_state(self, path: str, index: int) -> bool:
        """True for state that neither this step keeps nor only a later one, and that counts."""
        return self.is_state(path) and self.known_state.is_anothers(path, index)

    def _state_now(self, item: Input, index: int) -> Input:
        if self.known_state.keepers is None:
            return item
        if item.digest.startswith(STATE + NAMES):
            now = self.state_listing(item.path, index)
        else:
            now = self.content(item.path, index)
        return replace(now, digest=STATE + now.digest)

    def state_listing(self, path: str, index: int, seen: Iterable[str] | None = None) -> Input:
        """The names that other steps keep in a directory of state, but for later ones. `path` ends
        in `/`; `seen`: see `listing`.
        """
        there = self._tree.names(path.rstrip("/")) if seen is None else seen
        if there is None:
            return Input(path=path, digest=ABSENT)
        names = (name for name in there if self.is_others_state(path + name, index))
        return Input(path=path, digest=_listing(sorted(names), None))

    def is_hidden(self, path: str, index: int) -> bool:
        """True for what only later steps write: it is out of sight while this one runs."""
        return self._later_writes.hides(path, index) and not self._stays(path, index)

    def is_made_before(self, path: str, index: int) -> bool:
        """True for what an earlier step writes."""
        return path in self._outputs or self._later_writes.is_earlier(path, index)

    def _stays(self, path: str, index: int) -> bool:
        """True for what is there in any clone when a step starts: an earlier step writes it, or git
        tracks it and the step does not declare it.
        """
        if path in self._folders or self.is_made_before(path, index):
            return True
        if self._later_writes.is_declared(path, index):
            return False
        return bool(self._tree.tracked(path) or self._tree.tracked(f"{path}/"))

    def recall(self, path: str, signature: Signature) -> str:
        """The digest that a file had when `stat` said that of it; empty if it is not known."""
        return self._tree.recall(self.anchors.located(path), signature)

    def program(self, name: str) -> str:
        """What decides which program PATH finds under a name, and what is in it."""
        if name not in self._programs:
            where = shutil.which(name, path=self._env.get("PATH", os.defpath))
            self._programs[name] = self.of_program(os.path.realpath(where)) if where else ABSENT
        return self._programs[name]

    def place(self, path: str) -> str:
        """Where the file of an input is: absolute, or relative to the root."""
        if path.startswith(PROGRAM):
            name = path.removeprefix(PROGRAM)
            return shutil.which(name, path=self._env.get("PATH", os.defpath)) or path
        return self.anchors.located(path)

    def of_program(self, file: str) -> str:
        """The same of a file, which is an absolute path without links."""
        if is_system(file):
            return OF_SYSTEM
        if self._environments.holds(file) and _is_script(file):
            return OF_ENVIRONMENT
        known = self._tree.known(file)
        return known.digest if known else ABSENT

    def content(self, path: str, index: int) -> Input:
        """A file or a link with its digest; `absent` if there is none.

        `index`: of the step that looks, in the workflow.
        """
        output = self._outputs.get(path)
        if output is not None and output.digest:
            return Input(path=path, digest=output.digest, executable=output.executable)
        if self._goes(path) or self.is_hidden(path, index):
            return Input(path=path, digest=ABSENT)
        if path.startswith("/"):
            known = self._tree.known(self.anchors.located(path))
            return replace(known, path=path) if known else Input(path=path, digest=ABSENT)
        return self._tree.known(path) or Input(path=path, digest=ABSENT)

    def kind(self, path: str, index: int) -> str:
        """What is at a path. `index`: see `content`."""
        output = self._outputs.get(path)
        if output is not None:
            return EXISTS + ("directory" if output.kind == "directory" else "file")
        if path in self._folders:
            return EXISTS + "directory"
        if self._goes(path) or self.is_hidden(path, index):
            return ABSENT
        kind = self._tree.kind(self.anchors.located(path))
        return EXISTS + kind if kind else ABSENT

    def listing(
        self,
        path: str,
        index: int,
        ours: Iterable[str] = (),
        modules: str | None = None,
        seen: Iterable[str] | None = None,
    ) -> Input:
        """The names in a directory, but for what the step itself or a later one writes.

        `modules`: the only ones that count, as words; `*` for all. `seen`: what was there when the
        step looked; None: what is there now. A directory's `path` ends in `/`; of one outside of
        the repository it is absolute.
        """
        folder = path.removeprefix("./").rstrip("/") or path[:1].removeprefix(".")
        prefix = f"{folder.rstrip('/')}/" if folder else ""
        there = self._tree.names(self.anchors.located(folder)) if seen is None else seen
        if there is None:
            makes = any(one.startswith(prefix) for one in ours)  # it finds none, and makes it
            if folder not in self._folders and not makes:
                return Input(path=path, digest=ABSENT)
        names = set(there or ())
        if self._later_writes.owns(folder, index) and not self._tree.tracked(prefix):
            return Input(path=path, digest=_listing((), modules))
        if self._expected or self._leftovers or self._tree.is_hidden(""):
            names = {name for name in names if not self._goes(prefix + name)}
        inside = (one[len(prefix) :] for one in ours if one.startswith(prefix))
        mine = {one.partition("/")[0] for one in inside}
        mine |= self._later_writes.names(folder, index)
        names -= {name for name in names & mine if not self._stays(prefix + name, index)}
        names |= self._folders.get(folder, set())
        if modules is not None:
            wanted = frozenset(modules.split())
            names = {name for name in names if self._is_module(prefix, name, wanted)}
        kept = sorted(
            name
            for name in names
            if not is_exempt(prefix + name) and not self.is_state(prefix + name)
        )
        return Input(path=path, digest=_listing(kept, modules))

    def later_name(
        self, path: str, index: int, modules: str | None, seen: Iterable[str] | None
    ) -> str:
        """A name in a directory that counts, that was there when the step looked, and that only a
        later step writes; empty if there is none. See `listing`.
        """
        folder = path.removeprefix("./").rstrip("/")
        prefix = f"{folder}/" if folder else ""
        there = self._tree.names(self.anchors.located(folder)) if seen is None else seen
        wanted = None if modules is None else frozenset(modules.split())
        hidden = (name for name in there or () if self.is_hidden(prefix + name, index))
        counted = (n for n in hidden if wanted is None or self._is_module(prefix, n, wanted))
        return next((prefix + name for name in counted), "")

    def _is_module(self, prefix: str, name: str, wanted: frozenset[str]) -> bool:
        """True for what could be one of the wanted modules, or says what is installed."""
        if MAKE in wanted:
            return could_mean(name, wanted)
        if name.endswith(INFO):
            return True
        if "*" not in wanted and not could_be(name, wanted):
            return False
        path = self.anchors.located(prefix + name)
        inner = path in self._folders or self._tree.is_directory(path)
        return path.endswith(SUFFIXES) or inner


def _nothing_left(_step: str) -> Left:
    return (), ()


def _is_script(path: str) -> bool:
    """True for a text that names its interpreter."""
    try:
        with open(path, "rb") as file:
            return file.read(len(SCRIPT)) == SCRIPT
    except OSError:
        return False


def _listing(names: Iterable[str], modules: str | None) -> str:
    """The digest of a listing."""
    text = "/".join(names)
    if len(text) > MOST_NAMES:
        plain = text.encode("utf-8", "surrogateescape")
        text = f"{text.count('/') + 1}:{blake3(plain).hexdigest()}"
    return f"{NAMES}{text}" if modules is None else f"{MODULES}{text}|{modules}"
