"""The interpreter and the installed distributions that a step loaded: names and versions.

A distribution is named `dist:PYTHON:NAME`. PYTHON says how the step found its interpreter: a bare
name from the PATH, a path of the repository, or an absolute one; so that the same can be looked for
on another machine. Metadata: https://packaging.python.org/en/latest/specifications/
"""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress

from mlpipe_ci.core.cache_key import Input

PREFIX = "dist:"
INTERPRETER = "Python"
PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)*t?")
INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(-py\d.*)?\.(dist-info|egg-info)")
LIBRARY = re.compile(r"(?:lib|lib64)/(python\d\.\d+t?)/site-packages$")
MOST_RECORD = 8 << 20


class PythonEnvironment:
    """Looks installed distributions up. `root`: the repository; `path`, `home`: the steps' own."""

    def __init__(self, root: str, path: str, home: str) -> None:
        self._root, self._path, self._home = root.rstrip("/") + "/", path, home
        self._sites: dict[str, tuple[str, ...]] = {}
        self._versions: dict[str, dict[str, str]] = {}

    def loaded(
        self, programs: Iterable[tuple[str, str]], packages: Iterable[tuple[str, str]]
    ) -> list[Input]:
        """The interpreters that ran, and the distributions that were loaded, as inputs."""
        pythons = {
            self._spelling(named): named
            for named, file in programs
            if PYTHON.fullmatch(os.path.basename(file))
        }
        found: dict[str, Input] = {}
        tops: dict[str, set[str]] = {}
        for site, top in packages:
            tops.setdefault(os.path.realpath(site), set()).add(top)
        for spelling in pythons:
            sites = {os.path.realpath(site) for site in self._sites_of(spelling)}
            names = {INTERPRETER}
            for site in sites & tops.keys():
                names |= _distributions(site, tops[site])
            for name in names:
                path = f"{PREFIX}{spelling}:{name}"
                found[path] = Input(path=path, digest=self.now(path))
        return list(found.values())

    def now(self, path: str) -> str:
        """The version of a distribution as a digest: `version:2.2.1`; `absent` if there is none."""
        spelling, _, name = path.removeprefix(PREFIX).rpartition(":")
        if spelling not in self._versions:
            self._versions[spelling] = self._all(spelling)
        version = self._versions[spelling].get(name)
        return f"version:{version}" if version else "absent"

    def _spelling(self, named: str) -> str:
        """How an interpreter was found."""
        name = os.path.basename(named)
        where = shutil.which(name, path=self._path)
        if where and os.path.realpath(where) == os.path.realpath(named):
            return name
        return named.removeprefix(self._root)

    def _executable(self, spelling: str) -> str:
        if "/" in spelling:
            return os.path.join(self._root, spelling)
        return shutil.which(spelling, path=self._path) or ""

    def _sites_of(self, spelling: str) -> tuple[str, ...]:
        """The `site-packages` of an interpreter, those of the one below a virtual one included."""
        if spelling not in self._sites:
            found = self._find_sites(self._executable(spelling))
            version = self._version(spelling).split(".")[:2]
            if self._home and len(version) == 2:  # noqa: PLR2004 - 3 and 11
                library = f"{self._home}/.local/lib/python{'.'.join(version)}"
                found.insert(0, f"{library}/site-packages")  # site.getusersitepackages()
            self._sites[spelling] = tuple(found)
        return self._sites[spelling]

    def _find_sites(self, executable: str) -> list[str]:
        found: list[str] = []
        for prefix in self._prefixes(executable):
            for library in ("lib", "lib64"):
                with suppress(OSError):
                    for name in sorted(os.listdir(f"{prefix}/{library}")):
                        for packages in ("site-packages", "dist-packages"):
                            site = f"{prefix}/{library}/{name}/{packages}"
                            if name.startswith("python") and os.path.isdir(site):
                                found.append(site)
        return found

    def _prefixes(self, executable: str) -> list[str]:
        """Directories above `bin`: of a virtual environment, and of what it was made from."""
        found: list[str] = []
        if executable:
            for path in (executable, os.path.realpath(executable)):
                prefix = os.path.dirname(os.path.dirname(os.path.abspath(path)))
                found += [prefix] if prefix not in found else []
        return found

    def _all(self, spelling: str) -> dict[str, str]:
        """Versions of all distributions of an interpreter, and its own."""
        found: dict[str, str] = {}
        for site in reversed(self._sites_of(spelling)):
            found |= {name: version for _, name, version in _installed(site)}
        version = self._version(spelling)
        return found | ({INTERPRETER: version} if version else {})

    def _version(self, spelling: str) -> str:
        """From what lies beside the interpreter; it is not asked, as that takes 20 ms."""
        executable = self._executable(spelling)
        if not executable:
            return ""
        for prefix in self._prefixes(executable):
            for path in (f"{prefix}/pyvenv.cfg", *_headers(prefix)):
                with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
                    found = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
                    found = found or re.search(r'#define\s+PY_VERSION\s+"([^"]+)"', text)
                    if found:
                        return found[1]
        return os.path.basename(os.path.realpath(executable))


def _headers(prefix: str) -> list[str]:
    with suppress(OSError):
        return [f"{prefix}/include/{name}/patchlevel.h" for name in os.listdir(f"{prefix}/include")]
    return []


def _installed(site: str) -> list[tuple[str, str, str]]:
    """Directory, normalised name and version of each distribution in a `site-packages`."""
    found = []
    with suppress(OSError):
        for entry in os.listdir(site):
            parts = INFO.fullmatch(entry)
            if parts:
                name = re.sub(r"[-_.]+", "-", parts["name"]).lower()
                found.append((entry, name, parts["version"]))
    return found


def _distributions(site: str, tops: set[str]) -> set[str]:
    """Names of the distributions that brought the top-level names."""
    left = {top for top in tops if not INFO.fullmatch(top)}
    plain = {re.sub(r"[-_.]+", "-", top.removesuffix(".py")).lower(): top for top in left}
    found: set[str] = set()
    installed = _installed(site)
    for _, name, _ in installed:
        if name in plain:
            found.add(name)
            left.discard(plain[name])
    for entry, name, _ in installed if left else ():
        brought = _tops(f"{site}/{entry}") & left
        if brought:
            found.add(name)
            left -= brought
    return found


def _tops(info: str) -> set[str]:
    """What a distribution has installed at the top of `site-packages`."""
    found: set[str] = set()
    with suppress(OSError), open(f"{info}/RECORD", encoding="utf-8", errors="replace") as file:
        for row in file.read(MOST_RECORD).splitlines():
            found.add(row.lstrip('"').partition(",")[0].partition("/")[0])
    if not found and os.path.isdir(info):
        with suppress(OSError), open(f"{info}/top_level.txt", encoding="utf-8") as file:
            found.update(file.read().split())
    return found
