"""From a trace to discovered inputs and outputs: what the command saw, and what it left.

An input is what was there at the first look, before the step's own first write to it.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import above, is_glob, is_under, literal_prefix
from mlpipe_ci.core.patterns import matches
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
    Signature,
)
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery import env_variables, module_names
from mlpipe_ci.tracing.discovery.check import ABSENT, IGNORED, LOG, PROGRAM, VARIABLE
from mlpipe_ci.tracing.discovery.discovery import Discovery
from mlpipe_ci.tracing.discovery.exceptions import ENVIRONMENT, GIT, is_exempt, source_of
from mlpipe_ci.tracing.discovery.make_names import is_makefile, words_of
from mlpipe_ci.tracing.discovery.outside import OutsideAccess
from mlpipe_ci.tracing.discovery.packages import modules_of
from mlpipe_ci.tracing.discovery.step_variables import UsedVariables, own_texts
from mlpipe_ci.tracing.file_identity import content_digest, signature_of

MOST_SOURCE = 1 << 20
PYTHON_SUFFIXES = (".py", ".pyw", ".ipynb")
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "LD_PRELOAD")
SLACK = 0.1
"""Seconds by which the clock that stamps files may be behind."""
OWN_NAMES = frozenset({"sitecustomize", "usercustomize"})
"""Modules that Python looks for although nobody names them."""
IN_PLACE = "it changes {} in place, and what was there before is not known: make it from scratch"


@frozen
class Discovered:
    """What a command did, in the words of the workflow file; paths are relative to the root."""

    inputs: tuple[Input, ...] = ()
    """As they were when the step looked first."""
    reads: tuple[str, ...] = ()
    """Files of the inputs that it read."""
    writes: tuple[str, ...] = ()
    """Files that it wrote and did not declare; also those that it changed in place."""
    rewrites: tuple[str, ...] = ()
    """Files that it read and then changed."""
    removes: tuple[str, ...] = ()
    """Files that it removed and had not written."""
    logs: tuple[str, ...] = ()
    """Files that it only added to, and nobody else reads: they stay from run to run."""
    outside: tuple[str, ...] = ()
    """What it wrote outside of the repository."""
    environments: tuple[str, ...] = ()
    """Python environments that it made."""
    meanwhile: str = ""
    """A file that somebody else changed while it ran."""
    unstorable: str = ""
    """Why it is not known what it saw."""
    variables: tuple[str, ...] = ()
    """Environment variables that it used."""
    state_reads: tuple[str, ...] = ()
    """Files of a tool's memory that it read, and did not write."""


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
        self._checker, self._variables = known.checker, known.variables
        self._readers = known.readers
        self._started, self._env = started - SLACK, env
        self._wanted = [pattern for pattern in step.reads if not pattern.startswith("!")]
        self._excluded = [pattern[1:] for pattern in step.reads if pattern.startswith("!")]

    def discover(self, trace: Trace, params: tuple[str, ...]) -> Discovered:
        """Sort what was seen. `params`: files whose values count in the key by themselves."""
        self._trace = trace
        self._outside = OutsideAccess(self._root, self._env, trace)
        self._meanwhile = self._unstorable = ""
        everything = self._inside()
        flags = {p: f for p, f in everything.items() if not self._checker.is_state(p)}
        self._own = tuple(path for path, flag in flags.items() if flag & OWN)
        logs = tuple(sorted(path for path, flag in everything.items() if self._is_log(path, flag)))
        rewrites = tuple(sorted(p for p, f in everything.items() if self._is_changed(p, f)))
        written = {*self._written(everything), *(p for p in rewrites if not self._is_told(p))}
        made = {path for path in logs if everything[path] & OURS}
        writes = tuple(sorted(written.difference(logs) | made))
        removes = tuple(
            sorted(p for p, f in flags.items() if f & GONE and not os.path.lexists(self._at(p)))
        )
        known = params if self._step.names_params else ()
        covered = {*writes, *removes, *logs, *known}
        reads = sorted(
            path
            for path, flag in flags.items()
            if (path in rewrites or (flag & READ and path not in covered))
            and not self._is_declared(path)
            and not self._is_output(path)
        )
        modules = self._modules(flags)
        found = [self._content(path, changed=path in rewrites) for path in reads]
        found += [Input(path=path, digest=LOG) for path in logs]
        found += self._links()
        found += self._looked_up(flags, {*covered, *reads}, (*writes, *logs), modules)
        found += self._found_outside(modules)
        found += self._programs()
        found += self._ignored()
        found += self._library_paths()
        found += self._checker.environment.loaded(trace, modules)
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
            state_reads=tuple(sorted(self._memory(everything, {*flags, *rewrites}))),
            meanwhile=self._meanwhile or self._installed(trace, unique.values()),
            unstorable=self._unstorable,
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
            if source and (flag & OWN or os.path.lexists(self._at(source))):
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

    def _memory(self, flags: Mapping[str, int], but: set[str]) -> Iterator[str]:
        """Files of a tool's memory that it read and has not changed."""
        for path, flag in flags.items():
            if path not in but and flag & READ and not flag & (OWN | APPENDED):
                yield path

    # -- what was there at the first look -------------------------------------------------------

    def _before(self, whole: str, flag: int) -> str:
        """The digest of what was in a file before the step changed it; empty if it is not known.

        Of one that was only added to it is that of its beginning.
        """
        first = self._trace.first.get(whole)
        if first and flag & APPENDED and not flag & CHANGED:
            return content_digest(whole, first[0])
        return self._trace.before.get(whole, "")

    def _content(self, path: str, *, changed: bool = False) -> Input:
        """A file as it was when the step looked at it first. `path` as an input has it."""
        whole = self._whole(path)
        if self._checker.is_hidden(path, self._index):
            self._refuse(path)
        before = self._before(whole, self._trace.paths.get(whole, 0))
        if changed and before:
            return Input(path=path, digest=before, executable=_is_executable(whole))
        if changed:
            self._cannot(IN_PLACE.format(path))
        first, now = self._trace.first.get(whole), _signature(whole)
        if first is None or now is None:
            since = (self._started + SLACK) * 1e9
            if now is not None and max(now[1], now[2]) > since and not changed:
                self._meanwhile = self._meanwhile or path
        elif first != now and not changed and not before:  # with it: the same bytes again
            known = self._checker.recall(path, first)
            if known:
                return Input(path=path, digest=known, executable=_is_executable(whole))
            self._meanwhile = self._meanwhile or path
        return self._checker.content(path, self._index)

    def _refuse(self, path: str) -> None:
        """What only a later step writes was there: another step had run before its turn."""
        if path:
            self._cannot(
                f"it saw {path}, which a later step writes; list that step before this one, or "
                "run without --jobs"
            )

    def _cannot(self, why: str) -> None:
        self._unstorable = self._unstorable or why

    def _whole(self, path: str) -> str:
        """The absolute path of an input here."""
        return self._checker.anchors.located(path) if path.startswith("/") else self._at(path)

    def _listing(self, path: str, ours: tuple[str, ...], modules: str | None) -> Input:
        """The names in a directory when the step listed it first."""
        seen = self._trace.names.get(self._whole(path))
        name = path if path.endswith("/") else f"{path or '.'}/"
        if not path.startswith("/"):
            self._refuse(self._checker.later_name(name, self._index, modules, seen))
        return self._checker.listing(name, self._index, ours, modules, seen)

    # -- what the step left ---------------------------------------------------------------------

    def _is_log(self, path: str, flag: int) -> bool:
        """True for a file that was only added to. `touch` adds nothing: it makes a file."""
        if not flag & APPENDED or self._is_told(path) or self._is_anothers(path):
            return False
        if self._readers.has_other(path, self._index):
            return False
        try:
            return not flag & OURS or os.lstat(self._at(path)).st_size > 0
        except OSError:
            return False

    def _is_anothers(self, path: str) -> bool:
        """True for a file that an earlier step makes: who adds to that changes it."""
        return self._checker.is_made_before(path, self._index)

    def _is_changed(self, path: str, flag: int) -> bool:
        """True for a file that was there and has other bytes now: a call may have failed, and who
        opens a database to read it opens it for writing.
        """
        added = flag & APPENDED and not flag & OURS and self._is_anothers(path)
        whole = self._at(path)
        first, now = self._trace.first.get(whole), _signature(whole)
        if now is None or not (flag & CHANGED or added):
            return False
        if before := self._before(whole, flag):
            return before != content_digest(whole)
        return first != now if first else now[2] >= self._started * 1e9

    def _installed(self, trace: Trace, inputs: Iterable[Input]) -> str:
        """A distribution that somebody installed meanwhile."""
        environment = self._checker.environment
        return environment.changed(inputs, trace, self._started + SLACK)

    def _written(self, flags: Mapping[str, int]) -> Iterator[str]:
        """Files and links that the step made, is not declared to write, and left there."""
        for path, flag in flags.items():
            if self._is_told(path):
                continue
            if flag & OURS and self._is_new(path):
                yield path
            elif flag & TREE and os.path.isdir(self._at(path)):
                for top, folders, names in os.walk(self._at(path)):
                    directory = os.path.relpath(top, self._root)
                    whole = [f"{directory}/{name}" for name in names]
                    whole += [f"{directory}/{n}" for n in folders if os.path.islink(f"{top}/{n}")]
                    whole += [] if names or folders else [directory]
                    yield from (one for one in whole if not is_exempt(one))
            elif flag & MADE and os.path.isdir(self._at(path)) and not os.listdir(self._at(path)):
                yield path

    def _is_new(self, path: str) -> bool:
        """True if there is a file or a link that was really written: a call may have failed."""
        try:
            now = os.lstat(self._at(path))
        except OSError:
            return False
        regular = stat.S_ISREG(now.st_mode) or stat.S_ISLNK(now.st_mode)
        return regular and now.st_ctime >= self._started

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
            if flag & LISTED and not gone and not self._is_described(path):
                yield self._listing(
                    path, (*ours, *self._own), self._wanted_by(flag, flags, modules)
                )
            elif self._is_output(path) or self._is_declared(path):
                continue
            elif flag & NOT_FOUND and not flag & (FOUND | READ | GONE | LISTED):
                if path not in inner or not flag & MADE:
                    yield Input(path=path, digest=ABSENT)
            elif path in covered or path in inner or flag & (OWN | APPENDED):
                continue
            elif flag & STATED and self._has_content(path):
                yield self._content(path)
            elif flag & FOUND:
                if self._checker.is_hidden(path, self._index):
                    self._refuse(path)
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
                    spelled = self._checker.anchors.spelled(path)
                    yield Input(path=spelled, digest=f"link:{target}")
            elif not (is_exempt(path) or self._is_of_environment(whole)) and not (
                self._is_output(path) or flag & OWN
            ):
                yield Input(path=path, digest=f"link:{target}")

    def _found_outside(self, modules: str) -> Iterator[Input]:
        """What was read, listed, found and missed outside of the repository."""
        for whole, flag in self._outside.seen():
            path = self._checker.anchors.spelled(whole)
            if flag & (READ | STATED) and os.path.isfile(whole):
                yield self._content(path, changed=bool(flag & CHANGED))
            elif flag & LISTED:
                imported = modules if flag & IMPORTED else None
                yield self._listing(f"{path.rstrip('/')}/", (), imported)
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
        read = [self._at(path) for path, flag in flags.items() if flag & READ]
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

    def _is_told(self, path: str) -> bool:
        """True if the step declares to read or to write it, or says that it does not count."""
        return self._is_output(path) or self._is_declared(path)

    def _has_content(self, path: str) -> bool:
        """True for a file, and for a link wherever it leads: that is what `readlink` tells."""
        whole = self._at(path)
        return os.path.islink(whole) or os.path.isfile(whole)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


def _is_python(path: str) -> bool:
    return path.endswith(PYTHON_SUFFIXES) or "." not in path.rpartition("/")[2]


def _signature(path: str) -> Signature | None:
    """What `stat` says of a regular file; None for all else."""
    try:
        return signature_of(os.lstat(path))
    except OSError:
        return None


def _is_executable(path: str) -> bool:
    try:
        return bool(os.lstat(path).st_mode & stat.S_IXUSR)
    except OSError:
        return False
