"""From a trace to discovered inputs and outputs: what the command saw, and what it left.

An input is what was there at the first look, before the step's own first write to it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.paths import above, is_under
from mlpipe_ci.core.state_paths import is_of_joblib, is_remade, state_top
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.tracing.access_log import (
    APPENDED,
    CHANGED,
    DROPPED,
    FOR_MAKE,
    FOUND,
    GONE,
    IMPORTED,
    LISTED,
    MADE,
    NOT_FOUND,
    OURS,
    OWN,
    READ,
    STATED,
    TREE,
)
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery import env_variables, module_names
from mlpipe_ci.tracing.discovery.discovered import Discovered
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.exceptions import ENVIRONMENT, GIT, is_exempt, source_of
from mlpipe_ci.tracing.discovery.first_look import FirstLook
from mlpipe_ci.tracing.discovery.kinds import ABSENT, IGNORED, LOG, PROGRAM, STATE, VARIABLE
from mlpipe_ci.tracing.discovery.make_names import is_makefile, words_of
from mlpipe_ci.tracing.discovery.outside import OutsideAccess
from mlpipe_ci.tracing.discovery.packages import modules_of
from mlpipe_ci.tracing.discovery.step_variables import UsedVariables, own_texts
from mlpipe_ci.tracing.discovery.watched_step import WatchedStep
from mlpipe_ci.tracing.discovery.what_it_left import WhatItLeft

MOST_SOURCE = 1 << 20
PYTHON_SUFFIXES = (".py", ".pyw", ".ipynb")
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "LD_PRELOAD")
SLACK = 0.1
"""Seconds by which the clock that stamps files may be behind."""
OWN_NAMES = frozenset({"sitecustomize", "usercustomize"})
"""Modules that Python looks for although nobody names them."""
IN_PLACE = "it changes {} in place, and what was there before is not known: make it from scratch"


class InputDiscovery:
    """Reads the trace of one command. `index`: the step's in the workflow; `started`: seconds since
    1970; `env`: the environment that the command had.
    """

    def __init__(
        self,
        root: str,
        step: Step,
        index: int,
        known: Discovery,
        started: float,
        env: Mapping[str, str],
    ) -> None:
        self._root, self._step, self._index = os.path.realpath(root), step, index
        self._known, self._checker, self._variables = known, known.checker, known.variables
        self._started, self._env = started, env

    def discover(self, trace: Trace, params: tuple[str, ...]) -> Discovered:
        """Sort what was seen. `params`: files whose values count in the key by themselves."""
        self._trace, self._outside = trace, OutsideAccess(self._root, self._env, trace)
        self._watched = watched = WatchedStep(
            root=self._root,
            step=self._step,
            index=self._index,
            started=self._started,
            env=self._env,
            trace=trace,
            checker=self._checker,
            readers=self._known.readers,
        )
        self._look = look = FirstLook(watched)
        left = WhatItLeft(watched, look)
        everything = self._inside()
        flags = {p: f for p, f in everything.items() if not self._checker.is_state(p)}
        ways = _ways_of_joblib(everything)
        for path in ways:
            flags.pop(path, 0)
        self._own = tuple(path for path, flag in flags.items() if flag & OWN)
        logs = tuple(sorted(path for path, flag in everything.items() if left.is_log(path, flag)))
        rewrites = tuple(sorted(p for p, f in everything.items() if left.is_changed(p, f)))
        written = {*left.written(everything), *(p for p in rewrites if not watched.is_told(p))}
        written -= {path for path in ways if os.path.isdir(watched.at(path))}
        made = {path for path in logs if everything[path] & OURS}
        writes = tuple(sorted(written.difference(logs) | made))
        removes = tuple(
            sorted(p for p, f in flags.items() if f & GONE and not os.path.lexists(watched.at(p)))
        )
        known = params if self._step.names_params else ()
        covered = {*writes, *removes, *logs, *known}
        reads = sorted(
            path
            for path, flag in flags.items()
            if (path in rewrites or (flag & READ and path not in covered))
            and not watched.is_told(path)
        )
        modules = self._modules(flags)
        found = [look.content(path, changed=path in rewrites) for path in reads]
        found += [Input(path=path, digest=LOG) for path in logs if path in flags]
        found += self._links()
        found += self._looked_up(flags, {*covered, *reads}, (*writes, *logs), modules)
        found += self._found_outside(modules)
        found += self._programs()
        found += self._ignored()
        found += self._library_paths()
        found += self._checker.environment.loaded(trace, modules)
        state = tuple(self._others_state(everything, {*flags, *rewrites}))
        variables = self._used_variables(flags)
        found += variables.inputs
        unique = {item.path: item for item in found}
        return Discovered(
            inputs=tuple(unique[path] for path in sorted(unique)),
            reads=tuple(reads),
            writes=writes,
            rewrites=rewrites,
            removes=removes,
            logs=logs,
            outside=tuple(self._outside.written()),
            environments=self._outside.made(),
            installed=tuple(map(self._shown, self._outside.installed())),
            state=state,
            meanwhile=look.meanwhile or self._installed(unique.values()),
            unstorable=look.unstorable,
            variables=variables.named,
        )

    def _inside(self) -> dict[str, int]:
        """Flags of paths in the repository that count, by their relative path."""
        found: dict[str, int] = {}
        prefix = f"{self._root}/"
        for whole, flag in self._trace.paths.items():
            if whole != self._root and not whole.startswith(prefix):
                continue
            path = whole[len(prefix) :]
            source = source_of(path)
            if source and (flag & OWN or os.path.lexists(self._watched.at(source))):
                if flag & READ and not flag & OWN:
                    found[source] = found.get(source, 0) | READ
            elif (is_exempt(path) and not source) or self._is_of_environment(whole):
                continue
            elif path.endswith(".py") and flag & FOUND and not flag & (GONE | OURS):
                found[path] = found.get(path, 0) | flag | READ  # byte code may lie elsewhere
            else:
                found[path] = found.get(path, 0) | flag
        return found

    def _is_of_environment(self, whole: str) -> bool:
        """True for what lies in an environment of Python in the repository."""
        return whole != self._root and self._outside.environments.holds(whole)

    def _others_state(self, flags: Mapping[str, int], but: set[str]) -> Iterator[Input]:
        """What it saw of the state of other steps, and has not changed.

        Who adds to what is there looks for names in it; that counts once some content is read.
        """
        mine = OWN | OURS | APPENDED | GONE | TREE | DROPPED
        state = {p: f for p, f in flags.items() if p not in but and self._checker.is_state(p)}
        added = {
            self._top(path) for path, flag in state.items() if flag & mine and self._keeps(path)
        }
        others = {
            path: flag
            for path, flag in sorted(state.items())
            if not flag & mine and self._checker.is_others_state(path, self._index)
        }
        read = [path for path, flag in others.items() if flag & (READ | STATED)]
        contents = [path for path in read if self._watched.has_content(path)]
        yield from map(self._look.state_content, contents)
        added.difference_update(map(self._top, contents))
        for path in others.keys() - contents:
            flag = others[path]
            if self._top(path) in added:
                continue
            if flag & LISTED:
                yield self._look.state_listing(path)
            elif flag & NOT_FOUND and not flag & (FOUND | READ | MADE):
                yield Input(path=path, digest=STATE + ABSENT)

    def _top(self, path: str) -> str:
        return state_top(path, self._checker.known_state.patterns)

    def _keeps(self, path: str) -> bool:
        """True for what it leaves as state that is not made anew where it is missing."""
        return not is_remade(path) and self._watched.has_content(path)

    def _shown(self, whole: str) -> str:
        inside = whole.removeprefix(f"{self._root}/")
        return inside if inside != whole else self._checker.anchors.spelled(whole)

    def _installed(self, inputs: Iterable[Input]) -> str:
        """A distribution that somebody installed while the step ran."""
        return self._checker.environment.changed(inputs, self._trace, self._started)

    # -- what it looked up ----------------------------------------------------------------------

    def _looked_up(
        self,
        flags: Mapping[str, int],
        covered: set[str],
        ours: tuple[str, ...],
        modules: str,
    ) -> Iterator[Input]:
        """What was listed, found and missed, where nothing else says it already."""
        below = (*covered, *ours, *(path.rstrip("/") for path in self._step.writes))
        inner = {folder for path in below for folder in above(path)} | {""}
        for path, flag in sorted(flags.items()):
            gone = flag & (TREE | OURS | DROPPED)
            if flag & LISTED and not gone and not self._watched.is_described(path):
                yield self._look.listing(
                    path, (*ours, *self._own), self._wanted_by(flag, flags, modules)
                )
            elif self._watched.is_output(path) or self._watched.is_declared(path):
                continue
            elif flag & NOT_FOUND and not flag & (FOUND | READ | GONE | LISTED):
                if path not in inner or not flag & MADE:
                    yield Input(path=path, digest=ABSENT)
            elif path in covered or path in inner or flag & (OWN | APPENDED):
                continue
            elif flag & STATED and self._watched.has_content(path):
                yield self._look.content(path)
            elif flag & FOUND:
                if self._checker.is_hidden(path, self._index):
                    self._look.refuse(path)
                yield Input(path=path, digest=self._checker.kind(path, self._index))

    def _wanted_by(self, flag: int, flags: Mapping[str, int], modules: str) -> str | None:
        """The only names that count for who has listed a directory; None: all do."""
        if flag & FOR_MAKE:
            paths = (path for path, seen in flags.items() if seen & READ and is_makefile(path))
            return words_of((self._step.run, *map(self._text, paths)))
        return modules if flag & IMPORTED else None

    def _links(self) -> Iterator[Input]:
        """Links that were followed, and where they led."""
        prefix = f"{self._root}/"
        for whole, target in self._trace.links.items():
            path = whole.removeprefix(prefix)
            flag = self._trace.paths.get(whole, 0)
            if path.startswith("/"):
                if self._outside.is_data(path):
                    for spelled in self._checker.anchors.spellings(path):
                        yield Input(path=spelled, digest=f"link:{target}")
            elif not (is_exempt(path) or self._is_of_environment(whole)) and not (
                self._watched.is_output(path) or flag & OWN
            ):
                yield Input(path=path, digest=f"link:{target}")

    def _found_outside(self, modules: str) -> Iterator[Input]:
        """What was read, listed, found and missed outside of the repository."""
        for whole, flag in self._outside.seen():
            for path in self._checker.anchors.spellings(whole):
                yield from self._seen_outside(path, whole, flag, modules)

    def _seen_outside(self, path: str, whole: str, flag: int, modules: str) -> Iterator[Input]:
        if flag & (READ | STATED) and os.path.isfile(whole):
            yield self._look.content(path, changed=bool(flag & CHANGED))
        elif flag & LISTED:
            imported = modules if flag & IMPORTED else None
            yield self._look.listing(f"{path.rstrip('/')}/", (), imported)
        elif flag & NOT_FOUND and not flag & (FOUND | READ):
            yield Input(path=path, digest=ABSENT)
        elif flag & (FOUND | READ):
            yield Input(path=path, digest=self._checker.kind(path, self._index))

    def _ignored(self) -> Iterator[Input]:
        """What it read that counts for nothing, and why: one for each place."""
        prefix, places = f"{self._root}/", dict[str, str]()
        for whole, flag in self._trace.paths.items():
            if not flag & READ or flag & OWN:
                continue
            if not whole.startswith(prefix):
                place, reason = self._outside.ignored(whole)
                if place:
                    places[self._checker.anchors.spelled(place)] = reason
            elif ".git" in whole[len(prefix) :].split("/"):
                places[".git"] = GIT
            elif self._is_of_environment(whole):
                path = self._outside.environments.top(whole)
                places[path[len(prefix) :] or "."] = ENVIRONMENT
        for place, reason in places.items():
            yield Input(path=place, digest=IGNORED + reason)

    def _library_paths(self) -> Iterator[Input]:
        """Where programs look for libraries first, if they found one there that counts."""
        read = [path for path, flag in self._trace.paths.items() if flag & READ]
        here = os.path.join(self._root, self._step.working_directory)
        for name in LIBRARY_PATHS:
            entries = [entry for entry in self._env.get(name, "").split(":") if entry]
            paths = [os.path.realpath(os.path.join(here, entry)) for entry in entries]
            if any(is_under(path, entry) for entry in paths for path in read):
                asked = Input(path=VARIABLE + name, digest=ABSENT)
                yield self._variables.current(asked, self._step)

    def _programs(self) -> Iterator[Input]:
        """Programs that ran: by their name where PATH finds them, else by what is in them."""
        path = self._env.get("PATH", os.defpath)
        for named, file in self._outside.programs():
            name = os.path.basename(named)
            if shutil.which(name, path=path) == named or "/" not in named:
                yield Input(path=PROGRAM + name, digest=self._checker.program(name))
            elif not file.startswith(f"{self._root}/"):
                digest = self._checker.of_program(file)
                if digest.startswith("blake3:"):
                    spelled = self._checker.anchors.spelled(file)
                    yield self._checker.content(spelled, self._index)

    # -- what its sources name ------------------------------------------------------------------

    def _used_variables(self, flags: Mapping[str, int]) -> UsedVariables:
        """Environment variables that count, by the step's texts and by what ran."""
        trace, held = self._trace, self._outside.environments.holds
        read = [self._watched.at(path) for path, flag in flags.items() if flag & READ]
        read += [path for path, flag in self._outside.seen() if flag & READ]
        read += [file for _, file in self._outside.programs() if not held(file)]
        files = own_texts(dict.fromkeys(read))
        loaded = bool(trace.packages or trace.library)
        ran = env_variables.kinds((file for _, file in trace.programs), python=loaded)
        return self._variables.used(self._step, files, ran)

    def _modules(self, flags: Mapping[str, int]) -> str:
        """Modules that the step's sources, or what they import, may ask for; `*` for any."""
        found = module_names.standard(self._trace.library) | OWN_NAMES
        found |= modules_of(below for _, below in self._trace.packages)
        sources = [path for path, flag in flags.items() if flag & READ and _is_python(path)]
        for text in (self._step.run, *map(self._text, sources)):
            names = module_names.modules_in(text)
            if names is None:
                return "*"
            found |= names
        return " ".join(sorted(found))

    def _text(self, path: str) -> str:
        try:
            if os.stat(self._watched.at(path)).st_size > MOST_SOURCE:
                return ""
            with open(self._watched.at(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""


def _ways_of_joblib(flags: Mapping[str, int]) -> set[str]:
    """Directories of what joblib keeps, and those above: it makes them where they are missing."""
    kept = {path.rpartition("/joblib/")[0] for path in flags if is_of_joblib(path)}
    tops = {f"{folder}/joblib" if folder else "joblib" for folder in kept}
    ways = {folder for top in tops for folder in (top, *above(top))}
    inner = {path for path in flags if any(is_under(path, top) for top in tops)}
    return {path for path in ways | inner if not flags.get(path, 0) & (READ | LISTED)}


def _is_python(path: str) -> bool:
    return path.endswith(PYTHON_SUFFIXES) or "." not in path.rpartition("/")[2]
