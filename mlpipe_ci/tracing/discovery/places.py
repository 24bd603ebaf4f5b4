"""How interpreters and `site-packages` are named, so that another machine finds its own.

An interpreter that is found on the PATH is named as there: `python`. Its own `site-packages` has
the same name, others of it are `python/PATH`, and those of the interpreter that an environment was
made from `python/base/PATH`. All else is named from the repository (`./`), the home directory
(`~/`) or the root of the file system.
"""

import os
import shutil
from collections.abc import Iterable, Mapping

from mlpipe_ci.core.regex import regex
from mlpipe_ci.tracing.discovery.interpreter import (
    base_of,
    library_of,
    prefix_of,
    sees_user_site,
)

SITE = regex(
    r"(?:local/)?lib(?:32|64)?/(?:python|pypy)[\d.]*t?/(?:site|dist)-packages",
)
BASE = "base"


class Places:
    """`root`: the repository; `env`: the environment of the steps."""

    def __init__(self, root: str, env: Mapping[str, str]) -> None:
        self._path, self._user = env.get("PATH", os.defpath), env.get("PYTHONUSERBASE", "")
        home = os.path.realpath(env["HOME"]) if env.get("HOME") else ""
        anchors = (("./", os.path.realpath(root)), ("~/", home))
        self._anchors = tuple((mark, f"{at}/") for mark, at in anchors if at.strip("/"))
        self._programs: dict[str, str] = {}

    def forget(self) -> None:
        """Look anew for what is on the PATH."""
        self._programs = {}

    def spelled(self, path: str) -> str:
        """A path from its anchor."""
        for mark, at in self._anchors:
            if f"{path}/".startswith(at):
                return mark + path[len(at) :]
        return path

    def interpreter(self, named: str) -> str:
        """How an interpreter is spelled that was started by this path."""
        name = os.path.basename(named)
        found = self._on_path(name)
        if found and prefix_of(found) == prefix_of(named):
            return name
        return self.spelled(os.path.normpath(named))

    def site(self, path: str, interpreters: Iterable[str]) -> str:
        """How a `site-packages` is spelled. `interpreters`: those that ran, as they are spelled."""
        for name in sorted(one for one in interpreters if "/" not in one):
            executable = self._on_path(name)
            for prefix, anchor in (
                (prefix_of(executable), name),
                (base_of(executable), f"{name}/{BASE}"),
            ):
                below = path.removeprefix(f"{prefix}/")
                if below == _usual(executable) and anchor == name:
                    return name
                if below != path and SITE.fullmatch(below):
                    return f"{anchor}/{below}"
        return self.spelled(path)

    def user_site(self, named: str) -> str:
        """The user's own `site-packages` of an interpreter that was started by this path.

        Empty if it sees none. It need not be there.
        """
        home = next((at for mark, at in self._anchors if mark == "~/"), "")
        base = self._user or (f"{home}.local" if home else "")
        library = library_of(named)
        if not base or not library or not sees_user_site(named):
            return ""
        return os.path.realpath(f"{base}/lib/{library}/site-packages")

    def at(self, spelled: str) -> str:
        """The path of an interpreter or a `site-packages` that is not named as on the PATH."""
        for mark, at in self._anchors:
            if spelled.startswith(mark):
                return at + spelled[len(mark) :]
        return spelled if spelled.startswith("/") else ""

    def executable(self, spelled: str) -> str:
        """Where an interpreter is here; empty if it is not."""
        found = self.at(spelled) if "/" in spelled else self._on_path(spelled)
        return found if os.path.exists(found) else ""

    def directory(self, spelled: str) -> str:
        """Where a `site-packages` is here; empty if its interpreter is not."""
        if spelled.startswith(("./", "~/", "/")):
            return self.at(spelled)
        name, _, below = spelled.partition("/")
        executable = self._on_path(name)
        if not executable:
            return ""
        if below.startswith(f"{BASE}/"):
            return f"{base_of(executable)}/{below.removeprefix(f'{BASE}/')}"
        return f"{prefix_of(executable)}/{below or _usual(executable)}"

    def _on_path(self, name: str) -> str:
        if name not in self._programs:
            self._programs[name] = shutil.which(name, path=self._path) or ""
        return self._programs[name]


def _usual(executable: str) -> str:
    return f"lib/{library_of(executable)}/site-packages"
