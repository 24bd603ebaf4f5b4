"""What a step saw of one `site-packages` directory, by the files that it opened in it.

Each is one input, named: `NAME` of a distribution, `./PATH` of a file that no distribution lists,
`*` for the set of all distributions, `entry_points.txt` for what all of them offer, `?` for the
modules that were looked for here.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from blake3 import blake3

from mlpipe_ci.core.regex import regex
from mlpipe_ci.tracing.discovery import record
from mlpipe_ci.tracing.discovery.exceptions import source_of
from mlpipe_ci.tracing.discovery.record import (
    EDITABLE,
    ENTRY_POINTS,
    LOCAL,
    METADATA,
    RECORD,
    WHEEL,
)

ABSENT, VERSION, FILES, BYTES, SET, FOUND = (
    *("absent", "version:", "files:", "bytes:"),
    *("set:", "found:"),
)
ALL, LOOKED_FOR, LOOSE = "*", "?", "./"
INFO = regex(
    r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py\d.*)?\.(?:dist-info|egg-info)",
)
OF_MAKERS = {
    "_virtualenv.pth": "virtualenv and uv: where distutils installs",
    "_virtualenv.py": "virtualenv and uv: where distutils installs",
    "distutils-precedence.pth": "setuptools: whose distutils is imported",
    "_distutils_hack": "setuptools: whose distutils is imported",
}
"""First parts of paths that each start of Python opens, and that make no difference to who does not
install anything."""
INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""Which of them there are depends on who made the environment; what they offer is for builds."""
OF_EDITABLE = "__editable__"
"""What setuptools begins the name of a module with that leads to the sources; it has a version."""
OF_SYSTEM = ("/usr/lib/", "/usr/lib64/", "/lib/", "/lib64/")
"""Where the packages of the system lie, whose versions say all."""
MARKS = ("pyvenv.cfg", "conda-meta")
"""In a directory that is a Python environment."""
CUSTOM = frozenset({"sitecustomize", "usercustomize"})
MODULE = regex(r"[^.]+(?:\.py|\.pyc|\.so|\.[^.]+\.so)?")


class Site:
    """One directory; its path is empty if none of its name is here. `summarize`: gives
    `record.summary` of a RECORD; `spelled`: a path without what is known of this machine alone.
    """

    def __init__(
        self, path: str, summarize: Callable[[str], str], spelled: Callable[[str], str]
    ) -> None:
        self.path, self._summarize, self._spelled = path, summarize, spelled
        self._listed: list[str] = []
        with suppress(OSError):
            self._listed = sorted(os.listdir(path))
        self._versions: dict[str, str] = {}
        self._entries: dict[str, str] = {}
        for entry in self._listed:
            if parts := INFO.fullmatch(entry):
                name = _normal(parts["name"])
                self._versions[name], self._entries[name] = parts["version"], entry
        self._names = {entry: name for name, entry in self._entries.items()}
        self._summaries: dict[str, record.Summary | None] = {}
        self._files: dict[str, frozenset[str]] = {}
        self._kinds: dict[str, str] = {}

    def asked(self, paths: Iterable[str]) -> dict[str, set[str]]:
        """Names of the distributions of which each kind of metadata was opened or missed."""
        found: dict[str, set[str]] = {}
        for path in paths:
            entry, _, name = path.partition("/")
            if entry in self._names:
                kind = METADATA[0] if name in {"", *METADATA} else name
                found.setdefault(kind, set()).add(self._names[entry])
        return found

    @property
    def is_empty(self) -> bool:
        """True if no distribution is installed here."""
        return not self._entries

    def shown(self, asked: Mapping[str, set[str]]) -> set[str]:
        """Kinds of metadata that were asked for of every distribution here that has them."""
        found: set[str] = set()
        for kind, names in asked.items():
            holders = set(self._entries)
            if not names.issuperset(holders) and kind != METADATA[0]:
                holders = {n for n in holders if os.path.exists(f"{self._info(n)}/{kind}")}
            if holders and names.issuperset(holders):
                found.add(ENTRY_POINTS if kind == ENTRY_POINTS else ALL)
        return found

    def seen(
        self, paths: Iterable[str], programs: Iterable[str] = (), shown: Iterable[str] = ()
    ) -> dict[str, str]:
        """Distributions and files of which something was opened, with their digests.

        `paths`: below this directory; one that is not there is nothing. `programs`: paths of those
        of this environment that ran. `shown`: see there.
        """
        there = {path for path in paths if path and os.path.exists(f"{self.path}/{path}")}
        info = {path for path in there if path.partition("/")[0] in self._names}
        asked = self.asked(info)
        code = {self._source(path) for path in there - info}
        code = {path for path in code if path.partition("/")[0] not in OF_MAKERS}
        owned = {name: own for name in self._entries if (own := self._own(name, code))}
        loose = code.difference(*owned.values())
        if ENTRY_POINTS in shown:
            asked.pop(ENTRY_POINTS, None)
        used = asked.pop(ENTRY_POINTS, set())
        described = {name for names in asked.values() for name in names}
        for program in programs:
            brought = self._with_program(os.path.basename(program))
            used |= brought
            loose |= {program} if self._is_environment and not brought else set()
        found: dict[str, str] = {}
        for name in sorted(used.union(described, owned)):
            summary = self._summary(name)
            if summary is None:
                loose |= owned.get(name, set())
            if not summary or summary.kind == WHEEL or name in described:
                found[name] = self.digest(name)
            elif summary.kind == LOCAL or name in used:
                found[name] = self.digest(name, versioned=False)
        found |= {ALL: self.all()} if ALL in shown else {}
        found |= {ENTRY_POINTS: self.entry_points()} if ENTRY_POINTS in shown else {}
        if self.path.startswith(OF_SYSTEM):
            return found
        return found | {LOOSE + path: self.content(path) for path in sorted(loose)}

    def digest(self, name: str, *, versioned: bool = True) -> str:
        """Version and files of a distribution; its files alone, whatever the version is."""
        if name not in self._entries:
            return ABSENT
        summary = self._summary(name)
        if not summary:
            return VERSION + self._versions[name]
        if not versioned:
            return FILES + summary.files
        return f"{VERSION}{self._versions[name]} {summary.whole}"

    def all(self) -> str:
        """The set of distributions; of one that was built here the version does not count."""
        found = []
        for name, version in sorted(self._versions.items()):
            ours = self._kind(name) in {LOCAL, EDITABLE}
            found.append(name if ours else f"{name}=={version}")
        return SET + blake3("\n".join(found).encode()).hexdigest()[: record.SHORT]

    def entry_points(self) -> str:
        """What all distributions offer to be loaded by name, but for those that install."""
        hasher = blake3()
        for name in sorted(self._entries.keys() - INSTALLERS):
            with suppress(OSError), open(f"{self._info(name)}/{ENTRY_POINTS}", "rb") as file:
                hasher.update(f"{name}\n".encode() + file.read() + b"\0")
        return SET + hasher.hexdigest()[: record.SHORT]

    def found(self, wanted: str) -> str:
        """Which of these modules (words) are here, and which files that Python starts with.

        An editable installation is here by its name alone: what leads to its sources names a place.
        """
        names = CUSTOM.union(wanted.split())
        starts = [name for name in self._listed if name.endswith(".pth") and name not in OF_MAKERS]
        here = [name for name in self._listed if _is_one(name, names)]
        for name in self._entries if starts else ():
            if self._kind(name) == EDITABLE and (summary := self._summary(name)):
                starts = [one for one in starts if one not in summary.tops]
                tops = {name.replace("-", "_"), *_lines(f"{self._info(name)}/top_level.txt")}
                here += [f"{top}@" for top in tops & names]
        return f"{FOUND}{'/'.join(sorted({*here, *starts}))}|{wanted}"

    def content(self, path: str) -> str:
        """The digest of a file; in a `.pth`, directories are spelled from their anchors."""
        if not self.path:
            return ABSENT
        try:
            with open(f"{self.path}/{path}", "rb") as file:
                data = file.read()
        except OSError:
            return ABSENT
        if path.endswith(".pth"):
            lines = data.decode("utf-8", "surrogateescape").splitlines()
            data = "\n".join(map(self._spelled, lines)).encode("utf-8", "surrogateescape")
        return BYTES + blake3(data).hexdigest()[: record.SHORT]

    def changed(self, name: str, since: float) -> bool:
        """True if a distribution was installed since then (seconds since 1970)."""
        with suppress(OSError, KeyError):
            return os.stat(f"{self.path}/{self._entries[name]}/{RECORD}").st_ctime > since
        return False

    @property
    def _is_environment(self) -> bool:
        prefix = f"{self.path}/../../.."
        return any(os.path.exists(f"{prefix}/{mark}") for mark in MARKS)

    def _with_program(self, program: str) -> set[str]:
        """The distributions that brought a program of the environment."""
        summaries = {name: self._summary(name) for name in self._entries}
        return {name for name, one in summaries.items() if one and program in one.scripts}

    def _info(self, name: str) -> str:
        return f"{self.path}/{self._entries[name]}"

    def _kind(self, name: str) -> str:
        if name not in self._kinds:
            self._kinds[name] = record.kind_of(self._info(name))
        return self._kinds[name]

    def _source(self, path: str) -> str:
        source = source_of(path)
        return source if source and os.path.exists(f"{self.path}/{source}") else path

    def _summary(self, name: str) -> record.Summary | None:
        """None for a distribution without a RECORD."""
        if name not in self._summaries:
            self._summaries[name] = None
            with suppress(OSError, ValueError, KeyError, TypeError):
                text = self._summarize(f"{self._info(name)}/{RECORD}")
                self._summaries[name] = record.decoded(text)
        return self._summaries[name]

    def _own(self, name: str, code: set[str]) -> set[str]:
        """Files among `code` that a distribution brought."""
        summary = self._summary(name)
        if summary is None:
            return self._own_by_name(name, code)
        tops = frozenset(summary.tops)
        likely = {path for path in code if path.partition("/")[0] in tops}
        if likely and name not in self._files:
            self._files[name] = frozenset()
            with suppress(OSError, ValueError):
                self._files[name] = record.files(f"{self._info(name)}/{RECORD}")
        return likely & self._files[name] if likely else likely

    def _own_by_name(self, name: str, code: set[str]) -> set[str]:
        """The same without a RECORD: old metadata say it, or the name does."""
        info, entry = self._info(name), self._entries[name]
        lines = _lines(f"{info}/installed-files.txt")
        if lines:
            return code & {os.path.normpath(f"{entry}/{line}") for line in lines}
        tops = {*_lines(f"{info}/top_level.txt")}
        parts = {path: path.partition("/")[0].partition(".")[0] for path in code}
        return {
            path
            for path, top in parts.items()
            if top in tops or (not tops and _normal(top) == name)
        }


def modules_of(paths: Iterable[str]) -> set[str]:
    """Names of the modules and packages at the top of a `site-packages`, of files opened in it."""
    tops = {(source_of(path) or path).partition("/")[0] for path in paths} - OF_MAKERS.keys()
    modules = {top for top in tops if MODULE.fullmatch(top) and not top.startswith(OF_EDITABLE)}
    return {top.partition(".")[0] for top in modules}


def _is_one(name: str, wanted: frozenset[str]) -> bool:
    return name.partition(".")[0] in wanted and bool(MODULE.fullmatch(name))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(path: str) -> list[str]:
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read().split("\n")
    return []
