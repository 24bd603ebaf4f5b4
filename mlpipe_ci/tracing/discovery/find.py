"""From a trace to discovered inputs and outputs: what the command read that nobody declared."""

import os
import stat
from collections.abc import Iterator, Mapping

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above, is_glob, is_under, literal_prefix
from mlpipe_ci.core.patterns import matches
from mlpipe_ci.core.workflow import Step
from mlpipe_ci.tracing.access_log import (
    APPENDED,
    CHANGED,
    DROPPED,
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
from mlpipe_ci.tracing.discovery.check import ABSENT, LOG, VARIABLE, InputChecker
from mlpipe_ci.tracing.discovery.noise import CACHE, TEMPORARY, is_noise, source_of
from mlpipe_ci.tracing.discovery.outside import OutsideAccess, changed

MOST_SOURCE = 1 << 20
SLACK = 0.1
"""Seconds by which the clock that stamps files may be behind."""


@frozen
class Discovered:
    """What a command did, in the words of the workflow file; paths are relative to the root."""

    inputs: tuple[Input, ...] = ()
    """As they are now."""
    reads: tuple[str, ...] = ()
    """Files of the inputs that it read."""
    writes: tuple[str, ...] = ()
    """Files that it wrote and did not declare."""
    rewrites: tuple[str, ...] = ()
    """Files that it read and then changed."""
    removes: tuple[str, ...] = ()
    """Files that it removed and had not written."""
    logs: tuple[str, ...] = ()
    """Files that it only added to: they stay where they are from run to run."""
    outside: tuple[str, ...] = ()
    """What it wrote outside of the repository."""
    environments: tuple[str, ...] = ()
    """Python environments that it made."""
    meanwhile: str = ""
    """A file that somebody else changed while it ran."""
    variables: tuple[str, ...] = ()
    """Environment variables that it used."""


class InputDiscovery:
    """Reads the trace of one command. `index`: the step's in the workflow; `started`: seconds since
    1970; `env`: the environment that the command had.
    """

    def __init__(
        self,
        root: str,
        step: Step,
        index: int,
        checker: InputChecker,
        started: float,
        env: Mapping[str, str],
    ) -> None:
        self._root, self._step, self._index = os.path.realpath(root), step, index
        self._checker, self._started, self._env = checker, started - SLACK, env
        self._wanted = [pattern for pattern in step.reads if not pattern.startswith("!")]
        self._declared = {name for name, _ in step.env} | {one.name for one in step.secret_env}
        self._excluded = [pattern[1:] for pattern in step.reads if pattern.startswith("!")]

    def discover(self, trace: Trace, params: tuple[str, ...]) -> Discovered:
        """Sort what was seen. `params`: files whose values count in the key by themselves."""
        self._outside = accesses = OutsideAccess(self._root, self._env, trace)
        flags = self._inside(trace)
        logs = tuple(sorted(path for path, flag in flags.items() if self._is_log(path, flag)))
        writes = tuple(sorted(set(self._written(flags)).difference(logs)))
        rewrites = tuple(sorted(p for p, f in flags.items() if f & CHANGED and self._is_new(p)))
        removes = tuple(
            sorted(p for p, f in flags.items() if f & GONE and not os.path.lexists(self._at(p)))
        )
        known = params if self._step.names_params else ()
        covered = {*writes, *rewrites, *removes, *logs, *known}
        reads = sorted(
            path
            for path, flag in flags.items()
            if flag & READ and path not in covered and not self._is_declared(path)
        )
        modules = self._modules(flags, trace)
        found = [self._checker.content(path) for path in (*reads, *self._links(trace))]
        outside = [*accesses.outside(READ), *accesses.programs()]
        found += [self._checker.content(path) for path in outside]
        found += [Input(path=path, digest=LOG) for path in logs]
        found += self._looked_up(flags, {*covered, *reads}, (*writes, *logs), modules)
        for path in accesses.outside(LISTED):
            if path in TEMPORARY:
                continue
            imported = modules if trace.paths[path] & IMPORTED else None
            found.append(self._checker.listing(f"{path}/", self._index, (), imported))
        found += self._checker.environment.loaded(trace.programs, trace.packages)
        named = self._variables(flags)
        found += [
            Input(path=VARIABLE + name, digest=self._checker.variable(name))
            for name in named | (accesses.of_python() - self._declared)
        ]
        unique = {item.path: item for item in found}
        return Discovered(
            inputs=tuple(unique[path] for path in sorted(unique)),
            reads=tuple(reads),
            writes=writes,
            rewrites=rewrites,
            removes=removes,
            logs=logs,
            outside=tuple(accesses.outside(OURS | CHANGED | APPENDED)),
            environments=accesses.made(),
            meanwhile=self._meanwhile(trace, outside),
            variables=tuple(sorted(name for name in named if name in self._env)),
        )

    def _inside(self, trace: Trace) -> dict[str, int]:
        """Flags of paths in the repository that count, by their relative path."""
        found: dict[str, int] = {}
        prefix = f"{self._root}/"
        for whole, flag in trace.paths.items():
            if whole != self._root and not whole.startswith(prefix):
                continue
            path = whole[len(prefix) :]
            source = source_of(path)
            if source and flag & READ and os.path.lexists(self._at(source)):
                found[source] = found.get(source, 0) | READ
            elif any(is_under(whole, other) for other in self._outside.beside):
                continue
            elif is_noise(path):
                cache = CACHE.match(path)
                if cache and flag & READ and not self._outside.fills(cache[0]):
                    found[path] = flag
            elif path.endswith(".py") and flag & FOUND and not flag & (GONE | OURS):
                found[path] = found.get(path, 0) | flag | READ  # byte code may lie elsewhere
            else:
                found[path] = found.get(path, 0) | flag
        return found

    def _meanwhile(self, trace: Trace, outside: list[str]) -> str:
        """What it read outside, or a directory that it listed, which somebody changed meanwhile."""
        started = self._started + SLACK
        for path in outside:
            if changed(path, started) and not trace.paths.get(path, 0) & (OWN | CHANGED):
                return path
        own = {os.path.dirname(path) for path, flag in trace.paths.items() if flag & OWN}
        for path, flag in trace.paths.items():
            listed = flag & LISTED and not flag & (IMPORTED | MADE | TREE)
            inside = path.startswith(f"{self._root}/")
            name = path[len(self._root) + 1 :]
            counts = listed and inside and path not in own and not is_noise(name)
            if counts and changed(path, started):
                return name
        return ""

    def _is_log(self, path: str, flag: int) -> bool:
        """True for a file that was only added to. `touch` adds nothing: it makes a file."""
        if not flag & APPENDED or self._is_output(path) or self._is_declared(path):
            return False
        try:
            return not flag & OURS or os.lstat(self._at(path)).st_size > 0
        except OSError:
            return False

    def _written(self, flags: Mapping[str, int]) -> Iterator[str]:
        """Files and links that the step wrote, is not declared to write, and left there."""
        for path, flag in flags.items():
            if self._is_output(path) or self._is_declared(path):
                continue
            if flag & OURS and self._is_new(path):
                yield path
            elif flag & TREE and os.path.isdir(self._at(path)):
                for top, folders, names in os.walk(self._at(path)):
                    directory = os.path.relpath(top, self._root)
                    whole = [f"{directory}/{name}" for name in names]
                    whole += [f"{directory}/{n}" for n in folders if os.path.islink(f"{top}/{n}")]
                    whole += [] if names or folders else [directory]
                    yield from (one for one in whole if not is_noise(one))
            elif flag & MADE and os.path.isdir(self._at(path)) and not os.listdir(self._at(path)):
                yield path

    def _looked_up(
        self,
        flags: Mapping[str, int],
        covered: set[str],
        writes: tuple[str, ...],
        modules: str,
    ) -> Iterator[Input]:
        """What was listed, found and missed, where nothing else says it already."""
        below = (*covered, *writes, *(path.rstrip("/") for path in self._step.writes))
        inner = {folder for path in below for folder in above(path)} | {""}
        for path, flag in sorted(flags.items()):
            if flag & LISTED and not flag & (TREE | OURS) and not self._is_described(path):
                imported = modules if flag & IMPORTED else None
                yield self._checker.listing(f"{path or '.'}/", self._index, writes, imported)
            elif (
                path in covered
                or path in inner
                or self._is_output(path)
                or flag & (MADE | OURS | TREE | DROPPED | GONE | APPENDED)
                or self._is_declared(path)
            ):
                continue
            elif flag & NOT_FOUND and not flag & (FOUND | READ):
                yield Input(path=path, digest=ABSENT)
            elif flag & STATED and os.path.isfile(self._at(path)):
                yield self._checker.content(path)
            elif flag & FOUND:
                yield Input(path=path, digest=self._checker.kind(path))

    def _links(self, trace: Trace) -> Iterator[str]:
        prefix = f"{self._root}/"
        for whole in trace.links:
            path = whole.removeprefix(prefix)
            flag = trace.paths.get(whole, 0)
            if path.startswith("/"):
                if self._outside.is_data(path):
                    yield path
            elif not is_noise(path) and not self._is_output(path) and not flag & OURS:
                yield path

    def _variables(self, flags: Mapping[str, int]) -> set[str]:
        """Environment variables that the step's command and its sources name."""
        step = self._step
        found = env_variables.named_in_command(step.shell, step.run)
        for path, flag in flags.items():
            name = path.rpartition("/")[2]
            if flag & READ and (path.endswith(env_variables.SOURCES) or "." not in name):
                found |= env_variables.variables_in(path, self._text(path))
        return found - self._declared

    def _modules(self, flags: Mapping[str, int], trace: Trace) -> str:
        """Modules that the step's sources, or what they import, may ask for; `*` for any."""
        found = module_names.standard(trace.library)
        found |= {top.partition(".")[0] for _, top in trace.packages}
        sources = [path for path, flag in flags.items() if flag & READ and _is_python(path)]
        for text in (self._step.run, *map(self._text, sources)):
            names = module_names.modules_in(text)
            if names is None:
                return "*"
            found |= names
        return " ".join(sorted(found))

    def _text(self, path: str) -> str:
        try:
            if os.stat(self._at(path)).st_size > MOST_SOURCE:
                return ""
            with open(self._at(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def _is_declared(self, path: str) -> bool:
        """True if the step's own patterns mean it, or leave it out."""
        patterns = (*self._wanted, *self._excluded)
        return any(matches(pattern, path) for pattern in patterns)

    def _is_described(self, folder: str) -> bool:
        """True if the step declares all of a directory, or says what does not count in it."""
        whole = (f"{folder}/*", f"{folder}/**", f"{folder}/**/*") if folder else ("*", "**", "**/*")
        return any(matches(one, folder) or one in whole for one in self._wanted) or any(
            matches(one, folder) or (is_glob(one) and literal_prefix(one) == folder)
            for one in self._excluded
        )

    def _is_output(self, path: str) -> bool:
        return any(is_under(path, declared) for declared in self._step.writes)

    def _is_new(self, path: str) -> bool:
        """True if it was really written: a call may have failed."""
        try:
            now = os.lstat(self._at(path))
        except OSError:
            return False
        regular = stat.S_ISREG(now.st_mode) or stat.S_ISLNK(now.st_mode)
        return regular and now.st_ctime >= self._started

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


def _is_python(path: str) -> bool:
    return path.endswith(env_variables.PYTHON_SUFFIXES) or "." not in path.rpartition("/")[2]
