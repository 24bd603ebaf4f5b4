"""The interpreters that ran and the packages that were used, as discovered inputs.

An input is named `dist:PLACE:WHAT`: PLACE as in `places`, WHAT as in `packages`; or `Python`, for
the interpreter itself. Metadata: https://packaging.python.org/en/latest/specifications/
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.regex import regex
from mlpipe_ci.tracing.access_log import CHANGED, OWN, READ
from mlpipe_ci.tracing.base import Trace
from mlpipe_ci.tracing.discovery import record
from mlpipe_ci.tracing.discovery.exceptions import source_of
from mlpipe_ci.tracing.discovery.interpreter import PYTHON, version_of
from mlpipe_ci.tracing.discovery.kinds import PREFIX
from mlpipe_ci.tracing.discovery.packages import (
    ABSENT,
    ALL,
    FILES,
    LOOKED_FOR,
    LOOSE,
    VERSION,
    Site,
    modules_of,
)
from mlpipe_ci.tracing.discovery.places import Places
from mlpipe_ci.tracing.discovery.record import ENTRY_POINTS

INTERPRETER = "Python"
MODULES = (".py", ".so", ".pyc")
OF_PYTHON = regex(r"/lib(?:64)?/python\d\.\d+t?/")
"""In the path of Python's own modules, which come before all packages."""
LISTS_ALL = "pkg_resources/"
"""A package that knows all distributions by the names of their metadata, as soon as it is used."""


class PythonEnvironment:
    """Looks packages up. `root`: the repository; `env`: the environment of the steps; `summarize`:
    `record.summary`, or what remembers it.
    """

    def __init__(
        self,
        root: str,
        env: Mapping[str, str],
        summarize: Callable[[str], str] = record.summary,
    ) -> None:
        self._places, self._summarize = Places(root, env), summarize
        self._sites: dict[str, Site] = {}
        self._known: dict[tuple[str, str], str] = {}

    def forget(self) -> None:
        """A command has run, which may have installed something."""
        self._places.forget()
        self._sites, self._known = {}, {}

    def loaded(self, trace: Trace, modules: str = "") -> list[Input]:
        """What a step saw of interpreters and packages. `modules`: words that its sources name."""
        ran = {self._places.interpreter(named): named for named in _pythons(trace)}
        found = {f"{spelled}:{INTERPRETER}": self._version(spelled) for spelled in ran}
        opened: dict[str, set[str]] = {}
        for path, below in trace.packages:
            opened.setdefault(os.path.realpath(path), set()).add(below)
        searched = {*opened, *map(self._places.user_site, ran.values())} - {""}
        programs = self._programs(trace)
        wanted = _wanted(trace, opened, modules)
        shown = self._shown(opened)
        for path in sorted({*searched, *programs}):
            site, place = self._site(path), self._places.site(path, ran)
            seen = site.seen(opened.get(path, ()), programs.get(path, ()), shown.get(path, ()))
            if path in searched:
                seen[LOOKED_FOR] = site.found(wanted)
            found |= {f"{place}:{what}": digest for what, digest in seen.items()}
        return [Input(path=PREFIX + path, digest=digest) for path, digest in found.items()]

    def now(self, item: Input) -> str:
        """The digest of an input of `loaded` now: `absent` if there is nothing of the kind."""
        names = item.digest.rpartition("|")[2] if item.path.endswith(f":{LOOKED_FOR}") else ""
        key = item.path, names or item.digest.partition(":")[0]
        if key not in self._known:
            spelled, _, what = item.path.removeprefix(PREFIX).rpartition(":")
            self._known[key] = self._now(spelled, what, item.digest)
        return self._known[key]

    def _now(self, spelled: str, what: str, before: str) -> str:
        if what == INTERPRETER:
            return self._version(spelled)
        site = self._site(self._places.directory(spelled))
        if what == ALL:
            return site.all()
        if what == ENTRY_POINTS:
            return site.entry_points()
        if what == LOOKED_FOR:
            return site.found(before.rpartition("|")[2])
        if what.startswith(LOOSE):
            return site.content(what.removeprefix(LOOSE))
        return site.digest(what, versioned=not before.startswith(FILES))

    def changed(self, items: Iterable[Input], trace: Trace, since: float) -> str:
        """What somebody else installed since then (seconds since 1970), in words."""
        for item in items:
            spelled, _, name = item.path.removeprefix(PREFIX).rpartition(":")
            if not item.path.startswith(PREFIX) or name in {
                INTERPRETER,
                ALL,
                ENTRY_POINTS,
                LOOKED_FOR,
            }:
                continue
            site = self._site(self._places.directory(spelled))
            if site.changed(name, since) and not _installs(site.path, trace):
                return f"package {name}"
        return ""

    def _site(self, path: str) -> Site:
        if path not in self._sites:
            self._sites[path] = Site(path, self._summarize, self._places.spelled)
        return self._sites[path]

    def _version(self, spelled: str) -> str:
        version = version_of(self._places.executable(spelled))
        return VERSION + version if version else ABSENT

    def _shown(self, opened: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """Kinds of metadata that a step saw of all distributions, by directory.

        A name that was met before, in another directory, is not looked at again.
        """
        asked: dict[str, set[str]] = {}
        for path, below in opened.items():
            for kind, names in self._site(path).asked(below).items():
                asked.setdefault(kind, set()).update(names)
        found = {path: self._site(path).shown(asked) for path in opened}
        anywhere: set[str] = set().union(*found.values())
        if any(one.startswith(LISTS_ALL) for below in opened.values() for one in below):
            return {path: kinds | {ALL} for path, kinds in found.items()}
        return {p: anywhere if self._site(p).is_empty else kinds for p, kinds in found.items()}

    def _programs(self, trace: Trace) -> dict[str, list[str]]:
        """Programs of environments that ran, by `site-packages`: as paths from there."""
        found: dict[str, list[str]] = {}
        for named, file in trace.programs:
            for path in () if PYTHON.fullmatch(os.path.basename(file)) else {named, file}:
                folder, _, program = os.path.normpath(path).rpartition("/")
                for site in _sites_below(folder.removesuffix("/bin")) if "/bin" in folder else ():
                    found.setdefault(os.path.realpath(site), []).append(f"../../../bin/{program}")
        return found


def _sites_below(prefix: str) -> list[str]:
    with suppress(OSError):
        names = sorted(os.listdir(f"{prefix}/lib"))
        paths = [f"{prefix}/lib/{name}/site-packages" for name in names if PYTHON.fullmatch(name)]
        return [path for path in paths if os.path.isdir(path)]
    return []


def _pythons(trace: Trace) -> Iterator[str]:
    return (name for name, file in trace.programs if PYTHON.fullmatch(os.path.basename(file)))


def _wanted(trace: Trace, opened: Mapping[str, set[str]], modules: str) -> str:
    """Names of modules that another directory could answer as well: words."""
    found = modules_of(below for paths in opened.values() for below in paths if below)
    found |= set() if "*" in modules else set(modules.split())
    for path, flag in trace.paths.items():
        source = source_of(path) or path
        if flag & READ and source.endswith(MODULES) and not OF_PYTHON.search(source):
            folder, _, name = source.rpartition("/")
            found.add(os.path.basename(folder) if name.startswith("__init__.") else name)
    names = {name.partition(".")[0] for name in found}
    return " ".join(sorted(name for name in names - sys.stdlib_module_names if name.isidentifier()))


def _installs(path: str, trace: Trace) -> bool:
    """True if the step itself installed something below this directory."""
    own = (one for one, flag in trace.paths.items() if flag & (OWN | CHANGED))
    return any(one.startswith(f"{path}/") and ".dist-info" in one for one in own)
